"""Uploaded sheets are read and stored, a chunk a transaction, by whichever worker holds the file."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import structlog
from django.core.files.storage import default_storage
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Now

from config import celery, claims
from config.errors import OUTAGES

from . import announcements, locks, tasks, window
from .models import FileMetadata
from .reading import ReaderKilled, read_rows
from .release import release_due
from .workbooks import Refused

logger = structlog.get_logger(__name__)

MAX_ATTEMPTS = 5  # without a single row decided between them
# Seconds after which a worker leaves a long file to the next turn, so that others get theirs.
TURN = 120.0
RELEASE_EVERY = 2.0


class TakenOver(Exception):
    """Another worker is at this file now, or it is gone: this one stops without a word."""


def import_due() -> int:
    """Read the uploads that are due and that nobody else reads; return how many were finished."""
    finished = 0
    for upload_id in list(FileMetadata.objects.readable().values_list("pk", flat=True)[:20]):
        with locks.trying_file(upload_id) as held:
            if held and (upload := _take(upload_id)):
                finished += _work(upload)
    return finished


@transaction.atomic
def _take(upload_id: int) -> FileMetadata | None:
    """Count the attempt before it is made, so that a file which kills its worker is counted all the same."""
    upload = FileMetadata.objects.readable().select_for_update().filter(pk=upload_id).first()
    if upload is None:
        return None
    if upload.attempts >= MAX_ATTEMPTS:
        _end(upload, failed=("unreadable", upload.error or "The worker died at each attempt to read it."))
        return None
    FileMetadata.objects.filter(pk=upload_id).update(
        epoch=F("epoch") + 1, attempts=F("attempts") + 1, started_at=Coalesce("started_at", Now())
    )
    upload.refresh_from_db()
    announcements.tell(upload)
    return upload


def _work(upload: FileMetadata) -> bool:
    """Read on from the cursor; True once the file is finished, well or badly."""
    try:
        return _read(upload)
    except TakenOver:
        return False
    except Refused as refusal:
        # It was readable when it was uploaded, so this is no everyday happening: the log keeps what the reader said.
        logger.warning("upload_refused", id=upload.pk, error_code=refusal.code, cause=refusal.cause)
        return _fail(upload, refusal.code, refusal.detail)
    except FileNotFoundError:
        return _fail(upload, "original_missing", "The uploaded file is no longer in the storage.")
    except (OperationalError, InterfaceError):
        raise  # Postgres itself: nothing can be noted down now, and the file is due again by itself
    except ReaderKilled as error:
        # By a machine short of memory, perhaps, or by what this file makes of it: so the attempt counts.
        if upload.attempts >= MAX_ATTEMPTS:
            return _fail(upload, "unsafe_file", f"{error} Reading the file may take more memory than there is.")
        _put_off(upload, F("attempts"), claims.backoff(upload.attempts), error)
    except (*OUTAGES, OSError) as error:
        # No fault of the file's: the attempt does not count.
        _put_off(upload, F("attempts") - 1, claims.FIRST_BACKOFF, error)
    except Exception as error:  # one bad file must not stop the others
        logger.exception("upload_attempt_failed", id=upload.pk, attempts=upload.attempts)
        if upload.attempts >= MAX_ATTEMPTS:
            return _fail(upload, "unreadable", f"{type(error).__name__}: {error}")
        _put_off(upload, F("attempts"), claims.backoff(upload.attempts), error)
    return False


def _read(upload: FileMetadata) -> bool:
    started = released = time.monotonic()
    with _original(upload) as path, read_rows(path, after=upload.cursor) as chunks:
        for chunk in chunks:
            _store(upload, chunk)
            if time.monotonic() - released > RELEASE_EVERY:
                # Files may keep every child of the worker busy: what is due meanwhile does not wait for their end.
                release_due(batches=1)
                released = time.monotonic()
            if time.monotonic() - started > TURN:
                celery.wake(tasks.import_uploads)
                return False
    with transaction.atomic():
        upload = _locked(upload)
        _end(upload)
    return True


@contextmanager
def _original(upload: FileMetadata) -> Iterator[Path]:
    """The uploaded file on this machine's disk, for the reader process, and gone afterwards."""
    with tempfile.NamedTemporaryFile(suffix=".xlsx") as copy:
        with default_storage.open(upload.key) as stored:
            for block in stored.chunks():
                copy.write(block)
        copy.flush()
        yield Path(copy.name)


@transaction.atomic
def _store(upload: FileMetadata, chunk: list) -> None:
    """Decide about the rows of ``chunk``, store them and move the cursor, all or nothing."""
    locks.take_window()
    locked = _locked(upload)
    if chunk[0][0] <= locked.cursor:
        raise TakenOver
    decision = window.store(locked, chunk)
    # attempts begins anew: it counts those that came to nothing.
    FileMetadata.objects.filter(pk=locked.pk).update(
        cursor=chunk[-1][0],
        accepted=F("accepted") + len(decision.accepted),
        deferred=F("deferred") + len(decision.deferred),
        rejected=F("rejected") + len(decision.rejected),
        attempts=Value(1),
    )
    locked.refresh_from_db()
    announcements.tell(locked)


def _locked(upload: FileMetadata) -> FileMetadata:
    """The row, locked, as long as this worker is the last one that took it up."""
    locked = (
        FileMetadata.objects.select_for_update()
        .filter(pk=upload.pk, epoch=upload.epoch, done_at=None, failed_at=None)
        .first()
    )
    if locked is None:
        raise TakenOver
    return locked


def _end(upload: FileMetadata, *, failed: tuple[str, str] | None = None) -> None:
    if failed:
        code, reason = failed
        logger.error("upload_failed", id=upload.pk, error_code=code, reason=reason)
        FileMetadata.objects.filter(pk=upload.pk).update(failed_at=Now(), error_code=code, error=reason[:2000])
    else:
        FileMetadata.objects.filter(pk=upload.pk).update(done_at=Now(), error_code="", error="")
    upload.refresh_from_db()
    announcements.tell(upload)


@transaction.atomic
def _fail(upload: FileMetadata, code: str, reason: str) -> bool:
    try:
        _end(_locked(upload), failed=(code, reason))
    except TakenOver:
        return False
    return True


def _put_off(upload: FileMetadata, attempts: Combinable, delay: timedelta, error: Exception) -> None:
    FileMetadata.objects.filter(pk=upload.pk, epoch=upload.epoch).update(
        attempts=attempts, due_at=Now() + delay, error=f"{type(error).__name__}: {error}"[:2000]
    )
