"""Delete old uploads with their files and reports; their contacts stay."""

from datetime import timedelta

from django.conf import settings
from django.db.models.functions import Now
from rest_framework.exceptions import NotFound

from config.db.batches import delete_batch

from ..models import FileMetadata, RejectedRow, UploadStatus
from .uploads import NotFinished, delete_upload


def delete_expired_uploads() -> int:
    """Delete an upload that ended more than ``IMPORT_DAYS`` ago, or a batch of its rejected rows; return how many rows.

    The rejected rows are deleted first: in one transaction with the upload, a million of them would hold the lock of
    the window for seconds.
    """
    if not settings.IMPORT_DAYS:
        return 0
    expired = FileMetadata.objects.filter(
        deleted_at=None, finished_at__lt=Now() - timedelta(days=settings.IMPORT_DAYS)
    ).exclude(status=UploadStatus.UNDOING)
    upload = expired.order_by("pk").first()
    if upload is None:
        return 0
    if deleted := delete_batch(RejectedRow.objects.filter(upload=upload)):
        return deleted
    try:
        delete_upload(upload=upload)
    except (NotFound, NotFinished):  # its owner has deleted or undone it meanwhile
        return 0
    return 1
