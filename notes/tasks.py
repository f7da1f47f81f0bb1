"""When notes' rows are looked at."""

from celery import shared_task

from .services import content, importing, reminders


@shared_task
def send_reminders() -> int:
    return reminders.send_due_reminders()


@shared_task
def purge_trash() -> int:
    return content.purge_trash()


@shared_task
def import_notes() -> int:
    return importing.work_on_imports()
