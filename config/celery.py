"""The Celery app, and the one way in which a request wakes a worker."""

import os
import time
from typing import Any

import structlog
from celery import Celery, Task
from celery.signals import setup_logging, task_prerun
from django.db import transaction
from structlog.contextvars import bind_contextvars, clear_contextvars

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("atrium")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

logger = structlog.get_logger(__name__)

# After a failed publish this process leaves the broker alone for so long (seconds): the sweep finds the row anyway, and
# a thousand requests need not each wait for the same dead socket.
BROKER_REST = 5.0
_rest_until = 0.0


@setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Being connected is all it takes: Celery then leaves the logging to Django's configuration."""


@task_prerun.connect
def name_the_request(task: Task, **_: Any) -> None:
    """What a task logs names the request that caused it; django-structlog sends along what was bound there."""
    clear_contextvars()
    bind_contextvars(**(getattr(task.request, "__django_structlog__", None) or {}))


def wake(task: Task, *args: Any) -> None:
    """Send ``task`` once the current transaction has committed, or at once outside of one.

    Never raises and never waits long: the work is a row that beat's sweep finds by itself, so a message that could not
    be sent costs a few seconds of delay and nothing else.
    """
    transaction.on_commit(lambda: _send(task, args))


def _send(task: Task, args: tuple) -> None:
    global _rest_until
    if time.monotonic() < _rest_until:
        return
    try:
        task.apply_async(args, retry=False)
    except Exception as error:  # whatever the broker's client raises, the answer to the client stands
        _rest_until = time.monotonic() + BROKER_REST
        logger.warning("broker_unreachable", task=task.name, error=type(error).__name__)
