"""Execute SQL on a server of a test."""

from typing import Any

import psycopg2


def execute(url: str, statement: str, *values: Any) -> list[tuple]:
    """Execute one statement on a connection of its own and return its rows."""
    connection = psycopg2.connect(url, connect_timeout=3)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
