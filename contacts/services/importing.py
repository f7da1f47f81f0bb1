"""Imports uploaded sheets: reads them in a separate process and stores their rows in chunks."""

import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from contextvars import copy_context
from functools import partial
from pathlib import Path

import structlog
from django.core.files.storage import default_storage
from django.db.models import F
from django.db.models.functions import Greatest

from config.api.errors import OUTAGES
from config.jobs import runner
from config.webhooks import publishing as webhooks

from ..files import process
from ..files.choice import Choice
from ..files.limits import InvalidSheet
from ..files.rows import AnyRow
from ..models import FileMetadata
from . import window
from .notifications import notify_owner
from .release import release_due

logger = structlog.get_logger(__name__)

CHUNK = 5000  # rows
RELEASE_EVERY = 2.0  # seconds


def import_due(*, chunk_rows: int = CHUNK) -> int:
    """Import the due uploads, ``chunk_rows`` rows in a transaction, and return how many were completed."""
    return runner.run_steps(
        FileMetadata.objects.all(),
        partial(_steps, chunk_rows),
        limit=20,
        lock_first=window.lock_window_of_job,
        on_changed=_on_changed,
        on_failed=_set_error_code,
    )


def _on_changed(upload: FileMetadata) -> None:
    if upload.finished_at:
        webhooks.publish(
            [upload.owner_id], "upload", "upload.finished", {"id": upload.pk, "status": str(upload.status)}
        )
    notify_owner(upload)


def _steps(chunk_rows: int, upload: FileMetadata) -> Generator[Callable[[FileMetadata], None], None, None]:
    """Yield one step for each chunk of rows behind ``upload.cursor``."""
    released = time.monotonic()
    for chunk in _prepared(upload, chunk_rows):
        yield partial(_store, chunk)
        if time.monotonic() - released > RELEASE_EVERY:
            # Imports may occupy every worker process, and waiting rows must still be released in time.
            release_due(batches=1)
            released = time.monotonic()
    yield _set_total


def _prepared(upload: FileMetadata, chunk_rows: int) -> Iterator[window.Chunk]:
    """Yield the chunks. The next one is read and prepared in a thread while Postgres stores the one before."""
    log_context = copy_context()
    try:
        with closing(_chunks(upload, chunk_rows)) as chunks, ThreadPoolExecutor(1, "chunks") as thread:

            def make() -> window.Chunk | None:
                rows = next(chunks, None)
                return None if rows is None else window.Chunk.of(rows)

            upcoming = thread.submit(log_context.run, make)
            while chunk := upcoming.result():
                upcoming = thread.submit(log_context.run, make)
                yield chunk
    except process.ReaderKilled as error:
        # Decided here and not in the thread: the step before this chunk may have restarted the count of attempts.
        # The machine is short of memory, perhaps because of this file: the attempt counts.
        if upload.attempts >= runner.MAX_ATTEMPTS:
            reason = "The reader process was killed each time. The file may need too much memory."
            raise runner.GiveUp(reason, code="unsafe_file") from error
        raise


def _chunks(upload: FileMetadata, chunk_rows: int) -> Generator[list[AnyRow], None, None]:
    """Read the original; translate what goes wrong into what the job runner does about it."""
    try:
        choice = Choice(upload.mapping, upload.sheet, upload.encoding)
        with (
            _original(upload) as path,
            process.read_rows(path, after=upload.cursor, chunk_rows=chunk_rows, choice=choice) as chunks,
        ):
            yield from chunks
    except InvalidSheet as error:
        # It was valid when it was uploaded, so this is unusual: log what the reader wrote.
        logger.warning("upload_invalid", id=upload.pk, error_code=error.code, cause=error.cause)
        raise runner.GiveUp(error.detail, code=error.code) from error
    except FileNotFoundError as error:
        raise runner.GiveUp("The uploaded file is no longer in the storage.", code="original_missing") from error
    except (*OUTAGES, OSError) as error:
        raise runner.Postpone(f"The storage is unavailable: {error}") from error


@contextmanager
def _original(upload: FileMetadata) -> Iterator[Path]:
    """Copy the original to a local file for the reader process, and delete the copy afterwards."""
    with tempfile.NamedTemporaryFile() as copy:
        with default_storage.open(upload.key) as stored:
            for block in stored.chunks():
                copy.write(block)
        copy.flush()
        yield Path(copy.name)


def _store(chunk: window.Chunk, upload: FileMetadata) -> None:
    """Decide about the rows of ``chunk``, store them, and move the cursor."""
    decision = window.store(upload, chunk)
    FileMetadata.objects.filter(pk=upload.pk).update(
        cursor=chunk.rows[-1].row,
        accepted=F("accepted") + len(decision.accepted),
        deferred=F("deferred") + len(decision.deferred),
        rejected=F("rejected") + len(decision.rejected),
        total_rows=Greatest("total_rows", upload.processed_rows + len(chunk.rows)),
    )
    upload.refresh_from_db()
    notify_owner(upload)


def _set_total(upload: FileMetadata) -> None:
    """Correct the total of a sheet that an earlier version counted, with other rules for rows with content."""
    if upload.total_rows != upload.processed_rows:
        FileMetadata.objects.filter(pk=upload.pk).update(total_rows=upload.processed_rows)


def _set_error_code(upload: FileMetadata) -> None:
    """Give an import that failed for an unexpected reason the code that the API documents."""
    if not upload.error_code:
        FileMetadata.objects.filter(pk=upload.pk).update(error_code="unreadable")
        upload.refresh_from_db()
