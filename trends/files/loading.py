"""Load rows into Postgres: ``COPY`` into a temporary table, then one ``INSERT`` that skips stored rows.

:mod:`trends.services.updating` uses the same temporary table to update stored trends.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from django.db import connection, transaction

from config.db import locks
from config.db.copy import copy_text

from ..models import Change, Revision, Trend
from .columns import COLUMNS, COUNTS, Row

CHUNK = 1 << 20  # bytes sent to the server at a time
NAMES = ", ".join(COLUMNS)
VALUES = [f"nullif({name}, '')::integer" if name in COUNTS else name for name in COLUMNS]
DIGEST = "public.trends_fingerprint({})".format(
    ", ".join(f"{value}::text" if name in COUNTS else value for name, value in zip(COLUMNS, VALUES, strict=True))
)
TRENDS, CHANGES = Trend._meta.db_table, Change._meta.db_table
# Records what a common table expression ``new`` has inserted. Parameters: revision, number of its earlier changes.
RECORD_CREATED = (
    f"INSERT INTO {CHANGES} (revision_id, place, trend_id, history_of, kind) "  # noqa: S608
    f"SELECT %s, %s + row_number() OVER (ORDER BY id) - 1, id, id, '{Change.Kind.CREATED}' FROM new"
)

_CREATE = (
    "CREATE TEMPORARY TABLE trends_incoming (line bigint GENERATED ALWAYS AS IDENTITY, "
    + ", ".join(f"{name} text NOT NULL" for name in COLUMNS)
    + ") ON COMMIT DROP"
)
_COPY = f"COPY trends_incoming ({NAMES}) FROM STDIN"
_INSERT = (
    f"WITH new AS (INSERT INTO {TRENDS} ({NAMES}, run_id) "  # noqa: S608
    f"SELECT {', '.join(VALUES)}, %s FROM trends_incoming "
    f"ON CONFLICT (fingerprint) DO NOTHING RETURNING id) {RECORD_CREATED}"
)
_COUNT_NEW = (
    f"SELECT count(*) FROM (SELECT {DIGEST} AS digest FROM trends_incoming EXCEPT "  # noqa: S608
    f"SELECT fingerprint FROM {TRENDS}) AS incoming"
)
_LIST_NEW = f"""
SELECT {", ".join(VALUES)}
FROM (
    SELECT DISTINCT ON (digest) rows.*
    FROM (SELECT *, {DIGEST} AS digest FROM trends_incoming) AS rows
    WHERE NOT EXISTS (SELECT FROM {TRENDS} AS stored WHERE stored.fingerprint = rows.digest)
    ORDER BY digest, line
) AS new
ORDER BY line LIMIT %s
"""  # noqa: S608


def encode_rows(rows: Sequence[Row], file: BinaryIO) -> None:
    """Append ``rows`` to ``file`` in the format that :func:`incoming` reads."""
    file.write(copy_text(rows).encode())


@contextmanager
def incoming(file: BinaryIO, *, for_import: bool) -> Iterator[Any]:
    """Copy the encoded rows in ``file`` into the temporary table ``trends_incoming``, in a transaction.

    Yields a cursor. ``for_import`` waits until no other import stores rows: two imports of overlapping files would wait
    for each other's rows and deadlock.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        if for_import:
            # Millions of rows, or the wait for another import, may take longer than the worker's limits.
            cursor.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
        file.seek(0)
        cursor.execute(_CREATE)
        cursor.copy_expert(_COPY, file, CHUNK)
        if for_import:
            locks.lock("trends: insert")
        yield cursor
        cursor.execute("DROP TABLE trends_incoming")


def insert_rows(file: BinaryIO, *, revision: Revision) -> int:
    """Store the encoded rows in ``file`` that are not stored yet; returns how many were new."""
    with incoming(file, for_import=True) as cursor:
        cursor.execute(_INSERT, [revision.run_id, revision.pk, 0])
        created: int = cursor.rowcount
    return created


def count_new_rows(file: BinaryIO, *, listed: int = 0) -> tuple[int, list[dict[str, Any]]]:
    """Return how many rows :func:`insert_rows` would store, and the first ``listed`` of them."""
    with incoming(file, for_import=False) as cursor:
        cursor.execute(_COUNT_NEW)
        (count,) = cursor.fetchone()
        new = []
        if listed:
            cursor.execute(_LIST_NEW, [listed])
            new = [dict(zip(COLUMNS, row, strict=True)) for row in cursor]
    return count, new
