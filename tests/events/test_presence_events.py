"""Presence on event streams: who appears and disappears, and for whom."""

import time

import pytest

from config.cache.redis import redis_client
from config.http import site_metrics
from config.realtime import presence, redis_keys
from messaging import cards

from ..messaging.people import Person
from ..waiting import wait_until
from .conftest import Listen, health
from .streams import Listener

BLOCKS = "/api/v1/blocks/"


@pytest.fixture(autouse=True)
def nobody_is_online(events_url: str) -> None:
    """Wait until the events process has noticed that Redis is empty."""
    redis_client().publish(redis_keys.CHANNEL, "presence")
    wait_until(lambda: health(events_url)["online"] == 0)


def online_names(listener: Listener) -> list[str]:
    return [person["username"] for data in listener.of("presence") for person in data["online"]]


def offline_codes(listener: Listener) -> list[str]:
    return [code for data in listener.of("presence") for code in data["offline"]]


def test_an_open_stream_makes_its_user_online(ada: Person, bob: Person, listen: Listen) -> None:
    listen(bob)
    assert "bob" in ada.heartbeat()


def test_the_metrics_show_open_streams_and_their_process(bob: Person, listen: Listen) -> None:
    def shown() -> bool:
        site_metrics.forget()
        text = site_metrics.exposition()
        return b"\natrium_streams_open 2.0\n" in text and b"\natrium_events_processes 1.0\n" in text

    listen(bob), listen(bob)
    wait_until(shown)


def test_streams_report_who_comes_online_and_goes_offline(
    ada: Person, bob: Person, eve: Person, listen: Listen
) -> None:
    his = listen(bob)
    ada.heartbeat()
    his.wait_for(lambda: "ada" in online_names(his))
    [entry] = [each for data in his.of("presence") for each in data["online"] if each["username"] == "ada"]
    assert entry["usercode"] == ada.code
    assert entry["image"] is None
    assert entry["last_seen"].endswith("Z")
    redis_client().zadd(redis_keys.ONLINE, {str(ada.user.pk): time.time() - redis_keys.ONLINE_SECONDS - 1})
    his.wait_for(lambda: ada.code in offline_codes(his))


def test_a_user_is_reported_even_if_a_check_falls_between_the_two_steps_of_a_heartbeat(
    ada: Person, bob: Person, eve: Person, listen: Listen
) -> None:
    his = listen(bob)
    presence.cache_cards(cards.load_cards([ada.user.pk]))
    redis_client().zadd(redis_keys.ONLINE, {str(each.user.pk): time.time() for each in (ada, eve)})
    redis_client().publish(redis_keys.CHANNEL, "presence")
    his.wait_for(lambda: "ada" in online_names(his))
    eve.heartbeat()
    his.wait_for(lambda: "eve" in online_names(his))


def test_presence_events_do_not_change_the_position_to_resume_from(
    ada: Person, bob: Person, eve: Person, listen: Listen
) -> None:
    his = listen(bob)
    ada.send("one", bob)
    his.wait_for(his.bodies)
    eve.heartbeat()
    his.wait_for(lambda: "eve" in online_names(his))
    last = his.last_id
    his.close()
    ada.send("two", bob)
    again = listen(bob, last_event_id=last)
    again.wait_for(again.bodies)
    assert again.bodies() == ["two"]


def test_a_blocked_user_gets_no_presence_of_the_user_who_blocked_them(
    ada: Person, bob: Person, eve: Person, listen: Listen
) -> None:
    assert bob.client.post(f"{BLOCKS}{eve.code}/").status_code == 201
    hers = listen(eve)
    bob.heartbeat()
    ada.heartbeat()
    hers.wait_for(lambda: "ada" in online_names(hers))
    assert "bob" not in online_names(hers)


def test_blocking_and_unblocking_change_the_blocked_users_presence_list_at_once(
    bob: Person, eve: Person, listen: Listen
) -> None:
    hers = listen(eve)
    bob.heartbeat()
    hers.wait_for(lambda: online_names(hers).count("bob") == 1)
    bob.client.post(f"{BLOCKS}{eve.code}/")
    hers.wait_for(lambda: offline_codes(hers) == [bob.code])
    bob.client.delete(f"{BLOCKS}{eve.code}/")
    hers.wait_for(lambda: online_names(hers).count("bob") == 2)


def test_many_changes_at_once_are_one_refresh_event(ada: Person, bob: Person, listen: Listen) -> None:
    his = listen(bob)
    now = time.time()
    presence.cache_cards({10**9 + n: cards.user_card(str(n), f"person{n}", None) for n in range(150)})
    redis_client().zadd(redis_keys.ONLINE, {str(10**9 + n): now for n in range(150)})
    his.wait_for(lambda: any(data.get("refresh") for data in his.of("presence")))
