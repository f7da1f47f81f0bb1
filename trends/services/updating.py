"""Import rows that update stored trends.

A row belongs to the stored trends with the same identity: the values of all columns but the counts, readiness and
impact. The newest of them gets the values of the last such row; the others are deleted and their values kept as its
history.
"""

from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

from ..files.columns import COLUMNS, COUNTS
from ..files.loading import CHANGES, DIGEST, NAMES, RECORD_CREATED, TRENDS, VALUES, incoming
from ..models import Change, Revision
from .revisions import BEFORE_NAMES, BEFORE_VALUES

UPDATED = (*COUNTS, "technology_readiness_level", "impact_strength")
IDENTITY = tuple(name for name in COLUMNS if name not in UPDATED)

_LATEST = f"""
CREATE TEMPORARY TABLE trends_latest ON COMMIT DROP AS
SELECT DISTINCT ON (identity) *
FROM (
    SELECT line, {", ".join(f"{value} AS {name}" for value, name in zip(VALUES, COLUMNS, strict=True))},
        {DIGEST} AS fingerprint, public.trends_fingerprint({", ".join(IDENTITY)}) AS identity
    FROM trends_incoming
) AS rows
ORDER BY identity, line DESC
"""  # noqa: S608
# Rows are locked in the order of their ids, before anything is written, as editing.delete_trends locks them.
_MATCHED = f"""
CREATE TEMPORARY TABLE trends_matched ON COMMIT DROP AS
SELECT id, identity, is_same,
    first_value(id) OVER (PARTITION BY identity ORDER BY uploaded_at DESC, id DESC) AS newest
FROM (
    SELECT t.id, t.uploaded_at, latest.identity, t.fingerprint = latest.fingerprint AS is_same
    FROM {TRENDS} AS t
    JOIN trends_latest AS latest ON latest.identity = public.trends_fingerprint({", ".join(f"t.{n}" for n in IDENTITY)})
    ORDER BY t.id %s
) AS locked
"""  # noqa: S608
_COUNTS = """
SELECT (SELECT count(*) FROM trends_latest) - count(*), count(*) FILTER (WHERE is_changed)
FROM (SELECT count(*) > 1 OR NOT bool_and(is_same) AS is_changed FROM trends_matched GROUP BY newest) AS trends
"""
# The rows of a preview: the columns of a new trend; those of an updated one, its UPDATED columns before, and how many
# other trends are merged into it.
_LIST_CREATED = (
    f"SELECT {NAMES} FROM trends_latest AS latest "  # noqa: S608
    "WHERE NOT EXISTS (SELECT FROM trends_matched AS matched WHERE matched.identity = latest.identity) "
    "ORDER BY line LIMIT %s"
)
_LIST_UPDATED = f"""
SELECT {", ".join(f"latest.{name}" for name in COLUMNS)}, {", ".join(f"t.{name}" for name in UPDATED)}, same.merged
FROM (
    SELECT newest, identity, count(*) - 1 AS merged, bool_and(is_same) AS is_same
    FROM trends_matched GROUP BY newest, identity
) AS same
JOIN trends_latest AS latest USING (identity)
JOIN {TRENDS} AS t ON t.id = same.newest
WHERE same.merged > 0 OR NOT same.is_same
ORDER BY latest.line LIMIT %s
"""  # noqa: S608
_RECORD = (
    f"INSERT INTO {CHANGES} (revision_id, place, trend_id, history_of, kind, {BEFORE_NAMES}) "  # noqa: S608
    f"SELECT %s, %s + row_number() OVER (ORDER BY t.id) - 1, t.id, matched.newest, %s, {BEFORE_VALUES} "
    f"FROM {TRENDS} AS t JOIN trends_matched AS matched USING (id) "
)
_RECORD_MERGED = f"{_RECORD} WHERE id <> matched.newest"
_RECORD_UPDATED = f"{_RECORD} WHERE id = matched.newest AND NOT matched.is_same"
_MOVE_HISTORY = (
    f"UPDATE {CHANGES} AS change SET history_of = matched.newest FROM trends_matched AS matched "  # noqa: S608
    "WHERE change.history_of = matched.id AND matched.id <> matched.newest AND change.before IS NOT NULL"
)
_DELETE_MERGED = (
    f"DELETE FROM {TRENDS} AS t USING trends_matched AS matched "  # noqa: S608
    "WHERE t.id = matched.id AND matched.id <> matched.newest"
)
_UPDATE = (
    f"UPDATE {TRENDS} AS t SET {', '.join(f'{name} = latest.{name}' for name in UPDATED)}, "  # noqa: S608
    "uploaded_at = statement_timestamp(), run_id = %s "
    "FROM trends_matched AS matched JOIN trends_latest AS latest USING (identity) "
    "WHERE t.id = matched.id AND matched.id = matched.newest AND NOT matched.is_same"
)
_INSERT = (
    f"WITH new AS (INSERT INTO {TRENDS} ({NAMES}, run_id) "  # noqa: S608
    f"SELECT {NAMES}, %s FROM trends_latest AS latest "
    "WHERE NOT EXISTS (SELECT FROM trends_matched AS matched WHERE matched.identity = latest.identity) "
    f"ORDER BY line ON CONFLICT (fingerprint) DO NOTHING RETURNING id) {RECORD_CREATED}"
)


