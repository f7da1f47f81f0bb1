"""Private files under random keys, served by links that expire after five minutes: in S3 or in a local folder."""

import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core import signing
from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.signing import TimestampSigner
from django.db import transaction
from django.db.models.functions import Now
from django.http import FileResponse, Http404, HttpRequest
from django.urls import reverse
from django.utils.http import content_disposition_header

from .api.errors import OUTAGES, ServiceUnavailable
from .jobs import runner
from .jobs.enqueue import enqueue
from .models import DiscardedFile

logger = structlog.get_logger(__name__)

UNCONFIRMED = timedelta(hours=1)  # after which a file is deleted if no row refers to it

_signer = TimestampSigner(salt="atrium.files")


class PrivateFileSystemStorage(FileSystemStorage):
    """Stores files readable only by their owner, with signed URLs that expire like those of S3."""

    def __init__(self, location: str | Path | None = None) -> None:
        super().__init__(location, file_permissions_mode=0o600, directory_permissions_mode=0o700)

    def url(self, name: str | None) -> str:
        return settings.PUBLIC_URL + reverse("file", args=[_signer.sign_object([name, None])])


def random_key(folder: str, suffix: str = "") -> str:
    """Return a name that cannot be guessed, such as ``uploads/3f/3fa9….xlsx``."""
    name = secrets.token_hex(20)
    return f"{folder}/{name[:2]}/{name}{suffix}"


def provisional_key(folder: str, suffix: str = "") -> str:
    """Return a random key for a new file, which is deleted after an hour unless :func:`confirm` is called.

    The row that deletes it is committed before the file is stored, so that a crashed request leaves no orphaned file.
    Call it outside of any transaction.
    """
    key = random_key(folder, suffix)
    with transaction.atomic(durable=True):
        DiscardedFile.objects.create(key=key, due_at=Now() + UNCONFIRMED)
    return key


def confirm(key: str) -> None:
    """Keep the file of a provisional key; call it in the transaction of the row that refers to the file.

    Raises ServiceUnavailable if it took so long that the file may have been deleted.
    """
    deleted, _ = DiscardedFile.objects.filter(key=key).delete()
    if not deleted:
        raise ServiceUnavailable


def save(key: str, file: File) -> None:
    """Store ``file`` under a random ``key``; raises ServiceUnavailable if the storage is unavailable or full."""
    try:
        default_storage.save(key, file)
    except (*OUTAGES, OSError) as error:
        logger.warning("storage_unavailable", error=type(error).__name__, detail=str(error)[:200])
        raise ServiceUnavailable("The file storage is temporarily unavailable. Try again later.") from error


def signed_url(name: str, *, filename: str | None = None) -> str:
    """Return a link to the file that expires after five minutes. With ``filename`` it is a download of that name."""
    if settings.AWS_STORAGE_BUCKET_NAME:
        disposition = content_disposition_header(True, filename) if filename else None
        return default_storage.url(  # type: ignore[call-arg]
            name, parameters={"ResponseContentDisposition": disposition} if disposition else None
        )
    return settings.PUBLIC_URL + reverse("file", args=[_signer.sign_object([name, filename])])


def serve(request: HttpRequest, token: str) -> FileResponse:
    """Serve the file of a signed link of the local storage; 404 if the link has expired."""
    try:
        name, filename = _signer.unsign_object(token, max_age=settings.SIGNED_URL_SECONDS)
    except signing.BadSignature as error:
        raise Http404 from error
    return file_response(name, filename=filename)


def file_response(name: str, *, filename: str | None = None) -> FileResponse:
    """Return a stored file: a download if ``filename`` is given, otherwise displayed in the browser."""
    try:
        handle = default_storage.open(name)
    except FileNotFoundError as error:
        raise Http404 from error
    response = FileResponse(handle, as_attachment=bool(filename), filename=filename or name.rpartition("/")[2])
    response["Cache-Control"] = "private, max-age=300"
    # An uploaded file must never run scripts as a page of this site.
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def discard(name: str) -> None:
    """Delete the file after this transaction, which deletes the last row that refers to it, has committed."""
    DiscardedFile.objects.create(key=name)
    enqueue(DiscardedFile)


def discard_due(limit: int = 100) -> int:
    """Delete discarded files that are due and return how many were deleted."""
    return runner.run_due(DiscardedFile.objects.all(), _delete, limit=limit)


def _delete(row: DiscardedFile) -> None:
    try:
        default_storage.delete(row.key)
    except (*OUTAGES, OSError) as error:
        raise runner.Postpone(f"The storage is unavailable: {error}") from error
    row.delete()


def check() -> None:
    """Raise ServiceUnavailable unless the storage can be written to."""
    try:
        if settings.AWS_STORAGE_BUCKET_NAME:
            bucket: Any = default_storage
            bucket.connection.meta.client.head_bucket(Bucket=settings.AWS_STORAGE_BUCKET_NAME)
        else:
            settings.FILES_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
            probe = settings.FILES_DIR / f".probe-{secrets.token_hex(4)}"
            probe.touch(mode=0o600)
            probe.unlink()
    except Exception as error:  # of boto, the network or the file system
        raise ServiceUnavailable(f"storage: {type(error).__name__}: {error}"[:200]) from error
