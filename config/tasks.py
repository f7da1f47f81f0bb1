"""Tasks that process the rows of ``config.models``."""

from celery import shared_task

from . import mail, retention, storage
from .dashboard import services as dashboard_services
from .ops import scheduled_backups
from .realtime import events
from .webhooks import delivering


@shared_task
def send_mail() -> int:
    return mail.send_due()


@shared_task
def delete_expired_rows() -> int:
    return retention.delete_old_rows()


@shared_task
def send_events() -> int:
    return events.send_pending()


@shared_task
def discard_files() -> int:
    return storage.discard_due()


@shared_task
def deliver_webhooks() -> int:
    return delivering.deliver_due()


@shared_task
def record_figures() -> int:
    return dashboard_services.record_figures()


@shared_task(soft_time_limit=scheduled_backups.TIME_LIMIT, time_limit=scheduled_backups.TIME_LIMIT + 60)
def make_backups() -> int:
    scheduled_backups.request_due()
    return scheduled_backups.make_due()
