"""When sheets are read, rows released, and loose ends tied."""

from celery import shared_task

from . import importing, release, services


@shared_task
def import_uploads() -> int:
    return importing.import_due()


@shared_task
def release_due() -> int:
    return release.release_due()


@shared_task
def mend_uploads() -> int:
    return services.mend_half_uploaded()


@shared_task
def forget_gates() -> int:
    return release.forget_gates() + services.forget_idempotency_keys()
