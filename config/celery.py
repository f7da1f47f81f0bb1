"""The Celery app."""

import os
from typing import Any

import redis.exceptions
from celery import Celery, Task
from celery.signals import setup_logging, task_prerun
from kombu.transport import redis as redis_transport
from structlog.contextvars import bind_contextvars, clear_contextvars

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("atrium")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class Channel(redis_transport.Channel):
    """kombu's channel, which cannot connect any more once its connection to the broker was closed.

    kombu raises an AttributeError then, which ends the worker (docs/decisions/celery-on-redis.md).
    """

    def _connparams(self, *arguments: Any, **options: Any) -> Any:
        if getattr(self.connection, "client", None) is None:
            raise redis.exceptions.ConnectionError("The connection to the broker was closed.")
        return super()._connparams(*arguments, **options)  # type: ignore[misc]  # unknown to celery-types


class SentinelChannel(Channel, redis_transport.SentinelChannel):
    """The same for a broker with Sentinel."""


redis_transport.Transport.Channel = Channel
redis_transport.SentinelTransport.Channel = SentinelChannel


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Do nothing: Celery does not configure logging if this signal has a receiver."""


@task_prerun.connect
def bind_request_id(task: Task, **_: Any) -> None:
    """Add the id of the request that sent the task to its log lines; django-structlog sends it with the message."""
    clear_contextvars()
    bind_contextvars(**(getattr(task.request, "__django_structlog__", None) or {}))
