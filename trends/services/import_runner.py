"""Import a file: read it in steps that report progress, then store its rows in one transaction.

Nothing of a file is stored if more than one row in ten is invalid, so all of it is read first. Valid rows wait in a
temporary file. A worker that takes over from a killed one reads the file again and skips the steps that are committed.
"""

from collections.abc import Callable, Generator, Iterator
from functools import partial
from tempfile import TemporaryFile
from typing import BinaryIO

import structlog
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction

from config.jobs import runner
from config.webhooks import publishing as webhooks

from ..files import archive, watched_folder
from ..files.columns import Problem
from ..files.lines import Unreadable
from ..files.loading import encode_rows, insert_rows
from ..files.reader import CSVReader
from ..files.sources import UNAVAILABLE, Source, open_source
from ..models import ImportRun, RowError
from .revisions import open_revision, publish_revision
from .updating import Stored, update_rows

logger = structlog.get_logger(__name__)

MAX_ROW_ERRORS = 100_000  # stored for a run; all are counted
TIME_SLICE = 3600.0  # seconds; long, because an interrupted import reads its file again from the beginning

Step = Callable[[ImportRun], None]


def import_waiting(limit: int = 100) -> int:
    """Import the files that wait; returns how many runs are done."""
    return runner.run_steps(ImportRun.objects.all(), steps, limit=limit, time_slice=TIME_SLICE, on_changed=_on_changed)


def steps(run: ImportRun) -> Generator[Step, None, None]:
    """Yield the steps that import the file of ``run``, for :func:`config.jobs.runner.run_steps`.

    The generator starts at ``run.cursor``; raises runner.GiveUp if the file is unreadable or has too many invalid rows.
    """
    if run.is_stored:  # by a worker that was killed before it could finish the run
        return
    with open_source(run) as source, TemporaryFile() as rows:
        total_rows = rejected = 0
        try:
            for batch in CSVReader(source.file).batches():
                encode_rows(batch.rows, rows)
                total_rows += len(batch.rows) + batch.rejected
                rejected += batch.rejected
                if total_rows > run.cursor:
                    yield partial(
                        _record_batch, source=source, total_rows=total_rows, rejected=rejected, problems=batch.problems
                    )
        except Unreadable as unreadable:
            yield partial(_record_unreadable, source=source, unreadable=unreadable)
            raise runner.GiveUp(str(unreadable), code="unreadable") from unreadable
        if reason := rejection(total_rows=total_rows, rejected=rejected):
            yield partial(_quarantine_source, source=source, reason=reason)
            raise runner.GiveUp(reason, code="too_many_rejected")
        yield partial(_store, source=source, rows=rows, total_rows=total_rows, rejected=rejected)


def rejection(*, total_rows: int, rejected: int) -> str:
    """Return why a file with so many invalid rows is not imported, or an empty text."""
    if rejected * 10 > total_rows:
        return f"{rejected:,} of {total_rows:,} rows are invalid, more than one in ten: nothing was stored."
    return ""


def clear_work_folder(run: ImportRun) -> None:
    """Remove the file of a finished run from the work folder after the commit; quarantine it first if it failed.

    Never raises: a file that cannot be quarantined stays in the work folder and is tried again with the next sweep.
    """
    claimed = watched_folder.find(run.token)
    if run.failed_at and not run.quarantine:
        try:
            if claimed:
                _quarantine(run, reason=run.error, claimed=claimed)
            elif run.key:
                with default_storage.open(run.key) as stored:
                    _quarantine(run, reason=run.error, stream=stored)
        except UNAVAILABLE as error:
            logger.warning("quarantine_failed", run=run.pk, error=str(error))
            return
    if claimed:
        transaction.on_commit(partial(watched_folder.remove, claimed), robust=True)


def _on_changed(run: ImportRun) -> None:
    if run.finished_at:
        if run.done_at:
            webhooks.publish_to_all("trends", "trends.imported", {"id": run.pk})
        clear_work_folder(run)
        logger.info(
            "import_finished", run=run.pk, name=run.name, status=run.status, error=run.error,
            total_rows=run.total_rows, created=run.created, updated=run.updated,
            duplicates=run.duplicates, rejected=run.rejected,
        )  # fmt: skip


def _record_batch(run: ImportRun, *, source: Source, total_rows: int, rejected: int, problems: list[Problem]) -> None:
    _update(run, source, total_rows=total_rows, rejected=rejected, cursor=total_rows)
    _store_problems(run, problems)


def _record_unreadable(run: ImportRun, *, source: Source, unreadable: Unreadable) -> None:
    run.row_errors.all().delete()
    _update(run, source, total_rows=0, rejected=0, cursor=0)
    _store_problems(run, unreadable.problems)
    _quarantine_source(run, source=source, reason=str(unreadable))


def _quarantine_source(run: ImportRun, *, source: Source, reason: str) -> None:
    try:
        _quarantine(run, reason=reason, claimed=source.claimed, stream=source.file)
    except OSError as error:
        raise runner.Postpone(f"The quarantine folder cannot be written: {error}") from error


def _store(run: ImportRun, *, source: Source, rows: BinaryIO, total_rows: int, rejected: int) -> None:
    """Store the rows, and the file of the watched folder in the backup folder."""
    revision = open_revision(run=run)
    if run.mode == ImportRun.Mode.UPDATE:
        stored = update_rows(rows, revision=revision)
    else:
        stored = Stored(created=insert_rows(rows, revision=revision))
    _update(
        run,
        source,
        total_rows=total_rows,
        rejected=rejected,
        created=stored.created,
        updated=stored.updated,
        duplicates=total_rows - rejected - stored.created - stored.updated,
        duplicate_of=ImportRun.objects.first_import_of(source.digest),
        backup=source.publish_backup(run.name),
        cursor=total_rows + 1,
    )
    publish_revision(revision)


def _update(run: ImportRun, source: Source, **fields: object) -> None:
    ImportRun.objects.filter(pk=run.pk).update(size=source.size, sha256=source.digest, **fields)


def _store_problems(run: ImportRun, problems: list[Problem]) -> None:
    room = max(MAX_ROW_ERRORS - run.row_errors.count(), 0) if problems else 0
    RowError.objects.bulk_create(
        (
            RowError(
                run=run,
                line=problem.line,
                column=problem.column,
                value=stored_value(problem.value),
                code=problem.code,
                message=problem.message[:300],
            )
            for problem in problems[:room]
        ),
        batch_size=1_000,
    )


def stored_value(value: str) -> str:
    """Return the beginning of an invalid value; Postgres stores no NUL."""
    return value[:200].replace("\x00", "\N{SYMBOL FOR NULL}")


def _quarantine(
    run: ImportRun,
    *,
    reason: str,
    claimed: watched_folder.ClaimedFile | None = None,
    stream: BinaryIO | File | None = None,
) -> None:
    run.quarantine = archive.marked(run.name, str(run.pk))
    if stream:
        stream.seek(0)
    archive.quarantine(run.quarantine, _report(run, reason), claimed=claimed, stream=stream)
    ImportRun.objects.filter(pk=run.pk).update(quarantine=run.quarantine)


def _report(run: ImportRun, reason: str) -> Iterator[str]:
    yield f"{run.name} was not imported (run {run.pk}).\n{reason}\n\n"
    for problem in run.row_errors.iterator(1_000):
        place = f"line {problem.line}" + (f", {problem.column}" if problem.column else "")
        value = f" (value: {problem.value})" if problem.value else ""
        yield f"{place}: {problem.message}{value}\n"
