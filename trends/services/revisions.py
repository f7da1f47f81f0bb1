"""Record changes of trends in the order of their commits, with the earlier values."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import Case, JSONField, OuterRef, Subquery, When
from django.db.models.functions import Coalesce, JSONObject
from django.utils.dateparse import parse_datetime

from config.api.errors import attr_error
from config.cache.generations import invalidate
from config.db import locks

from ..files.columns import COLUMNS
from ..files.loading import CHANGES, TRENDS
from ..models import CACHE_SCOPE, MAX_IMPORT_ID, Change, ImportRun, Revision, Trend

# The earlier values of a row of the table called t.
BEFORE_NAMES = "before, before_at, before_run_id"
_PAIRS = ", ".join(f"'{name}', t.{name}" for name in COLUMNS)
BEFORE_VALUES = f"jsonb_build_object({_PAIRS}), t.uploaded_at, t.run_id"
_RECORD = (
    f"INSERT INTO {CHANGES} (revision_id, place, trend_id, history_of, kind, {BEFORE_NAMES}) "  # noqa: S608
    f"SELECT %s, row_number() OVER (ORDER BY t.id) - 1, t.id, t.id, %s, {BEFORE_VALUES} "
    f"FROM {TRENDS} AS t WHERE t.id = ANY(%s)"
)
_PUBLISH = f"""
WITH start AS (
    SELECT greatest(clock_timestamp(), max(ends_at) + interval '1 microsecond') AS at,
        (SELECT count(*) FROM {CHANGES} WHERE revision_id = %(revision)s) AS size
    FROM {Revision._meta.db_table}
)
UPDATE {Revision._meta.db_table} AS revision
SET at = start.at, ends_at = start.at + greatest(start.size - 1, 0) * interval '1 microsecond'
FROM start WHERE revision.id = %(revision)s
"""  # noqa: S608


def open_revision(*, run: ImportRun | None = None) -> Revision:
    """Create the revision for the changes of this transaction. Call :func:`publish_revision` as its last step."""
    return Revision.objects.create(run=run)


def record_created(revision: Revision, trend_id: int) -> None:
    """Record that a trend was created, as the only change of ``revision``."""
    Change.objects.create(revision=revision, place=0, trend_id=trend_id, history_of=trend_id, kind=Change.Kind.CREATED)


def record_earlier_values(revision: Revision, trend_ids: Sequence[int], *, kind: str) -> None:
    """Record the values of trends that are about to be updated or deleted; their rows must be locked."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORD, [revision.pk, kind, list(trend_ids)])


def publish_revision(revision: Revision) -> None:
    """Give ``revision`` its place in the order of commits, and invalidate what is cached of trends."""
    invalidate(CACHE_SCOPE)  # first: it checks foreign keys, which may wait for other rows
    locks.lock("trends: publish")  # until the commit, so that the instants have the order of the commits
    parameters: dict[str, Any] = {"revision": revision.pk}
    with connection.cursor() as cursor:
        cursor.execute(_PUBLISH, parameters)


def parse_since(text: str) -> datetime:
    """Return the instant that ``text`` names, or the end of the import with that id; without a text, the beginning.

    Raises ValidationError if it is neither, or if that import has not finished.
    """
    if not text:
        return datetime(1970, 1, 1, tzinfo=UTC)
    if text.isascii() and text.isdecimal():
        return _end_of_import(int(text))
    try:
        if (instant := parse_datetime(text)) and instant.tzinfo:
            return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise attr_error("since", "Use the id of an import, or an instant such as 2026-05-04T09:30:00Z.")


def _end_of_import(run_id: int) -> datetime:
    run = ImportRun.objects.select_related("revision").filter(pk=run_id).first() if run_id <= MAX_IMPORT_ID else None
    ended: datetime | None = run.finished_at if run else None
    if revision := getattr(run, "revision", None):  # imports of earlier versions, and failed ones, have none
        ended = revision.ends_at
    if ended is None:
        raise attr_error("since", "No finished import has this id.")
    return ended


def changes_since(instant: datetime, *, limit: int) -> list[Change]:
    """Return the first changes after ``instant``, each with ``at`` and the values ``after`` it.

    They are read in one statement, so that the values of all are from the same instant.
    """
    later = Change.objects.filter(trend_id=OuterRef("trend_id"), pk__gt=OuterRef("pk")).order_by("pk")
    present = Trend.objects.filter(pk=OuterRef("trend_id")).values(
        values=JSONObject(**{name: name for name in COLUMNS})
    )
    after = Coalesce(Subquery(later.values("before")[:1]), Subquery(present), output_field=JSONField())
    changes = Change.objects.since(instant)
    deleted = When(kind=Change.Kind.DELETED, then=None)
    return list(changes.annotate(after=Case(deleted, default=after, output_field=JSONField()))[:limit])
