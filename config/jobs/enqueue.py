"""Sends the task that processes a table of job rows."""

import time

import structlog
from django.db import transaction

from config.celery import app

from .job import Job

logger = structlog.get_logger(__name__)

# After a failure this process does not contact the broker for so many seconds: the sweep finds the row anyway, and a
# thousand requests must not each wait for a timeout.
BROKER_PAUSE = 5.0
_paused_until = 0.0


def enqueue(job: type[Job]) -> None:
    """Send ``job.task`` once the current transaction has committed, or at once outside of one.

    Never raises and never waits long: a sweep finds the row too, so a message that could not be sent costs only a few
    seconds.
    """
    transaction.on_commit(lambda: _send(job.task))


def _send(task: str) -> None:
    global _paused_until
    if time.monotonic() < _paused_until:
        return
    try:
        app.send_task(task, retry=False)
    except Exception as error:  # of any kind: the request has succeeded
        _paused_until = time.monotonic() + BROKER_PAUSE
        logger.warning("broker_unreachable", task=task, error=type(error).__name__)
