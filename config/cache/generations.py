"""Generations: numbers in Postgres that are part of the key of a cached response.

A write increments the number in its own transaction, so that old bytes are invalid from the commit on. The number is
the sum of several rows, so that concurrent writers of one scope rarely wait for each other's commit
(docs/decisions/generations-in-postgres.md).
"""

from django.db import connection, transaction

from config.db import prepared
from config.db.first_query import first_query

# A writer increments the row of its Postgres connection. With fewer rows more writers wait; more make reads slower.
SLOTS = 32
# The parameter is a sorted array of scopes.
INCREMENT = f"""
INSERT INTO config_cachegeneration AS stored (scope, slot, value)
SELECT scope, pg_backend_pid() %% {SLOTS}, 1 FROM unnest(%s::text[]) AS scope ORDER BY scope
ON CONFLICT (scope, slot) DO UPDATE SET value = stored.value + 1
"""  # noqa: S608
# The parameter is a scope.
CURRENT = "SELECT coalesce(sum(value), 0)::bigint FROM config_cachegeneration WHERE scope = %s"


def invalidate(*scopes: str) -> None:
    """Invalidate everything cached under ``scopes`` when this transaction commits. Call it last, inside ``atomic``.

    All writers lock the rows in the same order, so that two of them never wait for each other. Deferred foreign keys
    are checked first: checked at the commit, they would lock referenced rows after the generation, and another writer
    that holds such a row and waits for the generation would be in a deadlock with this one.
    """
    if not scopes:
        return
    with connection.cursor() as cursor:
        cursor.execute(f"SET CONSTRAINTS ALL IMMEDIATE; {INCREMENT}", [sorted(set(scopes))])


def delete_after_commit(scope: str) -> None:
    """Delete the rows of ``scope`` after this transaction, which deletes the only user who could ask for it."""
    transaction.on_commit(lambda: _delete(scope))


def _delete(scope: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM config_cachegeneration WHERE scope = %s", [scope])


def current_generation(scope: str) -> int:
    """Return the generation of ``scope``, 0 if nothing was ever written."""
    return first_query(lambda: _generation(scope))


def _generation(scope: str) -> int:
    with connection.cursor() as cursor:
        prepared.execute(cursor, CURRENT, [scope])
        return cursor.fetchone()[0]
