"""Stores the periodic tasks of ``settings.PERIODIC_TASKS`` as rows that an administrator may change or pause."""

from typing import Any

from django.conf import settings


def install(**_: Any) -> None:
    """Create missing periodic tasks, update their names, and delete those that Atrium no longer declares.

    Runs after each migrate. A row is recognised by its task, so a new name keeps the interval that an administrator
    has set. A message that no worker receives within the interval expires: the next one does the same work.
    """
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    ours = tuple(f"{app}.tasks." for app in ("config", "accounts", "notes", "messaging", "contacts", "trends"))
    declared = {task for task, _ in settings.PERIODIC_TASKS.values()}
    for row in PeriodicTask.objects.exclude(task__in=declared):
        if row.task.startswith(ours):
            row.delete()
    for name, (task, seconds) in settings.PERIODIC_TASKS.items():
        stored = PeriodicTask.objects.filter(task=task)
        if stored.filter(name=name).exists():
            continue
        if row := stored.order_by("pk").first():
            row.name = name
            row.save()
            continue
        interval, _created = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.create(name=name, task=task, interval=interval, expire_seconds=max(seconds, 10))
