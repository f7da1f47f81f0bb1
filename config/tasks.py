"""When the plumbing's own rows are looked at."""

from celery import shared_task

from . import events, idempotency, mail, storage


@shared_task
def send_mail() -> int:
    return mail.send_due()


@shared_task
def forget_expired() -> int:
    return idempotency.forget_expired() + mail.forget_sent()


@shared_task
def send_events() -> int:
    return events.send_pending()


@shared_task
def discard_files() -> int:
    return storage.discard_due()
