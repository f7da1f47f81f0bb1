"""The requests that clients send most find their rows by an index, so they do not get slower as tables grow."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from ..conftest import Client
from ..factories import UserFactory


def scanned_tables() -> dict[str, int]:
    """Return how often this transaction has read each table from its beginning."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, seq_scan FROM pg_stat_xact_user_tables WHERE seq_scan > 0")
        return dict(cursor.fetchall())


REQUESTS: dict[str, Callable[[Client, dict[str, Any]], Any]] = {
    "create a note": lambda client, _: client.post("/api/v1/notes/", {"title": "Trip"}),
    "list the notes": lambda client, _: client.get("/api/v1/notes/"),
    "read a note": lambda client, known: client.get(f"/api/v1/notes/{known['note']}/"),
    "edit a note": lambda client, known: client.patch(f"/api/v1/notes/{known['note']}/", {"title": "Travel"}),
    "delete a note": lambda client, known: client.delete(f"/api/v1/notes/{known['note']}/"),
    "send a message": lambda client, known: client.post(
        "/api/v1/messages/", {"body": "Hello", "recipients": [known["other"]]}
    ),
    "list the messages": lambda client, _: client.get("/api/v1/messages/"),
    "list the contacts": lambda client, _: client.get("/api/v1/contacts/"),
    "list the trends": lambda client, _: client.get("/api/v1/trends/"),
    "read the profile": lambda client, _: client.get("/api/v1/auth/profile/"),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_frequent_request_reads_no_table_from_its_beginning(signed_in: Client, name: str) -> None:
    other: Any = UserFactory()
    note = signed_in.post("/api/v1/notes/", {"title": "First"}).json()["id"]
    known = {"note": note, "other": other.usercode}
    # Small tables are scanned because it is faster, unless the planner may not: then only what has no index is scanned.
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; DISCARD PLANS")
    before = scanned_tables()
    response = REQUESTS[name](signed_in, known)
    assert response.status_code < 300, response.content
    scanned = {table for table, count in scanned_tables().items() if count > before.get(table, 0)}
    assert scanned == set()
