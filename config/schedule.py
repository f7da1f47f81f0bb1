"""The periodic tasks, made as rows by themselves, and left alone once an administrator has changed them."""

from typing import Any

from django.conf import settings


def install(**_: Any) -> None:
    """Make the missing ones of ``settings.PERIODIC_TASKS``, and remove those whose task is no longer declared.

    Runs after each migrate. A tick that no worker takes within its interval expires: the next one does the same.
    """
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    for name, (task, seconds) in settings.PERIODIC_TASKS.items():
        interval, _created = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.get_or_create(
            name=name, defaults={"task": task, "interval": interval, "expire_seconds": max(seconds, 10)}
        )
    ours = tuple(f"{app}.tasks." for app in ("config", "accounts", "notes", "messaging", "contacts", "trends"))
    declared = {task for task, _ in settings.PERIODIC_TASKS.values()}
    for row in PeriodicTask.objects.exclude(task__in=declared):
        if row.task.startswith(ours):
            row.delete()
