"""When the rows of accounts are looked at."""

from celery import shared_task

from . import services


@shared_task
def send_links() -> int:
    return services.send_due_links()


@shared_task
def forget_expired() -> int:
    return services.forget_expired()
