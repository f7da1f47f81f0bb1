"""Event streams: who gets which event, resuming, and the end of a stream."""

import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from accounts import tokens
from accounts.models import User
from accounts.signals import account_deactivated
from config.cache.redis import redis_client
from config.realtime import events, redis_keys
from messaging.services import receipts

from ..accounts.helpers import cookie_client_for
from ..conftest import Client, without_redis
from ..messaging.people import Person
from ..waiting import wait_until
from .conftest import Listen, streams, ticket

EVENTS = "/api/v1/events/"


def test_a_message_is_sent_to_sender_and_recipient_only(ada: Person, bob: Person, eve: Person, listen: Listen) -> None:
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


def test_event_ids_are_unique(ada: Person, bob: Person, listen: Listen) -> None:
    his = listen(bob)
    for n in range(5):
        ada.send(str(n), bob)
    his.wait_for(lambda: len(his.bodies()) == 5)
    ids = [event.id for event in his.events if event.kind == "message"]
    assert len(set(ids)) == 5
    assert all(ids)


def test_a_read_event_is_sent_to_the_sender_and_the_readers_other_streams(
    ada: Person, bob: Person, listen: Listen
) -> None:
    sent = ada.send("Hello", bob)
    hers, his = listen(ada), listen(bob)
    bob.client.post(f"/api/v1/messages/{sent['id']}/read/")
    hers.wait_for(lambda: hers.of("read"))
    his.wait_for(lambda: his.of("read"))
    reader = {"usercode": bob.code, "username": "bob"}
    assert hers.of("read") == [{"reader": reader, "from": sent["id"], "up_to": sent["id"]}]
    assert his.of("read") == [{"reader": reader, "from": sent["id"], "up_to": sent["id"], "unread": 0}]


def test_a_client_that_reconnects_gets_missed_events_once(ada: Person, bob: Person, listen: Listen) -> None:
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


def test_a_new_stream_has_no_past_events_and_can_be_resumed_before_its_first_event(
    ada: Person, bob: Person, listen: Listen
) -> None:
    ada.send("long ago", bob)
    his = listen(bob)
    assert his.events[0].kind == "ready"
    assert his.bodies() == []
    his.close()
    ada.send("missed", bob)
    again = listen(bob, last_event_id=his.last_id)
    again.wait_for(again.bodies)
    assert again.bodies() == ["missed"]


def test_a_gap_that_is_too_long_is_reported_by_a_resync(ada: Person, bob: Person, listen: Listen) -> None:
    his = listen(bob)
    ada.send("seen", bob)
    his.wait_for(his.bodies)
    last = his.last_id
    his.close()
    for n in range(events.MAX_EVENTS * 3):
        events.publish([bob.user.pk], "note", {"n": n})
    again = listen(bob, last_event_id=last)
    assert again.events[0].kind == "resync"
    ada.send("after", bob)
    again.wait_for(again.bodies)
    assert again.bodies() == ["after"]


@pytest.mark.parametrize("nonsense", ["1-1", "9" * 90, "x", "1-1-otherepoch", "0-0-", "<script>"])
def test_an_unknown_event_id_means_a_resync(bob: Person, listen: Listen, nonsense: str) -> None:
    assert listen(bob, last_event_id=nonsense).events[0].kind == "resync"


@pytest.mark.parametrize("place", [f"{10**14}-0", f"{10**40}-0", f"0-{10**40}", "٣-٣"])
def test_a_position_that_redis_cannot_have_means_a_resync(ada: Person, bob: Person, listen: Listen, place: str) -> None:
    epoch = listen(bob).last_id.rpartition("-")[2]
    again = listen(bob, last_event_id=f"{place}-{epoch}".encode().decode("latin-1"))
    assert again.events[0].kind == "resync"
    ada.send("after", bob)
    again.wait_for(again.bodies)


def test_a_flushed_redis_means_a_resync(ada: Person, bob: Person, listen: Listen) -> None:
    his = listen(bob)
    redis_client().flushdb()
    his.wait_for(lambda: his.of("resync"), "a resync")
    online = str(bob.user.pk)
    # Sooner than by the regular renewal.
    limit = redis_keys.ONLINE_SECONDS / 5
    wait_until(lambda: redis_client().zscore(redis_keys.ONLINE, online), timeout=limit, what="a user who is online")
    ada.send("after", bob)
    his.wait_for(his.bodies)
    stale = his.events[0].id
    assert listen(bob, last_event_id=stale).events[0].kind == "resync"


def test_an_event_published_during_an_outage_of_redis_arrives_once(
    ada: Person, bob: Person, listen: Listen, settings: Any
) -> None:
    his = listen(bob)
    with without_redis(settings):
        ada.send("during the outage", bob)
    assert not his.bodies()
    wait_until(lambda: events.send_pending() == 1, what="the sweep that finds the event")
    his.wait_for(his.bodies)
    assert events.send_pending() == 0
    ada.send("after it", bob)
    his.wait_for(lambda: len(his.bodies()) == 2)
    assert his.bodies() == ["during the outage", "after it"]


