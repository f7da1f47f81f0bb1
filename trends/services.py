"""Every write to a trend, and the ways in which files are brought in; importing.py is what a worker does with them."""

import hashlib
import os
from typing import Any, BinaryIO, NamedTuple

from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound

from config import storage
from config.caching import bump
from config.celery import wake
from config.errors import Conflict

from . import folders, tasks
from .columns import Problem
from .importing import SCOPE, first_of, put_away, verdict
from .loading import Counts, load
from .models import ImportRun, Trend
from .reading import Sheet, Unreadable

SHOWN_PROBLEMS = 1_000  # of a dry run, whose report is not kept


class DuplicateTrend(Conflict):
    default_detail = "A trend that is equal in all ten columns is stored already."
    default_code = "duplicate"


class Report(NamedTuple):
    """What an import would do; reads like a run that was never stored."""

    name: str
    size: int
    sha256: str
    total_rows: int
    created: int
    duplicates: int
    rejected: int
    error: str
    problems: list[Problem]
    duplicate_of_id: int | None
    id: None = None
    origin: str = ImportRun.Origin.UPLOAD
    dry_run: bool = True
    created_at: None = None
    finished_at: None = None
    uploaded_by: None = None

    @property
    def status(self) -> str:
        if self.error:
            return ImportRun.Status.FAILED
        return ImportRun.Status.COMPLETED_WITH_ERRORS if self.rejected else ImportRun.Status.COMPLETED


@transaction.atomic
def store_trend(*, trend: Trend, changed: list[str] | None = None) -> Trend:
    """Write a new trend, or the ``changed`` columns of an old one; raises DuplicateTrend."""
    try:
        with transaction.atomic():
            trend.save(update_fields=changed)
    except IntegrityError as error:
        if "trend_once" in str(error):
            raise DuplicateTrend from error
        raise
    bump(SCOPE)
    return trend


def create_trend(*, values: dict[str, Any]) -> Trend:
    """A new trend; raises DuplicateTrend."""
    return store_trend(trend=Trend(**values))


@transaction.atomic
def update_trend(*, trend_id: int, values: dict[str, Any]) -> Trend:
    """Change some columns of a trend; raises DuplicateTrend, and NotFound where it has been deleted meanwhile."""
    trend = Trend.objects.select_for_update(no_key=True).filter(pk=trend_id).first()
    if trend is None:
        raise NotFound
    for name, value in values.items():
        setattr(trend, name, value)
    return store_trend(trend=trend, changed=list(values)) if values else trend


@transaction.atomic
def delete_trends(*, trends: QuerySet[Trend]) -> int:
    """Delete them and return how many there were."""
    count, _ = trends.delete()
    bump(SCOPE)
    return count


def file_key() -> str:
    """Where a file for :func:`start_import` is going to lie. To be called outside of any transaction."""
    return storage.provisional_key("trends", ".csv")


def start_import(*, file: File, key: str, origin: str, by: Any) -> ImportRun:
    """Keep ``file`` in the storage under ``key``, one of :func:`file_key`, and have a worker import it.

    Raises ServiceUnavailable while the storage is away.
    """
    storage.save(key, file)
    with transaction.atomic():
        storage.keep(key)
        run = ImportRun.objects.create(
            origin=origin, name=_plain_name(file.name or ""), key=key, size=file.size, uploaded_by=by
        )
        wake(tasks.import_waiting)
    return run


def check_file(*, file: File) -> Report:
    """What importing ``file`` would do. Nothing is stored."""
    stream: BinaryIO = file.file  # type: ignore[assignment]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    stream.seek(0)
    problems: list[Problem] = []

    def note(found: list[Problem]) -> None:
        problems.extend(found[: SHOWN_PROBLEMS - len(problems)])

    try:
        with transaction.atomic():
            counts = load(Sheet(stream), report=note, run_id=None)
        error = verdict(counts)
    except Unreadable as unreadable:
        counts, error = Counts(0, 0, 0, 0), str(unreadable)
        problems = unreadable.problems[:SHOWN_PROBLEMS]
    same = first_of(digest.hexdigest())
    return Report(
        name=_plain_name(file.name or ""), size=file.size, sha256=digest.hexdigest(), **counts._asdict(), error=error,
        problems=problems, duplicate_of_id=same.pk if same else None,
    )  # fmt: skip


def look_into_inbox() -> int:
    """Take the files that have settled, each as a run of its own, and return how many.

    Whatever a worker that was killed has left in the work folder is taken up again, or cleared away if its run has
    ended.
    """
    taken = folders.take_settled()
    for found in taken:
        _open_run(found)
    for found in folders.in_work():
        run = ImportRun.objects.filter(token=found.token).first()
        if run is None:
            _open_run(found)
        elif run.finished_at:
            put_away(run, found)
    wake(tasks.import_waiting)
    return len(taken)


def _open_run(found: folders.Taken) -> None:
    defaults = {"origin": ImportRun.Origin.INBOX, "name": _plain_name(found.name), "size": found.path.stat().st_size}
    ImportRun.objects.get_or_create(token=found.token, defaults=defaults)


def _plain_name(name: str) -> str:
    """The last part of a file's name, as it can be shown and kept."""
    last = os.path.basename(name.replace("\\", "/"))
    return "".join(char for char in last if char.isprintable())[-255:].lstrip(".") or "unnamed.csv"
