"""Rows into Postgres: COPY into a table of the transaction's own, then one INSERT that leaves out what is there."""

import csv
from collections.abc import Callable
from io import BytesIO, TextIOWrapper
from typing import Any, NamedTuple

from django.db import connection

from .columns import COLUMNS, COUNTS, TEXTS, Problem
from .models import Trend
from .reading import Sheet

CHUNK = 1 << 20  # bytes handed to the server at a time

_NAMES = ", ".join(COLUMNS)
_CREATE = (
    "CREATE TEMPORARY TABLE trends_incoming ("
    + ", ".join(f"{name} {'integer' if name in COUNTS else 'text NOT NULL'}" for name in COLUMNS)
    + ") ON COMMIT DROP"
)
# An empty field is NULL for a count and an empty text for the others.
_COPY = f"COPY trends_incoming ({_NAMES}) FROM STDIN WITH (FORMAT csv, FORCE_NOT_NULL ({', '.join(TEXTS)}))"
_DIGEST = "public.trends_fingerprint({})".format(
    ", ".join(f"{name}::text" if name in COUNTS else name for name in COLUMNS)
)
# Two imports of overlapping files would each wait for rows of the other. In turn they do not.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtext('trends: insert'))"
_INSERT = (
    f"INSERT INTO {Trend._meta.db_table} ({_NAMES}, run_id) SELECT {_NAMES}, %s FROM trends_incoming "  # noqa: S608
    "ON CONFLICT (fingerprint) DO NOTHING"
)
_COUNT_NEW = (
    f"SELECT count(*) FROM (SELECT {_DIGEST} AS digest FROM trends_incoming EXCEPT "  # noqa: S608
    f"SELECT fingerprint FROM {Trend._meta.db_table}) AS incoming"
)


class Counts(NamedTuple):
    total_rows: int
    created: int
    duplicates: int
    rejected: int

    @property
    def too_many_rejected(self) -> bool:
        """More than one row in ten."""
        return self.rejected * 10 > self.total_rows


def load(sheet: Sheet, *, report: Callable[[list[Problem]], None], run_id: int | None) -> Counts:
    """Store the rows of ``sheet`` for the run, within its transaction, and count them; nothing if too many are bad.

    ``report`` gets the problems as they are found. Without a run nothing is stored: what would be, is counted.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CREATE)
        good = 0
        for rows, problems in sheet.batches():
            if rows:
                cursor.copy_expert(_COPY, _encoded(rows), CHUNK)
                good += len(rows)
            if problems:
                report(problems)
        counts = Counts(sheet.total_rows, 0, 0, sheet.rejected)
        if not counts.too_many_rejected:
            created = _insert(cursor, run_id)
            counts = counts._replace(created=created, duplicates=good - created)
        cursor.execute("DROP TABLE trends_incoming")
    return counts


def _insert(cursor: Any, run_id: int | None) -> int:
    if run_id is None:
        cursor.execute(_COUNT_NEW)
        return cursor.fetchone()[0]
    cursor.execute(_ONE_AT_A_TIME)
    cursor.execute(_INSERT, [run_id])
    return cursor.rowcount


def _encoded(rows: list[tuple[str, ...]]) -> BytesIO:
    buffer = BytesIO()
    text = TextIOWrapper(buffer, encoding="utf-8", newline="")
    csv.writer(text).writerows(rows)  # CRLF: then a carriage return inside a value is quoted as well
    text.detach()
    buffer.seek(0)
    return buffer
