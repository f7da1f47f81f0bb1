"""Creating an upload from a file, and retrying a failed one."""

import hashlib
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from rest_framework.exceptions import NotFound, ValidationError

from accounts.models import User
from config import audit, storage
from config.api import idempotency
from config.api.errors import Conflict, ServiceUnavailable
from config.jobs.enqueue import enqueue

from ..files import process
from ..files.choice import DEFAULT, Choice
from ..files.limits import InvalidSheet
from ..models import Contact, FileMetadata, RejectedRow, UnprocessedContact, UploadStatus
from . import window
from .notifications import invalidate, notify_owner

NAME_LENGTH = 255


class NotFailed(Conflict):
    default_detail = "Only a failed upload can be retried."
    default_code = "not_failed"


class NotFinished(Conflict):
    default_detail = "The upload is still being processed. Try again when it has finished."
    default_code = "not_finished"


class InvalidFile(ValidationError):
    """The file cannot be imported, or not with this mapping or sheet: the error names the field of the request.

    The codes of a file are ``bad_header``, ``not_xlsx``, ``too_many_rows`` and ``unsafe_file``.
    """

    def __init__(self, error: InvalidSheet) -> None:
        detail: Any = [error.detail]
        for name in reversed(error.attr.split(".")):
            detail = {name: detail}
        super().__init__(detail, error.code)


def create_upload(
    *, owner: User, file: TemporaryUploadedFile, choice: Choice = DEFAULT, idempotency_key: str = ""
) -> tuple[FileMetadata, bool]:
    """Check ``file``, store it and enqueue its import, which reads the columns and the sheet of ``choice``.

    Returns the upload, and whether an earlier request with the same key had created it. Raises InvalidFile, KeyReused,
    and ServiceUnavailable while the storage is unavailable. Call it outside of a transaction.
    """
    sha256 = _digest(file)
    if idempotency_key and (earlier := _created_earlier(owner, idempotency_key, file, sha256, choice)):
        return earlier, True
    try:
        checked = process.check_file(file.temporary_file_path(), choice=choice)
    except InvalidSheet as error:
        raise InvalidFile(error) from error
    except process.ReaderKilled as error:
        raise ServiceUnavailable from error
    choice = replace(choice, encoding=checked.encoding)
    key = storage.provisional_key("uploads", ".csv" if checked.encoding else ".xlsx")
    storage.save(key, file)
    try:
        return _create(owner, file, key, sha256, checked.total_rows, choice, idempotency_key), False
    except IntegrityError:
        # A concurrent request with the same key has committed first.
        earlier = _created_earlier(owner, idempotency_key, file, sha256, choice)
        if not (idempotency_key and earlier):
            raise
        return earlier, True


@transaction.atomic
def _create(
    owner: User,
    file: TemporaryUploadedFile,
    key: str,
    sha256: str,
    total_rows: int,
    choice: Choice,
    idempotency_key: str,
) -> FileMetadata:
    first = FileMetadata.objects.visible_to(owner).filter(sha256=sha256).order_by("id").first()
    upload = FileMetadata.objects.create(
        owner=owner,
        name=_name_of(file),
        size=file.size or 0,
        sha256=sha256,
        key=key,
        duplicate_of=first,
        idempotency_key=idempotency_key,
        total_rows=total_rows,
        mapping=choice.mapping,
        sheet=choice.sheet,
        encoding=choice.encoding,
    )
    storage.confirm(key)
    upload.refresh_from_db()
    notify_owner(upload)
    enqueue(FileMetadata)
    audit.record("contacts_uploaded", user=owner, target=upload, details={"rows": total_rows})
    return upload


def _created_earlier(
    owner: User, key: str, file: TemporaryUploadedFile, sha256: str, choice: Choice
) -> FileMetadata | None:
    """Return the upload that was created with this key; raises KeyReused if its file or its choice was different."""
    upload = FileMetadata.objects.filter(owner=owner, idempotency_key=key).first()
    requested = (sha256, _name_of(file), choice.mapping, choice.sheet)
    if upload and (upload.sha256, upload.name, upload.mapping, upload.sheet) != requested:
        raise idempotency.KeyReused
    return upload


