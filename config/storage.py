"""Files: private, under random keys, reached by links of five minutes. S3, or a folder behind the same storage API."""

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

from . import claims, tasks
from .celery import wake
from .errors import OUTAGES, ServiceUnavailable
from .models import DiscardedFile

logger = structlog.get_logger(__name__)

UNCLAIMED = timedelta(hours=1)  # after which a file that no row has come to refer to is removed

_signer = TimestampSigner(salt="atrium.files")


class PrivateFileSystemStorage(FileSystemStorage):
    """Files readable by their owner alone, whose URLs are signed and expire like S3's."""

    def __init__(self, location: str | Path | None = None) -> None:
        super().__init__(location, file_permissions_mode=0o600, directory_permissions_mode=0o700)

    def url(self, name: str | None) -> str:
        return settings.PUBLIC_URL + reverse("file", args=[_signer.sign_object([name, None])])


def random_key(folder: str, suffix: str = "") -> str:
    """A name nobody can guess, such as ``uploads/3f/3fa9….xlsx``."""
    name = secrets.token_hex(20)
    return f"{folder}/{name[:2]}/{name}{suffix}"


def provisional_key(folder: str, suffix: str = "") -> str:
    """A random key for a file about to be stored, which is removed again unless :func:`keep` is called within the hour.

    That is committed before the file is there, so that a request may end in whatever way and leaves no file of which
    nobody knows. To be called outside of any transaction.
    """
    key = random_key(folder, suffix)
    with transaction.atomic(durable=True):
        DiscardedFile.objects.create(key=key, due_at=Now() + UNCLAIMED)
    return key


def keep(key: str) -> None:
    """Let the file of a provisional key stay, in the transaction of the row that refers to it.

    Raises ServiceUnavailable where it took so long that the file may be gone.
    """
    kept, _ = DiscardedFile.objects.filter(key=key).delete()
    if not kept:
        raise ServiceUnavailable


def save(key: str, file: File) -> None:
    """Store ``file`` under ``key``, a random one. Raises ServiceUnavailable while the storage is away or full."""
    try:
        default_storage.save(key, file)
    except (*OUTAGES, OSError) as error:
        logger.warning("storage_unavailable", error=type(error).__name__, detail=str(error)[:200])
        raise ServiceUnavailable("The storage is not available for the moment. Please try again.") from error


def signed_url(name: str, *, filename: str | None = None) -> str:
    """A link to the file of five minutes. With ``filename`` the browser saves it under that name."""
    if settings.AWS_STORAGE_BUCKET_NAME:
        disposition = content_disposition_header(True, filename) if filename else None
        return default_storage.url(  # type: ignore[call-arg]
            name, parameters={"ResponseContentDisposition": disposition} if disposition else None
        )
    return settings.PUBLIC_URL + reverse("file", args=[_signer.sign_object([name, filename])])


def serve(request: HttpRequest, token: str) -> FileResponse:
    """The file behind a signed link of the local storage; 404 once the link has expired."""
    try:
        name, filename = _signer.unsign_object(token, max_age=settings.SIGNED_URL_SECONDS)
    except signing.BadSignature as error:
        raise Http404 from error
    return file_response(name, filename=filename)


def file_response(name: str, *, filename: str | None = None) -> FileResponse:
    """The file itself; a download where ``filename`` is given, shown in place otherwise."""
    try:
        handle = default_storage.open(name)
    except FileNotFoundError as error:
        raise Http404 from error
    response = FileResponse(handle, as_attachment=bool(filename), filename=filename or name.rpartition("/")[2])
    response["Cache-Control"] = "private, max-age=300"
    # What people uploaded never runs as a page of this site.
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def discard(name: str) -> None:
    """Have the file removed once this transaction has committed: the last row that refers to it is gone by then."""
    DiscardedFile.objects.create(key=name)
    wake(tasks.discard_files)


def discard_due(limit: int = 100) -> int:
    """Remove what was discarded and return how many files are gone."""
    return claims.work_through(DiscardedFile.objects.all(), _remove, limit=limit)


def _remove(row: DiscardedFile) -> None:
    try:
        default_storage.delete(row.key)
    except (*OUTAGES, OSError) as error:
        raise claims.Postpone(f"The storage does not answer: {error}") from error
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
    except Exception as error:  # boto's, the network's and the file system's alike: the storage is away
        raise ServiceUnavailable(f"storage: {type(error).__name__}: {error}"[:200]) from error
