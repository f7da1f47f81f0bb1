import threading
import time

import psycopg2
import pytest
from django.db import connection, connections

from accounts.models import User
from config import claims, wire
from config.caching import redis_client
from config.models import OutgoingEvent
from messaging import services
from messaging.models import BroadcastBatch, Message, MessageRecipient

from ..conftest import Client
from ..factories import UserFactory
from ..waiting import wait_until
from .people import URL, Person
from .test_presence import away


def test_a_broadcast_goes_to_those_online_but_oneself(ada, bob, eve):
    for each in (ada, bob, eve):
        each.beat()
    away(eve)
    sent = ada.send("Hello, everybody")
    assert sent["broadcast"]
    assert sent["recipients"] == [{"usercode": bob.code, "username": "bob", "delivered_at": None, "read_at": None}]
    assert sent["recipient_count"] == 1


def test_a_broadcast_is_there_before_the_worker_has_made_its_rows(ada, bob, eve):
    for each in (ada, bob):
        each.beat()
    sent = ada.send("Hello, everybody")
    assert bob.bodies() == bob.bodies(**{"with": ada.code}) == bob.bodies(broadcast=True) == ["Hello, everybody"]
    assert ada.bodies(**{"with": bob.code}) == ["Hello, everybody"]
    assert bob.client.get(f"{URL}{sent['id']}/").status_code == 200
    assert [r["username"] for r in ada.client.get(f"{URL}{sent['id']}/recipients/").json()["results"]] == ["bob"]
    assert eve.bodies() == []
    assert eve.client.get(f"{URL}{sent['id']}/").status_code == 404


def test_who_comes_online_later_does_not_get_it(ada, bob, person):
    for each in (ada, bob):
        each.beat()
    ada.send("For those here")
    late = Person(user := UserFactory(username="late"), Client().as_user(user))
    late.beat()
    assert services.fan_out_broadcasts() == 1
    assert late.bodies() == []
    assert bob.bodies() == ["For those here"]
    assert bob.unread() == 1
    assert services.fan_out_broadcasts() == 0
    assert bob.bodies() == ["For those here"]


def test_a_broadcast_to_many_lists_the_first_hundred(ada, person):
    people = User.objects.bulk_create(
        User(username=f"guest{n}", email=f"guest{n}@example.org", usercode=f"GUE{n:03}") for n in range(130)
    )
    redis_client().zadd(wire.ONLINE, {str(each.pk): time.time() for each in people})
    sent = ada.send("All of you")
    assert sent["recipient_count"] == 130
    assert len(sent["recipients"]) == 100
    for _ in range(2):
        page = ada.client.get(f"{URL}{sent['id']}/recipients/", {"page_size": 100}).json()
        rest = ada.client.get(page["next"]).json()
        names = [each["username"] for each in page["results"] + rest["results"]]
        assert names == [each.username for each in people]
        services.fan_out_broadcasts()
    assert ada.history()[0]["recipient_count"] == 130


def test_who_is_in_a_later_batch_gets_it_no_later(ada, person, monkeypatch):
    monkeypatch.setattr(services, "BATCH", 2)
    guests = [person(f"guest{n}") for n in range(5)]
    for each in (ada, *guests):
        each.beat()
    sent = ada.send("All of you")
    names = [each.user.username for each in guests]
    for done in range(4):  # none of the three batches, some, all
        assert [guest.bodies() for guest in guests] == [["All of you"]] * 5
        assert [guest.bodies(**{"with": ada.code}) for guest in guests] == [["All of you"]] * 5
        assert {guest.client.get(f"{URL}{sent['id']}/").status_code for guest in guests} == {200}
        assert [each["username"] for each in ada.history()[0]["recipients"]] == names
        page = ada.client.get(f"{URL}{sent['id']}/recipients/").json()["results"]
        assert [each["username"] for each in page] == names
        # Whoever has a row got the message by the requests above.
        assert [each["delivered_at"] is not None for each in page] == [n < 2 * done for n in range(5)]
        claims.work_through(BroadcastBatch.objects.order_by("pk"), services._fan_out, limit=1)
    assert [guest.unread() for guest in guests] == [1] * 5
    assert MessageRecipient.objects.count() == 5


