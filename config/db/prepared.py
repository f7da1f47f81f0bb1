"""Statements that Postgres parses and plans once for each connection.

For the short statements that most requests consist of, that is more than half of the work: the session of a request
takes Postgres 0.16 ms instead of 0.5, the first page of notes 0.3 instead of 1.6, and a page of messages 1.7 instead
of 3.5 (docs/decisions/prepared-statements.md).
"""

import hashlib
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from django.db import DatabaseError
from psycopg2.errorcodes import (
    DUPLICATE_PREPARED_STATEMENT,
    FEATURE_NOT_SUPPORTED,
    INVALID_SQL_STATEMENT_NAME,
)
from psycopg2.extensions import adapt

# The type of a column changed since the statement was prepared, or Postgres has other statements than ``prepared``.
STALE = (FEATURE_NOT_SUPPORTED, INVALID_SQL_STATEMENT_NAME, DUPLICATE_PREPARED_STATEMENT)


def execute(cursor: Any, sql: str, parameters: Sequence[Any]) -> None:
    """Execute ``sql``, whose text must be one of few, as prepared statements.

    It may consist of several statements, which are sent together. The type of each placeholder must be clear without
    its value: write ``%s::text`` where it is not. Behind a pooler the statements are not prepared.
    """
    connection = cursor.db
    if connection.is_pooled:
        cursor.execute(sql, parameters)
        return
    statements, call = _prepared(sql)
    try:
        connection.prepare(statements)
        cursor.execute(call, parameters)
    except DatabaseError as error:
        if getattr(error.__cause__, "pgcode", None) not in STALE:
            raise
        connection.has_stale_statements = True
        if connection.in_atomic_block:  # this transaction has failed; the next one prepares them again
            raise
        connection.prepare(statements)
        cursor.execute(call, parameters)


def fixed(sql: str, parameters: Sequence[Any], variable: Collection[Any]) -> tuple[str, list[Any]]:
    """Write ``parameters`` into the text of a compiled query, except those that are in ``variable``.

    Returns the query and the remaining parameters.
    """
    texts = ["%s" if each in variable else _literal(each) for each in parameters]
    first, *rest = sql.split("%s")
    text = first + "".join(value + part for value, part in zip(texts, rest, strict=True))
    return text, [each for each in parameters if each in variable]


def _literal(value: Any) -> str:
    quoted: bytes = adapt(value).getquoted()
    return quoted.decode().replace("%", "%%")


@lru_cache(maxsize=256)
def _prepared(sql: str) -> tuple[dict[str, str], str]:
    """Return the statements to prepare by their names, and the SQL that executes them."""
    statements: dict[str, str] = {}
    calls = []
    for text in filter(None, map(str.strip, sql.split(";"))):
        if text.startswith("SET "):  # cannot be prepared
            calls.append(text)
            continue
        first, *rest = text.split("%s")
        numbered = first + "".join(f"${number}{part}" for number, part in enumerate(rest, 1))
        name = f"atrium_{hashlib.blake2b(text.encode(), digest_size=12).hexdigest()}"
        statements[name] = numbered.replace("%%", "%")
        calls.append(f"EXECUTE {name} ({', '.join(['%s'] * len(rest))})" if rest else f"EXECUTE {name}")
    return statements, "; ".join(calls)
