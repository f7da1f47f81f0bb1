"""Celery tasks: run queued imports and undos, release waiting rows, delete what has expired."""

from celery import shared_task

from .services import importing, release, undo, uploads


@shared_task
def import_uploads() -> int:
    return importing.import_due()


@shared_task
def undo_uploads() -> int:
    return undo.run_due_undos()


@shared_task
def release_due() -> int:
    return release.release_due()


@shared_task
def delete_expired_gates() -> int:
    return release.delete_expired_gates() + uploads.delete_expired_idempotency_keys() + uploads.delete_emptied_uploads()
