"""When trends are imported."""

from celery import shared_task

from . import importing, services

# A file of ten million rows takes a while, and is one commit.
LONG = 6 * 3600  # seconds


@shared_task(soft_time_limit=LONG, time_limit=LONG + 60)
def import_inbox() -> int:
    return services.look_into_inbox()


@shared_task(soft_time_limit=LONG, time_limit=LONG + 60)
def import_waiting() -> int:
    return importing.import_waiting()
