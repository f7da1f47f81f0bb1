"""A page of history among ten thousand messages and among ten million."""

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from django.db import connection

from accounts.models import User
from messaging.conversations import conversations_of
from messaging.history import History, unread_by_sender
from messaging.sql import message_rows

from .harness import Bench
from .messaging_sending import people

PEOPLE = 2000
SMALL, LARGE = 10_000, 10_000_000


def fill(rows: int, crowd: list[User]) -> None:
    """Insert messages between random people of ``crowd`` until there are ``rows`` of them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM messaging_messagerecipient")
        missing = rows - cursor.fetchone()[0]
        ids = [each.pk for each in crowd]
        indexes = _drop_indexes(cursor) if missing > 500_000 else []
        # Skip the checks of foreign keys: these rows are known to be valid.
        cursor.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        while missing > 0:
            batch = min(missing, 500_000)
            cursor.execute(
                """
                WITH sent AS (
                    INSERT INTO messaging_message (sender_id, body, broadcast, recipient_count, created_at)
                    SELECT (%(ids)s::bigint[])[1 + floor(random() * %(n)s)], 'Lunch at one, or later?', false, 1, now()
                    FROM generate_series(1, %(batch)s)
                    RETURNING id, sender_id
                )
                INSERT INTO messaging_messagerecipient
                    (message_id, recipient_id, sender_id, broadcast, withheld, delivered_at, read_at)
                SELECT id, (%(ids)s::bigint[])[1 + floor(random() * %(n)s)], sender_id, false, false, now(),
                    CASE WHEN random() < 0.99 THEN now() END
                FROM sent
                """,
                {"ids": ids, "n": len(ids), "batch": batch},
            )
            missing -= batch
        cursor.execute("RESET session_replication_role; RESET synchronous_commit; SET maintenance_work_mem = '256MB'")
        for definition in indexes:
            cursor.execute(definition)
        cursor.execute("VACUUM ANALYZE messaging_message")
        cursor.execute("VACUUM ANALYZE messaging_messagerecipient")
        cursor.execute("CHECKPOINT")


def _drop_indexes(cursor: Any) -> list[str]:
    """Drop the indexes that are faster to rebuild than to update; returns their definitions."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('messaging_message', "
        "'messaging_messagerecipient') AND indexdef NOT LIKE 'CREATE UNIQUE%'"
    )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in found]


# What a client reads, by name: for a user, one of their peers, and the id of a message in the middle of all.
KINDS: dict[str, Callable[[User, User, int], Any]] = {
    "newest page": lambda user, peer, middle: History(user).ids(limit=51),
    "page from the middle": lambda user, peer, middle: History(user).ids(limit=51, before=middle),
    "after an id": lambda user, peer, middle: History(user).ids(limit=51, after=middle, oldest=True),
    "inbox": lambda user, peer, middle: History(user, box="inbox").ids(limit=51),
    "sent": lambda user, peer, middle: History(user, box="sent").ids(limit=51),
    "one conversation": lambda user, peer, middle: History(user, peer=peer).ids(limit=51),
    "unread": lambda user, peer, middle: History(user, unread=True).ids(limit=51),
    "unread counts": lambda user, peer, middle: unread_by_sender(user),
    "conversations": lambda user, peer, middle: conversations_of(user),
    "newest page, as JSON": lambda user, peer, middle: message_rows(*History(user).sql(limit=51), user),
}


def middle_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT (min(id) + max(id)) / 2 FROM messaging_message")
        return cursor.fetchone()[0]


def pages(crowd: list[User]) -> dict[str, float]:
    """Return the median milliseconds of a page of each kind, each for another user."""
    middle = middle_id()
    medians = {}
    for name, ask in KINDS.items():
        chosen = random.Random(7)
        times = []
        for n in range(220):
            user, peer = chosen.sample(crowd, 2)
            started = time.perf_counter()
            ask(user, peer, middle)
            if n >= 20:
                times.append(time.perf_counter() - started)
        medians[name] = statistics.median(times) * 1000
    return medians


def run(bench: Bench) -> None:
    large = 200_000 if bench.quick else LARGE
    crowd = people(PEOPLE, "writer")
    # With ten thousand rows only fifty people write, so that their pages are as long as those of 2,000 people later.
    fill(SMALL, crowd[:50])
    small = pages(crowd[:50])
    fill(large, crowd)
    grown = pages(crowd)
    bench.table(
        f"A page of history, median ms: {SMALL:,} rows and {large:,}",
        ("", f"{SMALL:,}", f"{large:,}", "ratio"),
        [(name, f"{small[name]:.2f}", f"{grown[name]:.2f}", f"{grown[name] / small[name]:.2f}") for name in small],
    )
