"""``messages/?search=`` finds words in the messages that a user may see."""

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from messaging.history import History
from messaging.models import Message, MessageRecipient
from messaging.services import broadcasts

from ..conftest import Client
from .people import URL, Person


def test_every_word_must_be_in_the_text_in_any_place(ada: Person, bob: Person) -> None:
    ada.send("Lunch at one?", bob)
    ada.send("Lunch at the café on Monday", bob)
    assert bob.bodies(search="lunch") == ["Lunch at the café on Monday", "Lunch at one?"]
    assert bob.bodies(search="UNCH  mon") == bob.bodies(search="cafe") == ["Lunch at the café on Monday"]
    assert bob.bodies(search="lunch tuesday") == []
    assert len(bob.bodies(search="")) == len(bob.bodies(search=" \u200b")) == 2


@pytest.mark.parametrize(
    "text, search",
    [
        ("Встреча в среду", "встреч"),
        ("明天一起吃午饭", "午饭"),
        ("اجتماع غداً", "غدا"),
        ("100 % sure_thing", "%"),
        ("a_b", "_"),
        ("C:\\temp", "\\t"),
    ],
)
def test_it_works_in_any_script_and_takes_signs_as_text(ada: Person, bob: Person, text: str, search: str) -> None:
    ada.send(text, bob)
    ada.send("Something else", bob)
    assert bob.bodies(search=search) == [text]


def test_only_messages_that_one_may_see_are_found(ada: Person, bob: Person, eve: Person) -> None:
    ada.send("The secret plan", bob)
    eve.client.post(f"/api/v1/blocks/{ada.code}/")
    ada.send("A withheld secret", eve)
    assert ada.bodies(search="secret") == ["A withheld secret", "The secret plan"]
    assert bob.bodies(search="secret") == ["The secret plan"]
    assert eve.bodies(search="secret") == []
    assert Client().get(URL, {"search": "secret"}).status_code == 401


def test_broadcasts_are_found_before_and_after_their_receipts_exist(ada: Person, bob: Person, eve: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    ada.send("The lift works again")
    for _ in range(2):
        assert ada.bodies(search="lift") == bob.bodies(search="lift") == ["The lift works again"]
        assert eve.bodies(search="lift") == []
        broadcasts.fan_out_broadcasts()


def test_edited_messages_are_found_by_their_new_text_and_deleted_ones_not(ada: Person, bob: Person) -> None:
    edited, deleted = ada.send("Before", bob), ada.send("After all", bob)
    ada.client.patch(f"{URL}{edited['id']}/", {"body": "After"}, format="json")
    ada.client.delete(f"{URL}{deleted['id']}/")
    assert bob.bodies(search="before") == []
    assert bob.bodies(search="after") == ["After"]


def test_it_combines_with_the_other_filters_and_pages(ada: Person, bob: Person, eve: Person) -> None:
    for n in range(5):
        ada.send(f"Report {n}", bob)
    ada.send("Report of Eve", eve)
    bob.send("Report back", ada)
    assert ada.bodies(search="report", **{"with": eve.code}) == ["Report of Eve"]
    assert ada.bodies(search="report", box="inbox") == ["Report back"]
    first = bob.client.get(URL, {"search": "report", "page_size": 4}).json()
    assert [each["body"] for each in first["results"]] == ["Report back", "Report 4", "Report 3", "Report 2"]
    second = bob.client.get(first["next"]).json()
    assert [each["body"] for each in second["results"]] == ["Report 1", "Report 0"]


@pytest.mark.parametrize(
    "search, error",
    [
        ("x" * 501, "max_length"),
        ("e" + "\u0301" * 31, "too_many_marks"),
        (" ".join(map(str, range(21))), "too_many_words"),
    ],
)
def test_an_invalid_search_is_400(ada: Person, search: str, error: str) -> None:
    response = ada.client.get(URL, {"search": search})
    assert response.status_code == 400
    [found] = response.json()["errors"]
    assert (found["attr"], found["code"]) == ("search", error)


@pytest.mark.django_db(transaction=True)
def test_a_rare_word_is_found_by_the_index(ada: Person, bob: Person) -> None:
    now = timezone.now()
    messages = Message.objects.bulk_create(
        Message(sender=ada.user, body=f"Message number {n} about lunch", recipient_count=1, created_at=now)
        for n in range(5000)
    )
    MessageRecipient.objects.bulk_create(
        MessageRecipient(message=each, recipient=bob.user, sender=ada.user) for each in messages
    )
    rare = ada.send("The zeppelin lands", bob)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE messaging_message")
        cursor.execute("VACUUM ANALYZE messaging_messagerecipient")
    for reader, peer in ((ada, None), (bob, None), (ada, bob), (bob, ada)):
        options: dict[str, Any] = {"peer": peer and peer.user, "search": "zeppelin"}
        plans = [
            each.order_by("-position").values_list("position", flat=True)[:51].explain()
            for each in History(reader.user, **options).ranges
        ]
        assert any("message_search" in plan for plan in plans), plans
        assert not any("Seq Scan on messaging_message" in plan for plan in plans), plans
        assert History(reader.user, **options).ids(limit=51) == [rare["id"]]
