"""What a worker does with a run: read its file, store the good rows, and see the bytes to where they belong.

The run's row is locked for as long as that takes, and all it writes is one commit with the run's end. The bytes lie in
backup or quarantine before that commit, and leave the work folder after it, so a worker may be killed at any instant:
the next one finds the row due, and the file where it was.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO

import structlog
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from config import claims
from config.caching import bump
from config.errors import OUTAGES

from . import folders
from .columns import Problem
from .loading import Counts, load
from .models import ImportRun, RowError
from .reading import Sheet, Unreadable

logger = structlog.get_logger(__name__)

SCOPE = "trends"  # of config.caching
ATTEMPTS = 3  # of which each ended with an error
DEATHS = 20  # attempts of which none could say a word: only a file that kills every worker gets so far
LOST = timedelta(hours=1)
MAX_NOTED = 100_000  # problems kept for a run; all are counted
AWAY = (OSError, *OUTAGES)


@dataclass
class Source:
    """A run's bytes, on this machine's disk, at their beginning."""

    file: BinaryIO
    digest: str
    size: int
    taken: folders.Taken | None = None
    copy: folders.Copy | None = None


def import_waiting(limit: int = 100) -> int:
    """Import the files that wait and return how many runs have ended."""
    return claims.work_through(
        ImportRun.objects.all(), _import, limit=limit, max_attempts=DEATHS, on_failed=_quarantine_failed
    )


def verdict(counts: Counts) -> str:
    """Why nothing of a file is stored, or an empty text."""
    if counts.too_many_rejected:
        return f"{counts.rejected:,} of {counts.total_rows:,} rows are bad, more than one in ten: nothing was stored."
    return ""


def first_of(digest: str) -> ImportRun | None:
    """The first run that has imported the same bytes."""
    return ImportRun.objects.filter(sha256=digest).exclude(done_at=None).order_by("pk").first()


def put_away(run: ImportRun, taken: folders.Taken) -> None:
    """Clear the work folder of a run that has ended, as its own worker would have done."""
    if run.failed_at and not run.quarantine:
        with transaction.atomic():
            _quarantine_failed(run)
    else:
        folders.remove(taken)


def _import(run: ImportRun) -> None:
    try:
        with _source(run) as source:
            _import_source(run, source)
    except (claims.Postpone, claims.GiveUp, *OUTAGES):
        raise
    except Exception as error:  # a fault of this file or of ours: after three such the file is put aside
        if run.attempts >= ATTEMPTS:
            logger.exception("import_failed", run=run.pk)
            raise claims.GiveUp(f"{type(error).__name__}: {error}") from error
        raise


def _import_source(run: ImportRun, source: Source) -> None:
    try:
        with transaction.atomic():
            counts = load(Sheet(source.file), report=_Notes(run), run_id=run.pk)
        error = verdict(counts)
    except Unreadable as unreadable:
        counts, error = Counts(0, 0, 0, 0), str(unreadable)
        _Notes(run)(unreadable.problems)
    fields = {**counts._asdict(), "size": source.size, "sha256": source.digest}
    if error:
        try:
            _quarantine(run, error, source.taken, source.file)
        except OSError as full:
            raise claims.Postpone(f"The quarantine folder cannot be written: {full}") from full
        run.fail(error, quarantine=run.quarantine, **fields)
    else:
        backup = _keep(run, source)
        run.finish(**fields, backup=backup, duplicate_of=first_of(source.digest))
        if counts.created:
            bump(SCOPE)
    _remove_after_commit(source.taken)
    logger.info("import_ended", run=run.pk, name=run.name, error=error, **counts._asdict())


@contextmanager
def _source(run: ImportRun) -> Iterator[Source]:
    """The bytes of ``run``; raises claims.Postpone while they cannot be reached, claims.GiveUp if they are gone."""
    if run.origin == ImportRun.Origin.INBOX:
        with _source_in_work(run) as source:
            yield source
        return
    with TemporaryFile() as file:
        try:
            with default_storage.open(run.key) as stored:
                size, digest = _transfer(stored, file)
        except FileNotFoundError as error:
            raise claims.GiveUp("The file is no longer in the storage.") from error
        except AWAY as error:
            raise claims.Postpone(f"The storage does not answer: {error}") from error
        file.seek(0)
        yield Source(file, digest, size)


@contextmanager
def _source_in_work(run: ImportRun) -> Iterator[Source]:
    taken = folders.find(run.token)
    if taken is None:
        if timezone.now() - run.created_at > LOST:
            raise claims.GiveUp("The file is gone from the work folder.")
        raise claims.Postpone("The file is not in the work folder of this machine.")
    try:
        original = taken.path.open("rb")
    except PermissionError as error:
        raise claims.GiveUp("The file cannot be read: its permissions forbid it.") from error
    with original:
        before = _state(taken.path)
        try:
            copy = folders.Copy(settings.TRENDS_BACKUP, run.token)
        except OSError as error:
            raise _no_backup(error) from error
        try:
            # What is parsed is the copy: rows and backup are of the same bytes, whatever happens to the original.
            try:
                size, digest = _transfer(original, copy.file)
                copy.sync()
            except OSError as error:
                raise _no_backup(error) from error
            if _state(taken.path) != before:
                raise claims.Postpone("The file was written to while it was read.")
            yield Source(copy.file, digest, size, taken, copy)
        finally:
            copy.discard()


def _no_backup(error: OSError) -> claims.Postpone:
    return claims.Postpone(f"The backup folder cannot be written: {error.strerror or error}")


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _transfer(source: IO[bytes] | File, target: IO[bytes]) -> tuple[int, str]:
    """Copy all of ``source``; its size in bytes and its SHA-256 in hex."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(1 << 20):
        target.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    target.flush()
    return size, digest.hexdigest()


