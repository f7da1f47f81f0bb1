import socket
from urllib.parse import urlsplit

import pytest

from accounts import tokens
from config import events
from config.caching import redis_client
from messaging import services

from ..conftest import Client
from ..messaging.people import Person
from ..waiting import wait_until
from .conftest import streams, ticket

EVENTS = "/api/v1/events/"


def test_a_message_reaches_both_ends_and_nobody_else(ada, bob, eve, listen):
    hers, his, other = listen(ada), listen(bob), listen(eve)
    sent = ada.send("Lunch at one?", bob)
    his.wait_for(his.bodies)
    hers.wait_for(hers.bodies)
    expected = {**sent, "recipients": [{"usercode": bob.code, "username": "bob"}]}
    assert his.of("message") == [expected]
    assert hers.of("message") == [expected]
    bob.send("Yes", eve)
    other.wait_for(other.bodies)
    assert other.bodies() == ["Yes"]


def test_every_event_has_an_id_of_its_own(ada, bob, listen):
    his = listen(bob)
    for n in range(5):
        ada.send(str(n), bob)
    his.wait_for(lambda: len(his.bodies()) == 5)
    ids = [event.id for event in his.events if event.kind == "message"]
    assert len(set(ids)) == 5
    assert all(ids)


def test_reading_is_told_to_the_sender_and_the_readers_other_window(ada, bob, listen):
    sent = ada.send("Hello", bob)
    hers, his = listen(ada), listen(bob)
    bob.client.post(f"/api/v1/messages/{sent['id']}/read/")
    hers.wait_for(lambda: hers.of("read"))
    his.wait_for(lambda: his.of("read"))
    reader = {"usercode": bob.code, "username": "bob"}
    assert hers.of("read") == [{"reader": reader, "from": sent["id"], "up_to": sent["id"]}]
    assert his.of("read") == [{"reader": reader, "from": sent["id"], "up_to": sent["id"], "unread": 0}]


def test_a_client_that_comes_back_gets_what_it_missed_once(ada, bob, listen):
    his = listen(bob)
    ada.send("before", bob)
    his.wait_for(his.bodies)
    last = his.last_id
    his.close()
    for n in range(3):
        ada.send(f"missed {n}", bob)
    again = listen(bob, last_event_id=last)
    ada.send("after", bob)
    again.wait_for(lambda: "after" in again.bodies())
    assert again.bodies() == ["missed 0", "missed 1", "missed 2", "after"]
    assert not again.of("resync")


def test_a_new_stream_begins_now_and_can_be_resumed_before_its_first_event(ada, bob, listen):
    ada.send("long ago", bob)
    his = listen(bob)
    assert his.events[0].kind == "ready"
    assert his.bodies() == []
    his.close()
    ada.send("missed", bob)
    again = listen(bob, last_event_id=his.last_id)
    again.wait_for(again.bodies)
    assert again.bodies() == ["missed"]


def test_a_gap_that_is_too_old_is_said(ada, bob, listen):
    his = listen(bob)
    ada.send("seen", bob)
    his.wait_for(his.bodies)
    last = his.last_id
    his.close()
    for n in range(events.KEPT * 3):
        events.publish([bob.user.pk], "note", {"n": n})
    again = listen(bob, last_event_id=last)
    assert again.events[0].kind == "resync"
    ada.send("after", bob)
    again.wait_for(again.bodies)
    assert again.bodies() == ["after"]


@pytest.mark.parametrize("nonsense", ["1-1", "9" * 90, "x", "1-1-otherepoch", "0-0-", "<script>"])
def test_an_id_that_was_never_given_means_a_gap(bob, listen, nonsense):
    assert listen(bob, last_event_id=nonsense).events[0].kind == "resync"


@pytest.mark.parametrize("place", [f"{10**14}-0", f"{10**40}-0", f"0-{10**40}", "٣-٣"])
def test_a_place_that_is_no_id_of_redis_means_a_gap(ada, bob, listen, place):
    epoch = listen(bob).last_id.rpartition("-")[2]
    again = listen(bob, last_event_id=f"{place}-{epoch}".encode().decode("latin-1"))
    assert again.events[0].kind == "resync"
    ada.send("after", bob)
    again.wait_for(again.bodies)


def test_a_flushed_redis_is_noticed(ada, bob, listen):
    his = listen(bob)
    redis_client().flushdb()
    his.wait_for(lambda: his.of("resync"), "the news that something may be missing")
    ada.send("after", bob)
    his.wait_for(his.bodies)
    stale = his.events[0].id
    assert listen(bob, last_event_id=stale).events[0].kind == "resync"


def test_an_event_published_while_redis_was_away_arrives_once(ada, bob, listen, monkeypatch):
    his = listen(bob)
    with monkeypatch.context() as patch:
        patch.setattr("config.caching._rest_until", float("inf"))
        ada.send("in the dark", bob)
    assert not his.bodies()
    wait_until(lambda: events.send_pending() == 1, what="the sweep that finds the event")
    his.wait_for(his.bodies)
    assert events.send_pending() == 0
    ada.send("in the light", bob)
    his.wait_for(lambda: len(his.bodies()) == 2)
    assert his.bodies() == ["in the dark", "in the light"]


def test_the_sweep_repeats_nothing_that_was_sent(ada, bob, listen):
    his = listen(bob)
    ada.send("once", bob)
    wait_until(lambda: events.send_pending() == 1)
    ada.send("twice", bob)
    his.wait_for(lambda: len(his.bodies()) == 2)
    assert his.bodies() == ["once", "twice"]


def test_a_stream_marks_what_it_passed_on_as_delivered(ada, bob, listen):
    listen(bob)
    sent = ada.send("Hello", bob)

    def delivered():
        services.note_deliveries()
        return ada.history()[0]["recipients"][0]["delivered_at"]

    wait_until(delivered, timeout=10)
    assert ada.history()[0]["id"] == sent["id"]
    assert ada.history()[0]["recipients"][0]["read_at"] is None


def test_silence_is_broken_by_a_comment(bob, listen):
    his = listen(bob)
    his.wait_for(lambda: his.comments, "a comment", timeout=17)


# --- The end of a stream ----------------------------------------------------------------------------------------------


def test_signing_out_closes_the_streams_of_that_session_alone(events_url, api, user, listen, person):
    session, access, refresh = tokens.start_session(user=user)
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    here, elsewhere = listen(Person(user, client)), listen(Person(user, Client().as_user(user)))
    assert client.post("/api/v1/auth/logout/", {"refresh": refresh}, format="json").status_code == 204
    assert here.ended.wait(10)
    assert not elsewhere.ended.is_set()
    assert client.get(EVENTS).status_code == 401


def test_a_client_that_leaves_is_forgotten(bob, listen, events_url):
    his = listen(bob)
    assert streams(events_url) == 1
    his.close()
    wait_until(lambda: streams(events_url) == 0)


def test_a_client_that_does_not_read_is_dropped(ada, bob, events_url, listen):
    url = urlsplit(ticket(bob))
    with socket.create_connection((url.hostname, url.port)) as lazy:
        lazy.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_until(lambda: streams(events_url) == 1)
        other = listen(ada)
        for _ in range(40):
            events.publish([bob.user.pk, ada.user.pk], "note", {"filler": "x" * 250_000})
        other.wait_for(lambda: len(other.of("note")) == 40, "everything at the one who reads", timeout=20)
        wait_until(lambda: streams(events_url) == 1, timeout=20, what="the other one dropped")
