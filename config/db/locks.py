"""Advisory locks that last until the end of the transaction.

Locks of a session are not offered: behind PgBouncer in transaction mode they would be held by a stranger's connection.
"""

from collections.abc import Collection, Iterable

from django.db import connection

# Every caller locks in the order of the keys, so that two transactions never wait for each other.
LOCK = """
SELECT CASE WHEN shared THEN pg_advisory_xact_lock_shared(key) ELSE pg_advisory_xact_lock(key) END
FROM (
    SELECT hashtextextended(name, 0) AS key, bool_and(shared) AS shared
    FROM unnest(%s::text[], %s::boolean[]) AS wanted (name, shared) GROUP BY 1 ORDER BY 1
) AS keys
"""


def lock(*names: str, shared: Iterable[str] = ()) -> None:
    """Wait for the locks called ``names`` and hold them until the transaction ends.

    Locks in ``shared`` may be held by several transactions at once, but not beside one that names them in ``names``.
    Call it in a separate statement, before the rows that the lock protects are read: under READ COMMITTED the next
    statement sees what the previous holder committed.
    """
    with connection.cursor() as cursor:
        cursor.execute(LOCK, lock_parameters(names, shared))


def lock_parameters(names: Collection[str], shared: Iterable[str] = ()) -> tuple[list[str], list[bool]]:
    """Return the parameters of ``LOCK``, for a caller that sends it together with its next statement."""
    together = list(shared)
    return [*names, *together], [False] * len(names) + [True] * len(together)


def try_lock(name: str) -> bool:
    """Hold the lock called ``name`` until the transaction ends if it is free; return whether it was."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        return bool(cursor.fetchone()[0])