def _keep(run: ImportRun, source: Source) -> str:
    if source.copy is None:
        return ""
    try:
        return source.copy.keep(run.name, source.digest)
    except OSError as error:
        raise _no_backup(error) from error


class _Notes:
    """Writes a run's problems down, up to ``MAX_NOTED``."""

    def __init__(self, run: ImportRun) -> None:
        self.run = run
        self.count = 0

    def __call__(self, problems: list[Problem]) -> None:
        kept = problems[: max(MAX_NOTED - self.count, 0)]
        self.count += len(problems)
        RowError.objects.bulk_create(
            (
                RowError(
                    run=self.run,
                    line=problem.line,
                    column=problem.column,
                    # Postgres keeps no NUL in a text.
                    value=problem.value[:200].replace("\x00", "\N{SYMBOL FOR NULL}"),
                    code=problem.code,
                    message=problem.message[:300],
                )
                for problem in kept
            ),
            batch_size=1_000,
        )


def _quarantine_failed(run: ImportRun) -> None:
    """Put the file of a run that has been given up into quarantine. For claims' last word: never raises."""
    taken = folders.find(run.token)
    try:
        if taken:
            _quarantine(run, run.error, taken, None)
        elif run.key:
            with default_storage.open(run.key) as stored:
                _quarantine(run, run.error, None, stored)
    except AWAY as error:  # the file stays where it is; one of the watched folder is tried again at each look
        logger.warning("quarantine_failed", run=run.pk, error=str(error))
        return
    if run.quarantine:
        ImportRun.objects.filter(pk=run.pk).update(quarantine=run.quarantine)
        _remove_after_commit(taken)


def _quarantine(run: ImportRun, reason: str, taken: folders.Taken | None, stream: BinaryIO | File | None) -> None:
    name = folders.marked(run.name, str(run.pk))
    if stream:
        stream.seek(0)
    folders.quarantine(name, _report(run, reason), taken=taken, stream=stream)
    run.quarantine = name


def _report(run: ImportRun, reason: str) -> Iterator[str]:
    yield f"{run.name} was not imported (run {run.pk}).\n{reason}\n\n"
    for problem in RowError.objects.filter(run=run).iterator(1_000):
        place = f"line {problem.line}" + (f", {problem.column}" if problem.column else "")
        value = f" (found: {problem.value})" if problem.value else ""
        yield f"{place}: {problem.message}{value}\n"


def _remove_after_commit(taken: folders.Taken | None) -> None:
    if taken:
        transaction.on_commit(lambda: folders.remove(taken), robust=True)
