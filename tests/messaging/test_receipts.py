from datetime import timedelta

import pytest
from django.db.models.functions import Now

from messaging.models import Message

from .people import URL


def test_the_sender_alone_sees_who_got_and_read_it(ada, bob, eve):
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


def test_the_first_reading_is_the_one_that_counts(ada, bob):
    sent = ada.send("Hello", bob)
    bob.client.post(f"{URL}{sent['id']}/read/")
    first = bob.history()[0]["read_at"]
    assert bob.client.post(f"{URL}{sent['id']}/read/").json() == {"unread": 0}
    assert bob.history()[0]["read_at"] == first


def test_unread_counts_come_by_sender(ada, bob, eve):
    for n in range(3):
        ada.send(str(n), bob)
    last = eve.send("from eve", bob)
    answer = bob.client.get(f"{URL}unread/").json()
    assert answer["total"] == 4
    assert [(each["username"], each["usercode"], each["count"]) for each in answer["by_sender"]] == [
        ("eve", eve.code, 1),
        ("ada", ada.code, 3),
    ]
    assert bob.client.post(f"{URL}{last['id']}/read/").json() == {"unread": 3}


def test_reading_up_to_a_message(ada, bob):
    ids = [ada.send(str(n), bob)["id"] for n in range(5)]
    answer = bob.client.post(f"{URL}read/", {"up_to": ids[2]}, format="json")
    assert (answer.status_code, answer.json()) == (200, {"unread": 2})
    assert bob.client.post(f"{URL}read/", {"up_to": ids[4]}, format="json").json() == {"unread": 0}


def test_reading_one_persons_messages_leaves_the_others(ada, bob, eve):
    ada.send("from ada", bob)
    last = eve.send("from eve", bob)
    answer = bob.client.post(f"{URL}read/", {"up_to": last["id"], "with": ada.code}, format="json")
    assert answer.json() == {"unread": 1}
    assert bob.bodies(unread=True) == ["from eve"]


def test_nobody_reads_for_somebody_else(ada, bob, eve):
    sent = ada.send("Hello", bob)
    eve.client.post(f"{URL}read/", {"up_to": sent["id"]}, format="json")
    ada.client.post(f"{URL}{sent['id']}/read/")
    assert bob.unread() == 1


@pytest.mark.parametrize(
    "data", [{}, {"up_to": "x"}, {"up_to": -1}, {"up_to": 10**30}, {"up_to": None}, {"up_to": 1, "with": "ZZZZZZ"}, []]
)
def test_what_cannot_be_read_is_refused(ada, data):
    assert ada.client.post(f"{URL}read/", data, format="json").status_code == 400


def test_unread_needs_few_queries(ada, bob, person, django_assert_num_queries):
    for n in range(5):
        person(f"p{n}").send("x", bob)
    with django_assert_num_queries(2):
        bob.client.get(f"{URL}unread/")


# --- Deleting ---------------------------------------------------------------------------------------------------------


def test_a_message_taken_back_leaves_a_tombstone(ada, bob):
    sent = ada.send("Oops", bob)
    assert ada.client.delete(f"{URL}{sent['id']}/").status_code == 204
    for who in (ada, bob):
        [message] = who.history()
        assert message["body"] == ""
        assert message["deleted_at"]
    assert ada.client.delete(f"{URL}{sent['id']}/").status_code == 204


def test_only_the_sender_takes_a_message_back(ada, bob):
    sent = ada.send("Mine", bob)
    answer = bob.client.delete(f"{URL}{sent['id']}/")
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["code"] == "not_the_sender"
    assert bob.bodies() == ["Mine"]


def test_after_a_quarter_of_an_hour_it_stays(ada, bob):
    sent = ada.send("Said", bob)
    Message.objects.update(created_at=Now() - timedelta(minutes=15, seconds=1))
    answer = ada.client.delete(f"{URL}{sent['id']}/")
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["code"] == "too_late"
    assert bob.bodies() == ["Said"]
