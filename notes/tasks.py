"""Celery tasks of notes; each makes one call of a service."""

from celery import shared_task

from .services import imports, reminders, trash


@shared_task
def send_reminders() -> int:
    return reminders.send_due_reminders()


@shared_task
def purge_trash() -> int:
    return trash.purge_expired_trash()


@shared_task
def import_notes() -> int:
    return imports.import_archives()
