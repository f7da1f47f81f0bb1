"""When messaging's rows are looked at."""

from celery import shared_task

from config import presence

from . import services


@shared_task
def fan_out_broadcasts() -> int:
    return services.fan_out_broadcasts()


@shared_task
def note_deliveries() -> int:
    return services.note_deliveries()


@shared_task
def forget_gone() -> int:
    return presence.forget_gone()