def test_accounts_deleted_before_the_fan_out_are_left_out(ada, bob, eve):
    for each in (ada, bob, eve):
        each.beat()
    ada.send("Hello")
    bob.user.delete()
    assert services.fan_out_broadcasts() == 1
    assert eve.unread() == 1


# --- What happens meanwhile -------------------------------------------------------------------------------------------


EVENTS = ["LOCK TABLE config_outgoingevent IN EXCLUSIVE MODE"]  # the last thing that a fan-out writes


def held_up(gate, *works):
    """Run each of ``works`` until it waits, for the lock that ``gate`` takes or for another of them; then let go.

    Returns for what each of them waited: a kind of lock, as Postgres calls it.
    """

    def run(work):
        try:
            work()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    keeper = psycopg2.connect(**connection.get_connection_params())
    try:
        with keeper.cursor() as cursor:
            cursor.execute(*gate)
        for waiting, thread in enumerate(threads, start=1):
            thread.start()
            wait_until(lambda n=waiting: len(locks()) == n, what=f"{waiting} waiting at the gate or for each other")
        waited_for = locks()
    finally:
        keeper.close()
    for thread in threads:
        thread.join(20)
    return waited_for


def locks():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT wait_event FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return [kind for (kind,) in cursor.fetchall()]


@pytest.mark.django_db(transaction=True)
def test_two_workers_make_the_batches_of_one_broadcast_at_the_same_time(ada, bob, eve, monkeypatch):
    monkeypatch.setattr(services, "BATCH", 1)
    for each in (ada, bob, eve):
        each.beat()
    ada.send("Both of you")
    # Both have come to the last thing they do, and neither waits for a row that the other holds.
    assert held_up(EVENTS, services.fan_out_broadcasts, services.fan_out_broadcasts) == ["relation", "relation"]
    assert set(MessageRecipient.objects.values_list("recipient_id", flat=True)) == {bob.user.pk, eve.user.pk}
    assert not BroadcastBatch.objects.filter(done_at=None).exists()


@pytest.mark.django_db(transaction=True)
def test_a_broadcast_taken_back_during_its_fan_out_is_taken_back_from_everybody(ada, bob):
    for each in (ada, bob):
        each.beat()
    sent = ada.send("Oops")
    held_up(EVENTS, services.fan_out_broadcasts, lambda: ada.client.delete(f"{URL}{sent['id']}/"))
    assert bob.history()[0]["deleted_at"]
    told = OutgoingEvent.objects.filter(user_ids__contains=[bob.user.pk], kind__in=["message", "deleted"]).order_by(
        "pk"
    )
    assert [each.kind for each in told] == ["message", "deleted"]


@pytest.mark.django_db(transaction=True)
def test_a_sender_who_leaves_during_the_fan_out_is_named_by_no_row(ada, bob):
    for each in (ada, bob):
        each.beat()
    ada.send("Farewell")
    held_up(EVENTS, services.fan_out_broadcasts, User.objects.get(pk=ada.user.pk).delete)
    assert not User.objects.filter(pk=ada.user.pk).exists()
    assert list(Message.objects.values_list("sender_id", flat=True)) == [None]
    assert list(MessageRecipient.objects.values_list("recipient_id", "sender_id")) == [(bob.user.pk, None)]
    assert bob.bodies() == ["Farewell"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_sent_any_more_in_the_name_of_somebody_who_is_leaving(ada, bob):
    answers = []
    message = {"body": "Wait for me", "recipients": [bob.code]}
    held_up(
        # The profile goes late in a deletion.
        ["SELECT 1 FROM accounts_userprofile WHERE user_id = %s FOR UPDATE", [ada.user.pk]],
        User.objects.get(pk=ada.user.pk).delete,
        lambda: answers.append(ada.client.post(URL, message, format="json").status_code),
    )
    assert answers == [409]
    assert not User.objects.filter(pk=ada.user.pk).exists()
    assert not MessageRecipient.objects.exists()