def test_the_sweep_repeats_no_event(ada: Person, bob: Person, listen: Listen) -> None:
    his = listen(bob)
    ada.send("once", bob)
    wait_until(lambda: events.send_pending() == 1)
    ada.send("twice", bob)
    his.wait_for(lambda: len(his.bodies()) == 2)
    assert his.bodies() == ["once", "twice"]


def test_a_message_that_a_stream_has_sent_is_marked_as_delivered(ada: Person, bob: Person, listen: Listen) -> None:
    listen(bob)
    sent = ada.send("Hello", bob)

    def delivered() -> Any:
        receipts.record_deliveries()
        return ada.history()[0]["recipients"][0]["delivered_at"]

    wait_until(delivered)
    assert ada.history()[0]["id"] == sent["id"]
    assert ada.history()[0]["recipients"][0]["read_at"] is None


def test_a_stream_without_events_sends_comments(bob: Person, listen: Listen) -> None:
    his = listen(bob)
    his.wait_for(lambda: his.comments, "a comment", timeout=17)


# --- The end of a stream ----------------------------------------------------------------------------------------------


def test_signing_out_closes_only_the_streams_of_that_session(
    events_url: str, api: Client, user: User, listen: Listen, person: Callable
) -> None:
    session, access, refresh = tokens.start_session(user=user)
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    here, elsewhere = listen(Person(user, client)), listen(Person(user, Client().as_user(user)))
    assert client.post("/api/v1/auth/logout/", {"refresh": refresh}, format="json").status_code == 204
    assert here.ended.wait(60)
    assert not elsewhere.ended.is_set()
    assert client.get(EVENTS).status_code == 401


def test_a_stream_is_removed_when_its_client_disconnects(bob: Person, listen: Listen, events_url: str) -> None:
    his = listen(bob)
    assert streams(events_url) == 1
    his.close()
    wait_until(lambda: streams(events_url) == 0)


def test_a_client_that_does_not_read_is_disconnected(ada: Person, bob: Person, events_url: str, listen: Listen) -> None:
    url = urlsplit(ticket(bob))
    with socket.socket() as idle:
        # The system would buffer megabytes for it otherwise.
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        idle.connect((url.hostname, url.port))
        idle.sendall(f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        wait_until(lambda: streams(events_url) == 1)
        other = listen(ada)
        for _ in range(40):
            events.publish([bob.user.pk, ada.user.pk], "note", {"filler": "x" * 250_000})
        other.wait_for(lambda: len(other.of("note")) == 40, "all events at the client that reads")
        # On a busy machine the client that reads may be too slow as well.
        wait_until(
            lambda: streams(events_url) == (not other.ended.is_set()), what="the client that does not read disconnected"
        )


def test_an_event_whose_body_was_deleted_is_a_resync(
    bob: Person, events_url: str, listen: Listen, settings: Any
) -> None:
    his = listen(bob)
    last = his.last_id
    his.close()
    # While the stream is open, the events process has the bodies in memory.
    wait_until(lambda: streams(events_url) == 0, what="the closed stream")
    settings.EVENTS_MAX_BYTES = 50_000
    for n in range(3):
        events.publish([bob.user.pk], "note", {"n": n, "filler": "x" * 20_000})
    again = listen(bob, last_event_id=last)
    again.wait_for(lambda: len(again.of("note")) == 2)
    assert [event.kind for event in again.events if event.kind != "presence"] == ["ready", "resync", "note", "note"]
    assert [data["n"] for data in again.of("note")] == [1, 2]


def test_deactivating_a_person_ends_streams_tokens_and_cookies_at_once(
    bob: Person, listen: Listen, staff: User
) -> None:
    his, user = listen(bob), User.objects.get(usercode=bob.code)
    browser, admin = cookie_client_for(user), cookie_client_for(staff)
    told: list[User] = []
    account_deactivated.connect(receiver := lambda user, **_: told.append(user))
    assert (bob.client.get("/api/v1/auth/profile/").status_code, browser.get("/account/").status_code) == (200, 200)
    form = {"username": user.username, "email": user.email, "first_name": "", "last_name": ""}  # not is_active
    assert admin.post(f"/admin/accounts/user/{user.pk}/change/", form).status_code == 302
    assert his.ended.wait(60)
    assert bob.client.get("/api/v1/auth/profile/").status_code == 401
    assert bob.client.get(EVENTS).status_code == 401
    assert browser.get("/account/").status_code == 302
    assert told == [user]
    account_deactivated.disconnect(receiver)
