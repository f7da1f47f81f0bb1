"""The sender can change a message for 15 minutes, for everybody."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils.dateparse import parse_datetime

from config.models import OutgoingEvent
from config.realtime import events
from config.webhooks import publishing
from messaging.models import Message
from messaging.services import broadcasts

from ..conftest import Client
from .people import URL, Person
from .test_broadcasts import EVENTS, run_until_blocked


def edit(person: Person, message: dict[str, Any], body: object = "Lunch at two?", **more: object) -> Any:
    return person.client.patch(f"{URL}{message['id']}/", {"body": body, **more}, format="json")


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["errors"][0]["code"]


def told_of_edits() -> list[set[int]]:
    """Return who was notified of each edit."""
    return [set(each.user_ids) for each in OutgoingEvent.objects.filter(kind="edited").order_by("pk")]


def test_everybody_sees_the_new_text_and_when_it_was_edited(ada: Person, bob: Person) -> None:
    sent = ada.send("Lunch at one?", bob)
    assert sent["edited_at"] is None
    response = edit(ada, sent, "  Lunch at two? ")
    assert response.status_code == 200
    edited = response.json()
    assert edited["body"] == "Lunch at two?"
    assert edited["edited_at"] > edited["created_at"] == sent["created_at"]
    assert edited["recipients"] == sent["recipients"]
    [seen] = bob.history()
    assert (seen["body"], seen["edited_at"]) == ("Lunch at two?", edited["edited_at"])
    conversation = bob.client.get("/api/v1/conversations/").json()["results"][0]
    assert conversation["last_message"]["body"] == "Lunch at two?"
    assert bob.unread() == 1


def test_an_edited_message_stays_read(ada: Person, bob: Person) -> None:
    sent = ada.send("Lunch at one?", bob)
    bob.client.post(f"{URL}{sent['id']}/read/")
    edit(ada, sent)
    assert bob.unread() == 0
    assert bob.history()[0]["read_at"]


def test_the_sender_and_the_recipients_get_the_message_as_an_event(ada: Person, bob: Person, eve: Person) -> None:
    sent = ada.send("Lunch at one?", bob)
    edit(ada, sent)
    assert told_of_edits() == [{ada.user.pk, bob.user.pk}]
    data = OutgoingEvent.objects.get(kind="edited").data
    assert '"body":"Lunch at two?"' in data
    assert "delivered_at" not in data


def test_a_recipient_may_not_edit_and_a_stranger_finds_nothing(ada: Person, bob: Person, eve: Person) -> None:
    sent = ada.send("Mine", bob)
    assert code(edit(bob, sent)) == (403, "not_the_sender")
    assert edit(eve, sent).status_code == 404
    assert edit(eve, sent, "", nothing=1).status_code == 404
    assert Client().patch(f"{URL}{sent['id']}/", {"body": "x"}, format="json").status_code == 401
    assert bob.bodies() == ["Mine"]
    assert told_of_edits() == []


def test_a_message_cannot_be_edited_after_15_minutes(ada: Person, bob: Person) -> None:
    sent = ada.send("Said", bob)
    Message.objects.update(created_at=Now() - timedelta(minutes=14, seconds=50))
    assert edit(ada, sent).status_code == 200
    Message.objects.update(created_at=Now() - timedelta(minutes=15, seconds=1))
    assert code(edit(ada, sent, "Never")) == (409, "too_late")
    assert bob.bodies() == ["Lunch at two?"]


def test_a_deleted_message_cannot_be_edited(ada: Person, bob: Person) -> None:
    sent = ada.send("Oops", bob)
    ada.client.delete(f"{URL}{sent['id']}/")
    assert code(edit(ada, sent)) == (409, "message_deleted")
    assert bob.bodies() == [""]


@pytest.mark.parametrize("body", ["", "  ", "\u200b", "x" * 4001, None, {"a": 1}, "\x00"])
def test_an_invalid_text_is_400(ada: Person, bob: Person, body: object) -> None:
    sent = ada.send("Said", bob)
    response = edit(ada, sent, body)
    assert response.status_code == 400
    assert response.json()["errors"][0]["attr"] == "body"
    assert bob.bodies() == ["Said"]


def test_a_message_that_was_read_can_be_sent_back_whole(ada: Person, bob: Person) -> None:
    sent = ada.send("Lunch at one?", bob)
    response = ada.client.patch(f"{URL}{sent['id']}/", {**sent, "body": "Lunch at two?"}, format="json")
    assert response.status_code == 200
    assert bob.bodies() == ["Lunch at two?"]
    assert code(edit(ada, sent, "x", nonsense=1)) == (400, "unknown_field")


def test_the_same_text_changes_nothing(ada: Person, bob: Person) -> None:
    sent = ada.send("Said", bob)
    for body in ({"body": " Said "}, {}):
        response = ada.client.patch(f"{URL}{sent['id']}/", body, format="json")
        assert (response.status_code, response.json()["edited_at"]) == (200, None)
    assert told_of_edits() == []


def test_who_blocks_the_sender_since_is_not_notified(ada: Person, bob: Person, eve: Person) -> None:
    sent = ada.send("Both of you", bob, eve)
    bob.client.post(f"/api/v1/blocks/{ada.code}/")
    edit(ada, sent)
    assert told_of_edits() == [{ada.user.pk, eve.user.pk}]
    bob.client.delete(f"/api/v1/blocks/{ada.code}/")
    edit(ada, sent, "Again")
    assert told_of_edits()[1:] == [{ada.user.pk, bob.user.pk, eve.user.pk}]


def test_who_blocked_the_sender_before_never_hears_of_the_message(ada: Person, bob: Person) -> None:
    bob.client.post(f"/api/v1/blocks/{ada.code}/")
    sent = ada.send("Hello?", bob)
    bob.client.delete(f"/api/v1/blocks/{ada.code}/")
    edit(ada, sent)
    assert told_of_edits() == [{ada.user.pk}]
    assert bob.bodies() == []


def test_a_broadcast_edited_before_its_fan_out_reaches_everybody_with_the_new_text(ada: Person, bob: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    sent = ada.send("The lift is broken")
    edit(ada, sent, "The lift works")
    assert bob.bodies() == ["The lift works"]
    assert broadcasts.fan_out_broadcasts() == 1
    message = OutgoingEvent.objects.filter(kind="message", user_ids__contains=[bob.user.pk]).get()
    assert "The lift works" in message.data
    edit(ada, sent, "It works again")
    assert told_of_edits()[-1] == {ada.user.pk, bob.user.pk}


@pytest.mark.django_db(transaction=True)
def test_a_broadcast_edited_during_its_fan_out_is_edited_for_everybody(ada: Person, bob: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    sent = ada.send("Before")
    run_until_blocked(EVENTS, broadcasts.fan_out_broadcasts, lambda: edit(ada, sent, "After"))
    assert bob.bodies() == ["After"]
    kinds = OutgoingEvent.objects.filter(user_ids__contains=[bob.user.pk]).exclude(kind="resync")
    assert list(kinds.order_by("pk").values_list("kind", flat=True)) == ["message", "edited"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deletes", [False, True])
def test_two_changes_at_once_end_in_one_state(ada: Person, bob: Person, deletes: bool) -> None:
    sent = ada.send("Before", bob)
    answers: list[int] = []

    def first() -> None:
        answers.append(edit(ada, sent, "First").status_code)

    def second() -> None:
        url = f"{URL}{sent['id']}/"
        answers.append((ada.client.delete(url) if deletes else edit(ada, sent, "Second")).status_code)

    run_until_blocked(EVENTS, first, second)
    [message] = bob.history()
    changes = list(OutgoingEvent.objects.filter(kind__in=["edited", "deleted"]).order_by("pk"))
    if deletes:
        assert sorted(answers) == [200, 204]
        assert (message["body"], bool(message["deleted_at"])) == ("", True)
        assert [each.kind for each in changes] == ["edited", "deleted"]
    else:
        assert answers == [200, 200]
        assert message["body"] in changes[-1].data
        assert message["edited_at"] in changes[-1].data
        times = [parse_datetime(each.data.split('"edited_at":"')[1].split('"')[0]) for each in changes]
        assert times == sorted(times, key=str)


@pytest.mark.django_db(transaction=True)
def test_a_crash_before_the_commit_changes_nothing(ada: Person, bob: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = ada.send("Before", bob)

    def crash(*_: object) -> None:
        raise SystemExit

    monkeypatch.setattr(publishing, "publish", crash)
    with pytest.raises(SystemExit):
        edit(ada, sent)
    assert bob.bodies() == ["Before"]
    assert told_of_edits() == []


@pytest.mark.django_db(transaction=True)
def test_a_crash_after_the_commit_delays_the_event_only(
    ada: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = ada.send("Before", bob)
    with monkeypatch.context() as patched:
        patched.setattr(events, "_send_all", lambda rows: None)
        edit(ada, sent)
    assert told_of_edits() == [{ada.user.pk, bob.user.pk}]
    OutgoingEvent.objects.update(created_at=Now() - timedelta(seconds=10))
    assert events.send_pending() > 0
    assert told_of_edits() == []


def test_the_data_export_says_when_a_message_was_edited(ada: Person, bob: Person) -> None:
    edit(ada, ada.send("Before", bob))
    for person, box in ((ada, "sent"), (bob, "received")):
        [message] = person.client.get("/api/v1/auth/export/").json()["messages"][box]
        assert message["body"] == "Lunch at two?"
        assert message["edited_at"]
