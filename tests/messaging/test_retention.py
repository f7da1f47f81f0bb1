"""Messages that are older than ``MESSAGE_DAYS``."""

from collections.abc import Callable
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connections, transaction
from django.db.models.functions import Now

from config.retention import delete_old_rows
from config.tasks import delete_expired_rows
from messaging import sql
from messaging.models import BroadcastBatch, Message, MessageRecipient
from messaging.services import broadcasts, retention

from .people import URL, NewPerson, Person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def thirty_days(settings: Any) -> None:
    settings.MESSAGE_DAYS = 30


def grow_old(*messages: dict[str, Any], days: int = 31) -> None:
    ids = [message["id"] for message in messages]
    Message.objects.filter(pk__in=ids).update(created_at=Now() - timedelta(days=days))


def test_messages_stay_for_ever_by_default(ada: Person, bob: Person, settings: Any) -> None:
    settings.MESSAGE_DAYS = 0
    grow_old(ada.send("old", bob), days=4000)
    delete_expired_rows()
    assert bob.bodies() == ["old"]


def test_an_old_message_is_gone_for_sender_and_recipients(ada: Person, bob: Person, eve: Person) -> None:
    old, young = ada.send("old", bob, eve), ada.send("young", bob)
    grow_old(old)
    grow_old(young, days=29)
    assert (bob.unread(), eve.unread()) == (2, 1)
    delete_expired_rows()
    for person, left in ((ada, ["young"]), (bob, ["young"]), (eve, [])):
        assert person.bodies() == left
        assert person.client.get(f"{URL}{old['id']}/").status_code == 404
    assert (bob.unread(), eve.unread()) == (1, 0)
    assert [each["last_message"]["body"] for each in bob.client.get("/api/v1/conversations/").json()["results"]] == [
        "young"
    ]
    assert eve.client.get("/api/v1/conversations/").json()["results"] == []
    assert bob.client.get(URL, {"search": "old"}).json()["results"] == []


def test_a_reader_reads_on_from_a_deleted_message(ada: Person, bob: Person) -> None:
    old = ada.send("old", bob)
    ada.send("young", bob)
    grow_old(old)
    delete_expired_rows()
    assert bob.bodies(after=old["id"]) == ["young"]
    answer = bob.client.post(f"{URL}read/", {"up_to": old["id"]}, format="json")
    assert (answer.status_code, bob.unread()) == (200, 1)


def test_a_broadcast_is_deleted_in_batches(ada: Person, person: NewPerson, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "OLD_RECEIPTS", 2)
    for number in range(5):
        person(f"p{number}").heartbeat()
    old = ada.send("to all")
    broadcasts.fan_out_broadcasts()
    grow_old(old)
    deleted = []
    while count := retention.delete_expired_messages():
        deleted.append(count)
    assert deleted == [2, 2, 2]  # the last one is a receipt and the message
    assert not (Message.objects.exists() or MessageRecipient.objects.exists() or BroadcastBatch.objects.exists())


def test_a_broadcast_that_is_still_fanned_out_stays(ada: Person, bob: Person) -> None:
    bob.heartbeat()
    grow_old(ada.send("to all"))
    delete_old_rows()
    assert Message.objects.count() == 1
    broadcasts.fan_out_broadcasts()
    delete_old_rows()
    assert Message.objects.count() == 0


def test_finished_batches_are_deleted_after_a_day_and_the_broadcast_stays(ada: Person, bob: Person) -> None:
    bob.heartbeat()
    message = ada.send("to all")
    broadcasts.fan_out_broadcasts()
    assert retention.delete_finished_batches() == 0
    BroadcastBatch.objects.update(done_at=Now() - timedelta(days=2))
    unfinished = BroadcastBatch.objects.create(message_id=message["id"], recipient_ids=[bob.user.pk])
    assert retention.delete_finished_batches() == 0, "while another batch of the broadcast is not done"
    unfinished.delete()
    assert retention.delete_finished_batches() == 1
    assert bob.bodies() == ["to all"]
    assert ada.client.get(f"{URL}{message['id']}/recipients/").json()["results"][0]["username"] == "bob"


@pytest.mark.django_db(transaction=True)
def test_a_locked_receipt_is_left_for_the_next_run(ada: Person, bob: Person, eve: Person) -> None:
    grow_old(ada.send("old", bob, eve))

    def elsewhere(work: Callable[[], Any]) -> None:
        def run() -> None:
            try:
                work()
            finally:
                connections.close_all()

        thread = Thread(target=run)
        thread.start()
        thread.join(60)
        assert not thread.is_alive(), "it waits for the lock"

    with transaction.atomic():
        list(MessageRecipient.objects.filter(recipient=bob.user).select_for_update())
        elsewhere(delete_old_rows)
        assert list(MessageRecipient.objects.values_list("recipient", flat=True)) == [bob.user.pk]
        assert Message.objects.count() == 1
    delete_old_rows()
    assert Message.objects.count() == 0
