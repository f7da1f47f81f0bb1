"""Start imports: of an uploaded file, of the files in the watched folder, or as a dry run that stores nothing."""

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from django.conf import settings
from django.core.files.base import File
from django.db import transaction

from config import audit, storage
from config.jobs.enqueue import enqueue
from config.jobs.job import Status

from ..files import watched_folder
from ..files.columns import Problem
from ..files.lines import Unreadable
from ..files.loading import count_new_rows, encode_rows
from ..files.reader import CSVReader
from ..models import ImportRun, InboxFile
from .import_runner import clear_work_folder, import_waiting, rejection, stored_value
from .updating import Stored, UpdatedTrend, count_rows

MAX_LISTED = 1_000  # problems of a dry run


@dataclass(kw_only=True)
class DryRun:
    """What an import would do. It has the attributes of an ImportRun that the API shows, and is not stored."""

    name: str
    size: int
    sha256: str
    mode: str
    total_rows: int = 0
    created: int = 0
    updated: int = 0
    duplicates: int = 0
    rejected: int = 0
    error: str = ""
    row_errors: list[Problem]
    created_trends: list[dict[str, Any]] = field(default_factory=list)
    updated_trends: list[UpdatedTrend] = field(default_factory=list)
    duplicate_of_id: int | None = None
    id: None = None
    pk: None = None
    origin: str = ImportRun.Origin.UPLOAD
    created_at: None = None
    finished_at: None = None
    uploaded_by: None = None

    @property
    def status(self) -> str:
        if self.error:
            return Status.FAILED
        return Status.COMPLETED_WITH_ERRORS if self.rejected else Status.COMPLETED


def new_file_key() -> str:
    """Return the storage key for a file that :func:`start_import` gets. Call it outside of any transaction."""
    return storage.provisional_key("trends", ".csv")


def start_import(*, file: File, key: str, origin: str, by: Any, mode: str = ImportRun.Mode.ADD) -> ImportRun:
    """Store ``file`` under ``key``, one of :func:`new_file_key`, and enqueue its import in ``mode``.

    Raises ServiceUnavailable if the storage does not respond.
    """
    storage.save(key, file)
    with transaction.atomic():
        storage.confirm(key)
        run = ImportRun.objects.create(
            origin=origin, mode=mode, name=_plain_name(file.name or ""), key=key, size=file.size, uploaded_by=by
        )
        enqueue(ImportRun)
        audit.record("trends_imported", user=by, target=run, details={"origin": origin, "mode": mode})
    return run


def check_file(*, file: File, mode: str = ImportRun.Mode.ADD, listed: int = 0) -> DryRun:
    """Return what an import of ``file`` in ``mode`` would do, with the first ``listed`` created and updated trends.

    Nothing is stored.
    """
    stream: BinaryIO = file.file  # type: ignore[assignment]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    stream.seek(0)
    first = ImportRun.objects.first_import_of(digest.hexdigest())
    report = DryRun(
        name=_plain_name(file.name or ""),
        size=file.size,
        sha256=digest.hexdigest(),
        mode=mode,
        row_errors=[],
        duplicate_of_id=first.pk if first else None,
    )
    with TemporaryFile() as rows:
        try:
            for batch in CSVReader(stream).batches():
                encode_rows(batch.rows, rows)
                report.total_rows += len(batch.rows) + batch.rejected
                report.rejected += batch.rejected
                report.row_errors += _listed(batch.problems[: MAX_LISTED - len(report.row_errors)])
        except Unreadable as unreadable:
            report.total_rows = report.rejected = 0
            report.error, report.row_errors = str(unreadable), _listed(unreadable.problems[:MAX_LISTED])
            return report
        report.error = rejection(total_rows=report.total_rows, rejected=report.rejected)
        if not report.error:
            if mode == ImportRun.Mode.UPDATE:
                stored = count_rows(rows, listed=listed)
            else:
                created, created_trends = count_new_rows(rows, listed=listed)
                stored = Stored(created=created, created_trends=created_trends)
            report.created, report.updated = stored.created, stored.updated
            report.created_trends, report.updated_trends = stored.created_trends, stored.updated_trends
            report.duplicates = report.total_rows - report.rejected - report.created - report.updated
    return report


def _listed(problems: list[Problem]) -> list[Problem]:
    """Return ``problems`` with their values as they are stored: a value may be as long as the file."""
    return [problem._replace(value=stored_value(problem.value)) for problem in problems]


def import_watched_folder() -> int:
    """Claim the files in the watched folder that have settled, and enqueue their imports; returns how many.

    Also resumes or clears away files that a killed worker left in the work folder.
    """
    count = 0
    for path, state in _settled_files():
        if file := watched_folder.claim(path, state):
            _create_run(file)
            count += 1
    for file in watched_folder.claimed_files():
        run = ImportRun.objects.filter(token=file.token).first()
        if run is None:
            _create_run(file)
        elif run.finished_at:
            with transaction.atomic():
                clear_work_folder(run)
    enqueue(ImportRun)
    return count


def import_due() -> int:
    """Import the files that wait, and those of the watched folder that have settled; returns how many are done."""
    if InboxFile.objects.settled().exists():
        import_watched_folder()
    return import_waiting()


@transaction.atomic
def _settled_files() -> list[tuple[Path, str]]:
    """Record the state of every file in the inbox; returns those that have settled."""
    files = {os.fsencode(path.name).decode(errors="backslashreplace"): (path, state)
             for path, state in sorted(watched_folder.scan_inbox().items())}  # fmt: skip
    InboxFile.objects.exclude(name__in=files).delete()
    known = dict(InboxFile.objects.values_list("name", "state"))
    changed = [InboxFile(name=name, state=state) for name, (_, state) in files.items() if known.get(name) != state]
    InboxFile.objects.bulk_create(
        changed, update_conflicts=True, unique_fields=["name"], update_fields=["state", "seen_at"]
    )
    return [files[name] for name in InboxFile.objects.settled().values_list("name", flat=True) if name in files]


@transaction.atomic
def _create_run(file: watched_folder.ClaimedFile) -> None:
    defaults = {
        "origin": ImportRun.Origin.INBOX,
        "mode": settings.TRENDS_MODE,
        "name": _plain_name(file.name),
        "size": file.path.stat().st_size,
    }
    run, is_new = ImportRun.objects.get_or_create(token=file.token, defaults=defaults)
    if is_new:
        audit.record("trends_imported", target=run, details={"origin": run.origin, "mode": run.mode})


def _plain_name(name: str) -> str:
    """Return the last part of a file's name without characters that cannot be shown or stored."""
    last = os.path.basename(name.replace("\\", "/"))
    return "".join(char for char in last if char.isprintable())[-255:].lstrip(".") or "unnamed.csv"
