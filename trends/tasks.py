"""Background tasks of trends. Each makes one service call."""

from celery import shared_task

from .services import imports

# The rows of a file are stored in one transaction; ten million rows take a while.
TIME_LIMIT = 6 * 3600  # seconds


@shared_task(soft_time_limit=TIME_LIMIT, time_limit=TIME_LIMIT + 60)
def import_inbox() -> int:
    return imports.import_watched_folder()


@shared_task(soft_time_limit=TIME_LIMIT, time_limit=TIME_LIMIT + 60)
def import_waiting() -> int:
    return imports.import_due()
