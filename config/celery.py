"""The Celery app."""

import os
from typing import Any

from celery import Celery, Task
from celery.signals import setup_logging, task_prerun
from structlog.contextvars import bind_contextvars, clear_contextvars

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("atrium")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def use_django_logging(**_: Any) -> None:
    """Do nothing: Celery does not configure logging if this signal has a receiver."""


@task_prerun.connect
def bind_request_id(task: Task, **_: Any) -> None:
    """Add the id of the request that sent the task to its log lines; django-structlog sends it with the message."""
    clear_contextvars()
    bind_contextvars(**(getattr(task.request, "__django_structlog__", None) or {}))
