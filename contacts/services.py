"""Uploads: received, stored, mended after a crash, and tried again."""

import hashlib
from pathlib import PurePath

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError

from accounts.models import User
from config import celery, idempotency, storage
from config.errors import Conflict, ServiceUnavailable, attr_error

from . import announcements, locks, reading, tasks
from .models import FileMetadata
from .workbooks import Refused

NAME_LENGTH = 255


class NotFailed(Conflict):
    default_detail = "Only an upload that has failed can be tried again."
    default_code = "not_failed"


class SheetRefused(ValidationError):
    """The file is no sheet of contacts; codes ``bad_header``, ``not_xlsx``, ``too_many_rows`` and ``unsafe_file``."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__({"file": [refusal.detail]}, refusal.code)


def receive(*, owner: User, file: TemporaryUploadedFile, idempotency_key: str = "") -> tuple[FileMetadata, bool]:
    """Check ``file``, keep it, and have it read; returns its upload, and whether an earlier request had made it.

    Raises SheetRefused, idempotency.KeyReused, and ServiceUnavailable while the storage is away; then nothing is left.
    The row comes first, so that every file in the storage has one; it is shown once the file is safe.
    """
    sha256 = _digest(file)
    if earlier := _earlier(owner, idempotency_key, file, sha256):
        return earlier, True
    try:
        rows = reading.count_rows(file.temporary_file_path())
    except Refused as refusal:
        raise SheetRefused(refusal) from refusal
    except reading.ReaderKilled as error:
        raise ServiceUnavailable from error
    try:
        upload = _begin(owner, file, sha256, rows, idempotency_key)
    except IntegrityError:
        # A request under the same key was quicker, and is storing the file right now.
        if earlier := _earlier(owner, idempotency_key, file, sha256):
            return earlier, True
        raise Conflict("A request with this Idempotency-Key has just failed. Please send it again.") from None
    try:
        _keep(upload, file)
    finally:
        locks.unlock_file(upload.pk)
    return upload, False


def _digest(file: TemporaryUploadedFile) -> str:
    digest = hashlib.sha256()
    for block in file.chunks():
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _name(file: TemporaryUploadedFile) -> str:
    """The file's name as its owner knows it, printable, and with its end kept where it is too long."""
    name = "".join(char for char in PurePath(file.name or "").name if char.isprintable()) or "contacts.xlsx"
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 10] + name[-10:]


def _earlier(owner: User, key: str, file: TemporaryUploadedFile, sha256: str) -> FileMetadata | None:
    """The upload that this key has made, once it is stored; raises KeyReused where it was another file."""
    if not key:
        return None
    upload = FileMetadata.objects.filter(owner=owner, idempotency_key=key).first()
    if upload is None:
        return None
    if (upload.sha256, upload.name) != (sha256, _name(file)):
        raise idempotency.KeyReused
    if upload.stored_at is None:
        # Its request is at work: wait for its end. If that was a failure the row is gone, and this one does the work;
        # if it was a crash, the row is mended here as the sweep would.
        locks.lock_file(upload.pk)
        try:
            _mend(upload.pk)
        finally:
            locks.unlock_file(upload.pk)
        return FileMetadata.objects.filter(pk=upload.pk).first()
    return upload


@transaction.atomic
def _begin(owner: User, file: TemporaryUploadedFile, sha256: str, rows: int, idempotency_key: str) -> FileMetadata:
    """The row of an upload that is about to be stored, its lock held: the sweep sees neither or both."""
    before = FileMetadata.objects.visible_to(owner).filter(sha256=sha256).order_by("id").first()
    upload = FileMetadata.objects.create(
        owner=owner,
        name=_name(file),
        size=file.size or 0,
        sha256=sha256,
        key=storage.random_key("uploads", ".xlsx"),
        duplicate_of=before,
        idempotency_key=idempotency_key,
        total_rows=rows,
    )
    locks.lock_file(upload.pk)
    return upload


def _keep(upload: FileMetadata, file: TemporaryUploadedFile) -> None:
    """Stream the file into the storage and acknowledge it, or leave nothing behind."""
    try:
        storage.save(upload.key, file)
    except ServiceUnavailable:
        _discard(upload)
        raise
    _acknowledge(upload)


@transaction.atomic
def _acknowledge(upload: FileMetadata) -> None:
    FileMetadata.objects.filter(pk=upload.pk).update(stored_at=Now(), due_at=Now())
    upload.refresh_from_db()
    announcements.tell(upload)
    celery.wake(tasks.import_uploads)


@transaction.atomic
def _discard(upload: FileMetadata) -> None:
    """Delete the row; its file follows by the signal in receivers.py."""
    FileMetadata.objects.filter(pk=upload.pk).delete()


def mend_half_uploaded() -> int:
    """Finish or remove the uploads whose request died between its first commit and its last; returns how many."""
    mended = 0
    for upload_id in list(FileMetadata.objects.half_uploaded().values_list("pk", flat=True)[:100]):
        with locks.trying_file(upload_id) as held:
            mended += held and _mend(upload_id)
    return mended


def _mend(upload_id: int) -> bool:
    """Decide about a half upload whose lock is held: complete in the storage, or to be removed."""
    upload = FileMetadata.objects.half_uploaded().filter(pk=upload_id).first()
    if upload is None:
        return False
    if _is_complete(upload):
        _acknowledge(upload)
    else:
        _discard(upload)
    return True


def _is_complete(upload: FileMetadata) -> bool:
    """Whether the storage holds the very bytes that were sent; raises what the storage raises while it is away."""
    if not default_storage.exists(upload.key):
        return False
    digest = hashlib.sha256()
    with default_storage.open(upload.key) as stored:
        for block in stored.chunks():
            digest.update(block)
    return digest.hexdigest() == upload.sha256


@transaction.atomic
def retry(*, upload: FileMetadata) -> FileMetadata:
    """Have a failed upload read again, on from the row at which it stopped; raises NotFailed."""
    changed = (
        FileMetadata.objects.filter(pk=upload.pk)
        .exclude(failed_at=None)
        .update(failed_at=None, error="", error_code="", attempts=0, started_at=None, due_at=Now())
    )
    if not changed:
        raise NotFailed
    upload.refresh_from_db()
    announcements.tell(upload)
    celery.wake(tasks.import_uploads)
    return upload


def forget_idempotency_keys() -> int:
    """Let keys older than a day be used again; returns how many."""
    old = FileMetadata.objects.filter(created_at__lt=Now() - idempotency.KEPT).exclude(idempotency_key="")
    return old.update(idempotency_key="")


def require_file(value: object) -> TemporaryUploadedFile:
    """The request's ``file``; raises a validation error where that is none."""
    if not isinstance(value, TemporaryUploadedFile):
        raise attr_error("file", "Send the sheet as the multipart field `file`.", "required")
    return value
