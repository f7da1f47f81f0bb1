"""Two locks of Postgres: one that orders all decisions about keys, and one that says "somebody is at this file".

Both end with the connection of whoever holds them, so a killed worker's are free at once and nothing has to expire.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.db import Error, connection

_WINDOW = 0x61747269_00000001  # "atri" and a number: advisory locks share one namespace a database
_FILE = 0x6174_0001  # the first half of a two-part key

# A process that is stopped, or on a machine that hangs, must not hold up everybody: Postgres then ends its session.
STALLED_IN_TRANSACTION = "15s"
STALLED_BETWEEN = "60s"
LONGEST_WAIT = "60s"


def take_window() -> None:
    """Wait for the turn to decide about keys, until this transaction's end.

    In a statement of its own: under READ COMMITTED the next statement then sees what the one before in line committed.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('idle_in_transaction_session_timeout', %s, true), set_config('lock_timeout', %s, true)",
            [STALLED_IN_TRANSACTION, LONGEST_WAIT],
        )
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_WINDOW])


def lock_file(upload_id: int) -> None:
    """Hold the file for this session; waits for whoever holds it now. End it with :func:`unlock_file`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s, %s)", [_FILE, _half(upload_id)])


def unlock_file(upload_id: int) -> None:
    with suppress(Error), connection.cursor() as cursor:  # a broken connection has let go of it already
        cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_FILE, _half(upload_id)])


@contextmanager
def trying_file(upload_id: int) -> Iterator[bool]:
    """Hold the file within the block if nobody else does; says whether."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_FILE, _half(upload_id)])
        held = cursor.fetchone()[0]
        if held:
            cursor.execute("SELECT set_config('idle_session_timeout', %s, false)", [STALLED_BETWEEN])
    try:
        yield held
    finally:
        if held:
            unlock_file(upload_id)
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute("RESET idle_session_timeout")


def _half(upload_id: int) -> int:
    """The id as the signed 32 bits of a two-part key; two files 2**32 apart would only wait for each other."""
    return (upload_id + 2**31) % 2**32 - 2**31