def _digest(file: TemporaryUploadedFile) -> str:
    digest = hashlib.sha256()
    for block in file.chunks():
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def _name_of(file: TemporaryUploadedFile) -> str:
    """Return the file's name without unprintable characters; a long name is shortened before its ending."""
    name = "".join(char for char in PurePath(file.name or "").name if char.isprintable()) or "contacts.xlsx"
    return name if len(name) <= NAME_LENGTH else name[: NAME_LENGTH - 10] + name[-10:]


@transaction.atomic
def retry_upload(*, upload: FileMetadata) -> FileMetadata:
    """Enqueue a failed upload again; the import resumes at the row where it stopped.

    Raises NotFailed, also for an upload that was undone or deleted.
    """
    failed = FileMetadata.objects.filter(pk=upload.pk, status=UploadStatus.FAILED, deleted_at=None)
    if not failed.update(failed_at=None, error="", error_code="", attempts=0, started_at=None, due_at=Now()):
        raise NotFailed
    upload.refresh_from_db()
    notify_owner(upload)
    enqueue(FileMetadata)
    return upload


def retry_uploads(uploads: QuerySet[FileMetadata]) -> int:
    """Enqueue the failed ones of ``uploads`` again and return how many, for the dashboard of staff."""
    count = 0
    for upload in uploads:
        try:
            retry_upload(upload=upload)
        except NotFailed:
            continue
        count += 1
    return count


def lock_finished(upload: FileMetadata) -> FileMetadata:
    """Lock the window and an upload whose import has finished, until the transaction ends.

    Raises NotFound if the upload was deleted, NotFinished while it is imported.
    """
    window.lock_window()
    locked = FileMetadata.objects.select_for_update().filter(pk=upload.pk, deleted_at=None).first()
    if locked is None:
        raise NotFound
    if locked.finished_at is None:
        raise NotFinished
    return locked


@transaction.atomic
def delete_upload(*, upload: FileMetadata) -> None:
    """Delete an upload with its original file and its rejected rows; its contacts and waiting rows stay.

    While such rows exist, an empty row of the upload stays too: clearing the reference of a million contacts would
    rewrite all of them. Raises NotFound, and NotFinished while the upload is imported or undone.
    """
    locked = lock_finished(upload)
    if locked.status == UploadStatus.UNDOING:
        raise NotFinished
    audit.record("contacts_upload_deleted", user=locked.owner, target=locked)
    RejectedRow.objects.filter(upload=locked).delete()
    FileMetadata.objects.filter(duplicate_of=locked).update(duplicate_of=None)
    if _has_rows(locked):
        storage.discard(locked.key)
        FileMetadata.objects.filter(pk=locked.pk).update(
            deleted_at=Now(),
            key=f"deleted/{locked.pk}",
            name="",
            size=0,
            sha256="",
            duplicate_of=None,
            idempotency_key="",
            mapping=None,
            sheet="",
            encoding="",
            error="",
            error_code="",
            total_rows=0,
            cursor=0,
            accepted=0,
            deferred=0,
            rejected=0,
        )
    else:
        locked.delete()
    invalidate([locked.owner_id])


def _has_rows(upload: FileMetadata) -> bool:
    return any(model.objects.filter(upload=upload).exists() for model in (Contact, UnprocessedContact))


@transaction.atomic
def delete_emptied_uploads() -> int:
    """Delete the empty rows of deleted uploads whose last contact is gone; return how many."""
    window.lock_window()
    deleted = FileMetadata.objects.exclude(deleted_at=None)
    for model in (Contact, UnprocessedContact):
        deleted = deleted.filter(~Exists(model.objects.filter(upload=OuterRef("pk"))))
    return len([upload.delete() for upload in deleted])


def delete_expired_idempotency_keys() -> int:
    """Free the Idempotency-Keys of uploads older than a day; return how many."""
    old = FileMetadata.objects.filter(created_at__lt=Now() - idempotency.RETENTION).exclude(idempotency_key="")
    return old.update(idempotency_key="")
