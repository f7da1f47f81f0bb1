"""Celery tasks of messaging."""

from celery import shared_task

from config.realtime import presence

from .services import broadcasts, receipts


@shared_task
def fan_out_broadcasts() -> int:
    return broadcasts.fan_out_broadcasts()


@shared_task
def record_deliveries() -> int:
    return receipts.record_deliveries()


@shared_task
def delete_expired_presence() -> int:
    return presence.delete_expired()
