"""``changed_since`` lists edits and deletions, for clients that missed their events."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from messaging.history import History
from messaging.models import Message, MessageRecipient
from messaging.services import broadcasts

from ..conftest import Client
from .people import URL, Person


def delete(sender: Person, message: dict[str, Any]) -> None:
    assert sender.client.delete(f"{URL}{message['id']}/").status_code == 204


def changed(person: Person, *, minutes_ago: int = 1, **query: Any) -> list[int]:
    """Return the ids of the messages that changed for ``person`` since then."""
    since = timezone.now() - timedelta(minutes=minutes_ago)
    return [message["id"] for message in person.history(changed_since=since.isoformat(), **query)]


def test_the_sender_and_the_recipient_see_a_deletion_and_a_stranger_does_not(
    ada: Person, bob: Person, eve: Person
) -> None:
    gone = ada.send("Oops", bob)
    ada.send("This stays", bob)
    delete(ada, gone)
    assert changed(ada) == changed(bob) == [gone["id"]]
    assert changed(eve) == []
    [tombstone] = bob.history(changed_since="2026-01-01T00:00:00Z")
    assert tombstone["body"] == ""
    assert tombstone["deleted_at"]


def test_a_deletion_is_listed_from_its_instant_on(ada: Person, bob: Person) -> None:
    gone = ada.send("Oops", bob)
    delete(ada, gone)
    [tombstone] = bob.history()
    at = parse_datetime(tombstone["deleted_at"])
    assert at is not None
    assert [each["id"] for each in bob.history(changed_since=at.isoformat())] == [gone["id"]]
    assert bob.history(changed_since=(at + timedelta(microseconds=1)).isoformat()) == []


def test_a_deleted_message_that_was_withheld_stays_unknown(ada: Person, bob: Person) -> None:
    bob.client.post(f"/api/v1/blocks/{ada.code}/")
    gone = ada.send("Oops", bob)
    delete(ada, gone)
    assert changed(bob) == []
    assert changed(ada) == [gone["id"]]


def test_a_deleted_broadcast_is_listed_before_and_after_its_receipts_exist(ada: Person, bob: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    gone = ada.send("Oops")
    delete(ada, gone)
    assert changed(bob) == [gone["id"]]
    broadcasts.fan_out_broadcasts()
    assert changed(bob) == changed(ada) == [gone["id"]]


def test_it_can_be_combined_with_other_filters_and_pages(ada: Person, bob: Person, eve: Person) -> None:
    sent = [ada.send(str(n), bob if n < 3 else eve) for n in range(4)]
    for each in sent:
        delete(ada, each)
    ids = [each["id"] for each in sent]
    assert changed(ada, **{"with": bob.code}) == ids[2::-1]
    assert changed(ada, box="inbox") == []
    assert changed(ada, after=ids[1]) == ids[2:]
    query = {"changed_since": "2026-01-01T00:00:00+00:00", "page_size": 3}
    page = ada.client.get(URL, query).json()
    assert [each["id"] for each in page["results"]] == ids[:0:-1]
    page = ada.client.get(page["next"]).json()
    assert [each["id"] for each in page["results"]] == ids[:1]


def test_edits_are_listed_with_their_new_text(ada: Person, bob: Person, eve: Person) -> None:
    edited, deleted = ada.send("Helo", bob), ada.send("Oops", bob)
    ada.send("This stays", bob)
    assert ada.client.patch(f"{URL}{edited['id']}/", {"body": "Hello"}, format="json").status_code == 200
    delete(ada, deleted)
    assert changed(ada) == changed(bob) == [deleted["id"], edited["id"]]
    assert changed(eve) == []
    _, shown = bob.history(changed_since="2026-01-01T00:00:00Z")
    assert shown["body"] == "Hello"
    at = parse_datetime(shown["edited_at"])
    assert at is not None
    assert edited["id"] not in changed(bob, minutes_ago=-1)


@pytest.mark.parametrize("instant", ["yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "1", "\x00"])
def test_an_invalid_instant_is_400(ada: Person, instant: str) -> None:
    response = ada.client.get(URL, {"changed_since": instant})
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "changed_since"


def test_it_requires_a_signed_in_user(api: Client) -> None:
    assert api.get(URL, {"changed_since": "2026-01-01T00:00:00Z"}).status_code == 401


@pytest.mark.django_db(transaction=True)
def test_the_cost_depends_on_the_changes_not_on_the_history(ada: Person, bob: Person) -> None:
    now = timezone.now()
    messages = Message.objects.bulk_create(
        Message(sender=ada.user, body="x", recipient_count=1, created_at=now) for _ in range(5000)
    )
    MessageRecipient.objects.bulk_create(
        MessageRecipient(message=each, recipient=bob.user, sender=ada.user) for each in messages
    )
    delete(ada, {"id": messages[7].pk})
    ada.client.patch(f"{URL}{messages[9].pk}/", {"body": "y"}, format="json")
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE messaging_message")
        cursor.execute("VACUUM ANALYZE messaging_messagerecipient")
    for reader, peer in ((ada, None), (bob, None), (ada, bob), (bob, ada)):
        history = History(reader.user, peer=peer and peer.user, changed_since=now - timedelta(minutes=1))
        for each in history.ranges:
            plan = each.order_by("-position").values_list("position", flat=True)[:51].explain(analyze=True)
            assert "Seq Scan on messaging_messagerecipient" not in plan, plan
            assert "Seq Scan on messaging_message " not in plan, plan
        assert history.ids(limit=51) == [messages[9].pk, messages[7].pk]
