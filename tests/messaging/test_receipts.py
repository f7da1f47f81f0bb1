from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now

from messaging.models import Message
from messaging.services.broadcasts import fan_out_broadcasts

from .people import URL, NewPerson, Person


def test_only_the_sender_sees_who_got_and_read_it(ada: Person, bob: Person, eve: Person) -> None:
    sent = ada.send("Hello", bob, eve)
    recipients = f"{URL}{sent['id']}/recipients/"
    rows = ada.client.get(recipients).json()["results"]
    assert rows == [
        {"usercode": bob.code, "username": "bob", "delivered_at": None, "read_at": None},
        {"usercode": eve.code, "username": "eve", "delivered_at": None, "read_at": None},
    ]
    bob.history()
    bob.client.post(f"{URL}{sent['id']}/read/")
    eve.history()
    his, hers = ada.client.get(recipients).json()["results"]
    assert his["read_at"]
    assert his["delivered_at"]
    assert hers["delivered_at"]
    assert hers["read_at"] is None
    assert bob.client.get(recipients).json()["results"] == [
        {"usercode": bob.code, "username": "bob"},
        {"usercode": eve.code, "username": "eve"},
    ]
    assert ada.history()[0]["recipients"][0]["read_at"] == his["read_at"]
    assert bob.history()[0]["recipients"] == [
        {"usercode": bob.code, "username": "bob"},
        {"usercode": eve.code, "username": "eve"},
    ]


def test_reading_again_keeps_the_first_time(ada: Person, bob: Person) -> None:
    sent = ada.send("Hello", bob)
    bob.client.post(f"{URL}{sent['id']}/read/")
    first = bob.history()[0]["read_at"]
    assert bob.client.post(f"{URL}{sent['id']}/read/").json() == {"unread": 0}
    assert bob.history()[0]["read_at"] == first


def test_unread_counts_are_listed_by_sender(ada: Person, bob: Person, eve: Person) -> None:
    for n in range(3):
        ada.send(str(n), bob)
    last = eve.send("from eve", bob)
    response = bob.client.get(f"{URL}unread/").json()
    assert response["total"] == 4
    assert [(each["username"], each["usercode"], each["count"]) for each in response["by_sender"]] == [
        ("eve", eve.code, 1),
        ("ada", ada.code, 3),
    ]
    assert bob.client.post(f"{URL}{last['id']}/read/").json() == {"unread": 3}


def test_messages_up_to_one_are_marked_as_read(ada: Person, bob: Person) -> None:
    ids = [ada.send(str(n), bob)["id"] for n in range(5)]
    response = bob.client.post(f"{URL}read/", {"up_to": ids[2]}, format="json")
    assert (response.status_code, response.json()) == (200, {"unread": 2})
    assert bob.client.post(f"{URL}read/", {"up_to": ids[4]}, format="json").json() == {"unread": 0}


def test_reading_one_persons_messages_leaves_others_unread(ada: Person, bob: Person, eve: Person) -> None:
    ada.send("from ada", bob)
    last = eve.send("from eve", bob)
    response = bob.client.post(f"{URL}read/", {"up_to": last["id"], "with": ada.code}, format="json")
    assert response.json() == {"unread": 1}
    assert bob.bodies(unread=True) == ["from eve"]


def test_nobody_can_mark_messages_of_others_as_read(ada: Person, bob: Person, eve: Person) -> None:
    sent = ada.send("Hello", bob)
    eve.client.post(f"{URL}read/", {"up_to": sent["id"]}, format="json")
    ada.client.post(f"{URL}{sent['id']}/read/")
    assert bob.unread() == 1


@pytest.mark.parametrize(
    "data", [{}, {"up_to": "x"}, {"up_to": -1}, {"up_to": 10**30}, {"up_to": None}, {"up_to": 1, "with": "ZZZZZZ"}, []]
)
def test_invalid_read_requests_are_rejected(ada: Person, data: Any) -> None:
    assert ada.client.post(f"{URL}read/", data, format="json").status_code == 400


def test_unread_needs_few_queries(ada: Person, bob: Person, person: NewPerson, django_assert_num_queries: Any) -> None:
    for n in range(5):
        person(f"p{n}").send("x", bob)
    with django_assert_num_queries(2):
        bob.client.get(f"{URL}unread/")


# --- Deleting ---------------------------------------------------------------------------------------------------------


def test_a_deleted_message_leaves_a_tombstone(ada: Person, bob: Person) -> None:
    sent = ada.send("Oops", bob)
    assert ada.client.delete(f"{URL}{sent['id']}/").status_code == 204
    for who in (ada, bob):
        [message] = who.history()
        assert message["body"] == ""
        assert message["deleted_at"]
    assert ada.client.delete(f"{URL}{sent['id']}/").status_code == 204


def test_a_deleted_message_leaves_the_unread_counts(ada: Person, bob: Person) -> None:
    sent = ada.send("Oops", bob)
    ada.send("Still here", bob)
    ada.client.delete(f"{URL}{sent['id']}/")
    assert bob.unread() == 1
    assert bob.bodies(unread=True) == ["Still here"]
    [conversation] = bob.client.get("/api/v1/conversations/").json()["results"]
    assert conversation["unread"] == 1
    assert bob.client.post(f"{URL}{sent['id']}/read/").json() == {"unread": 1}
    [tombstone] = [each for each in ada.history() if each["deleted_at"]]
    assert tombstone["recipients"][0]["read_at"] is None


def test_a_broadcast_deleted_before_its_fan_out_is_not_unread(ada: Person, bob: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    sent = ada.send("Oops")
    ada.client.delete(f"{URL}{sent['id']}/")
    assert fan_out_broadcasts() == 1
    assert bob.unread() == 0
    assert bob.bodies() == [""]


def test_only_the_sender_can_delete_a_message(ada: Person, bob: Person) -> None:
    sent = ada.send("Mine", bob)
    response = bob.client.delete(f"{URL}{sent['id']}/")
    assert response.status_code == 403
    assert response.json()["errors"][0]["code"] == "not_the_sender"
    assert bob.bodies() == ["Mine"]


def test_a_message_cannot_be_deleted_after_15_minutes(ada: Person, bob: Person) -> None:
    sent = ada.send("Said", bob)
    Message.objects.update(created_at=Now() - timedelta(minutes=15, seconds=1))
    response = ada.client.delete(f"{URL}{sent['id']}/")
    assert response.status_code == 409
    assert response.json()["errors"][0]["code"] == "too_late"
    assert bob.bodies() == ["Said"]
