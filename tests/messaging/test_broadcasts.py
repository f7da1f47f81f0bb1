import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg2
import pytest
from django.db import connection, connections

from accounts.models import User
from config.cache.redis import redis_client
from config.jobs import runner
from config.models import OutgoingEvent
from config.realtime import redis_keys
from messaging.models import BroadcastBatch, Message, MessageRecipient
from messaging.services import broadcasts

from ..conftest import Client
from ..factories import UserFactory
from ..waiting import wait_until
from .people import URL, NewPerson, Person
from .test_presence import set_last_seen


def test_a_broadcast_reaches_everybody_online_except_the_sender(ada: Person, bob: Person, eve: Person) -> None:
    for each in (ada, bob, eve):
        each.heartbeat()
    set_last_seen(eve)
    sent = ada.send("Hello, everybody")
    assert sent["broadcast"]
    assert sent["recipients"] == [{"usercode": bob.code, "username": "bob", "delivered_at": None, "read_at": None}]
    assert sent["recipient_count"] == 1


def test_a_broadcast_is_visible_before_its_receipts_exist(ada: Person, bob: Person, eve: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    sent = ada.send("Hello, everybody")
    assert bob.bodies() == bob.bodies(**{"with": ada.code}) == bob.bodies(broadcast=True) == ["Hello, everybody"]
    assert ada.bodies(**{"with": bob.code}) == ["Hello, everybody"]
    assert bob.client.get(f"{URL}{sent['id']}/").status_code == 200
    assert [r["username"] for r in ada.client.get(f"{URL}{sent['id']}/recipients/").json()["results"]] == ["bob"]
    assert eve.bodies() == []
    assert eve.client.get(f"{URL}{sent['id']}/").status_code == 404


def test_a_user_who_comes_online_later_does_not_get_it(ada: Person, bob: Person, person: NewPerson) -> None:
    for each in (ada, bob):
        each.heartbeat()
    ada.send("For those here")
    late = Person(user := UserFactory(username="late"), Client().as_user(user))
    late.heartbeat()
    assert broadcasts.fan_out_broadcasts() == 1
    assert late.bodies() == []
    assert bob.bodies() == ["For those here"]
    assert bob.unread() == 1
    assert broadcasts.fan_out_broadcasts() == 0
    assert bob.bodies() == ["For those here"]


def test_a_broadcast_to_many_lists_the_first_hundred(ada: Person, person: NewPerson) -> None:
    people = User.objects.bulk_create(
        User(username=f"guest{n}", email=f"guest{n}@example.org", usercode=f"GUE{n:03}") for n in range(130)
    )
    redis_client().zadd(redis_keys.ONLINE, {str(each.pk): time.time() for each in people})
    sent = ada.send("All of you")
    assert sent["recipient_count"] == 130
    assert len(sent["recipients"]) == 100
    for _ in range(2):
        page = ada.client.get(f"{URL}{sent['id']}/recipients/", {"page_size": 100}).json()
        rest = ada.client.get(page["next"]).json()
        names = [each["username"] for each in page["results"] + rest["results"]]
        assert names == [each.username for each in people]
        broadcasts.fan_out_broadcasts()
    assert ada.history()[0]["recipient_count"] == 130


def test_recipients_in_later_batches_see_it_at_once(
    ada: Person, person: NewPerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "BATCH", 2)
    guests = [person(f"guest{n}") for n in range(5)]
    for each in (ada, *guests):
        each.heartbeat()
    sent = ada.send("All of you")
    names = [each.user.username for each in guests]
    for done in range(4):  # of the three batches
        assert [guest.bodies() for guest in guests] == [["All of you"]] * 5
        assert [guest.bodies(**{"with": ada.code}) for guest in guests] == [["All of you"]] * 5
        assert {guest.client.get(f"{URL}{sent['id']}/").status_code for guest in guests} == {200}
        assert [each["username"] for each in ada.history()[0]["recipients"]] == names
        page = ada.client.get(f"{URL}{sent['id']}/recipients/").json()["results"]
        assert [each["username"] for each in page] == names
        # The requests above have delivered the message to everybody with a receipt.
        assert [each["delivered_at"] is not None for each in page] == [n < 2 * done for n in range(5)]
        runner.run_due(BroadcastBatch.objects.order_by("pk"), broadcasts.fan_out, limit=1)
    assert [guest.unread() for guest in guests] == [1] * 5
    assert MessageRecipient.objects.count() == 5


def test_the_fan_out_skips_deleted_accounts(ada: Person, bob: Person, eve: Person) -> None:
    for each in (ada, bob, eve):
        each.heartbeat()
    ada.send("Hello")
    bob.user.delete()
    assert broadcasts.fan_out_broadcasts() == 1
    assert eve.unread() == 1


# --- Concurrency ------------------------------------------------------------------------------------------------------


EVENTS = ["LOCK TABLE config_outgoingevent IN EXCLUSIVE MODE"]  # a fan-out writes to this table last


def run_until_blocked(gate: list[Any], *works: Callable[[], object]) -> list[str]:
    """Run each of ``works`` until it waits for the lock that ``gate`` holds or for another of them; then release it.

    Returns the types of the locks they waited for, as in pg_stat_activity.
    """

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    blocker = psycopg2.connect(**connection.get_connection_params())
    try:
        with blocker.cursor() as cursor:
            cursor.execute(*gate)
        for waiting, thread in enumerate(threads, start=1):
            thread.start()
            wait_until(lambda n=waiting: len(awaited_locks()) == n, what=f"{waiting} blocked threads")
        waited = awaited_locks()
    finally:
        blocker.close()
    for thread in threads:
        thread.join(20)
    return waited


def awaited_locks() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wait_event FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return [kind for (kind,) in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
def test_two_workers_process_batches_of_one_broadcast_in_parallel(
    ada: Person, bob: Person, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broadcasts, "BATCH", 1)
    for each in (ada, bob, eve):
        each.heartbeat()
    ada.send("Both of you")
    # Both have reached their last statement, so neither waits for a row lock of the other.
    assert run_until_blocked(EVENTS, broadcasts.fan_out_broadcasts, broadcasts.fan_out_broadcasts) == [
        "relation",
        "relation",
    ]
    assert set(MessageRecipient.objects.values_list("recipient_id", flat=True)) == {bob.user.pk, eve.user.pk}
    assert not BroadcastBatch.objects.filter(done_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_a_broadcast_deleted_during_its_fan_out_is_deleted_for_everybody(ada: Person, bob: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    sent = ada.send("Oops")
    run_until_blocked(EVENTS, broadcasts.fan_out_broadcasts, lambda: ada.client.delete(f"{URL}{sent['id']}/"))
    assert bob.history()[0]["deleted_at"]
    published = OutgoingEvent.objects.filter(
        user_ids__contains=[bob.user.pk], kind__in=["message", "deleted"]
    ).order_by("pk")
    assert [each.kind for each in published] == ["message", "deleted"]


@pytest.mark.django_db(transaction=True)
def test_no_receipt_names_a_sender_deleted_during_the_fan_out(ada: Person, bob: Person) -> None:
    for each in (ada, bob):
        each.heartbeat()
    ada.send("Farewell")
    run_until_blocked(EVENTS, broadcasts.fan_out_broadcasts, User.objects.get(pk=ada.user.pk).delete)
    assert not User.objects.filter(pk=ada.user.pk).exists()
    assert list(Message.objects.values_list("sender_id", flat=True)) == [None]
    assert list(MessageRecipient.objects.values_list("recipient_id", "sender_id")) == [(bob.user.pk, None)]
    assert bob.bodies() == ["Farewell"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_for_an_account_that_is_being_deleted(ada: Person, bob: Person) -> None:
    responses = []
    message = {"body": "Wait for me", "recipients": [bob.code]}
    run_until_blocked(
        # The profile is deleted late.
        ["SELECT 1 FROM accounts_userprofile WHERE user_id = %s FOR UPDATE", [ada.user.pk]],
        User.objects.get(pk=ada.user.pk).delete,
        lambda: responses.append(ada.client.post(URL, message, format="json").status_code),
    )
    assert responses == [409]
    assert not User.objects.filter(pk=ada.user.pk).exists()
    assert not MessageRecipient.objects.exists()