@dataclass(frozen=True, kw_only=True)
class UpdatedTrend:
    """A trend that an import would update: its new ``values``, those ``before``, and how many others it replaces."""

    values: dict[str, Any]
    before: dict[str, Any]
    merged: int


@dataclass(frozen=True, kw_only=True)
class Stored:
    """How many rows created a trend, and how many updated or merged stored ones. A preview lists the first of each."""

    created: int
    updated: int = 0
    created_trends: list[dict[str, Any]] = field(default_factory=list)
    updated_trends: list[UpdatedTrend] = field(default_factory=list)


def update_rows(file: BinaryIO, *, revision: Revision) -> Stored:
    """Store the encoded rows in ``file``, and update the trends that they belong to."""
    with incoming(file, for_import=True) as cursor:
        updated = _match(cursor, lock=True).updated
        cursor.execute(_RECORD_MERGED, [revision.pk, 0, Change.Kind.DELETED])
        places = cursor.rowcount
        cursor.execute(_MOVE_HISTORY)
        cursor.execute(_RECORD_UPDATED, [revision.pk, places, Change.Kind.UPDATED])
        places += cursor.rowcount
        cursor.execute(_DELETE_MERGED)  # first: one of them may have the values that the newest one gets
        cursor.execute(_UPDATE, [revision.run_id])
        cursor.execute(_INSERT, [revision.run_id, revision.pk, places])
        created = cursor.rowcount
        cursor.execute("DROP TABLE trends_latest, trends_matched")
    return Stored(created=created, updated=updated)


def count_rows(file: BinaryIO, *, listed: int = 0) -> Stored:
    """Return what :func:`update_rows` would store, with the first ``listed`` created and updated trends."""
    with incoming(file, for_import=False) as cursor:
        stored = _match(cursor, lock=False)
        if listed:
            stored = replace(stored, created_trends=_created(cursor, listed), updated_trends=_updated(cursor, listed))
        cursor.execute("DROP TABLE trends_latest, trends_matched")
    return stored


def _match(cursor: Any, *, lock: bool) -> Stored:
    """Find the stored trends of the incoming rows, and count what these will do."""
    cursor.execute(_LATEST)
    cursor.execute("ANALYZE trends_latest")
    cursor.execute(_MATCHED % ("FOR UPDATE OF t" if lock else ""))
    cursor.execute(_COUNTS)
    created, updated = cursor.fetchone()
    return Stored(created=created, updated=updated)


def _created(cursor: Any, limit: int) -> list[dict[str, Any]]:
    cursor.execute(_LIST_CREATED, [limit])
    return [dict(zip(COLUMNS, row, strict=True)) for row in cursor]


def _updated(cursor: Any, limit: int) -> list[UpdatedTrend]:
    cursor.execute(_LIST_UPDATED, [limit])
    return [
        UpdatedTrend(
            values=dict(zip(COLUMNS, row[: len(COLUMNS)], strict=True)),
            before=dict(zip(UPDATED, row[len(COLUMNS) : -1], strict=True)),
            merged=row[-1],
        )
        for row in cursor
    ]
