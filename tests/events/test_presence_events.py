import time

import pytest

from config import presence, wire
from config.caching import redis_client
from messaging import people

from ..waiting import wait_until
from .conftest import health

BLOCKS = "/api/v1/blocks/"


@pytest.fixture(autouse=True)
def nobody_is_online_any_more(events_url):
    """Redis is empty, and the process has seen that the people of the test before are gone."""
    redis_client().publish(wire.CHANNEL, "presence")
    wait_until(lambda: health(events_url)["online"] == 0)


def names(listener):
    return [person["username"] for data in listener.of("presence") for person in data["online"]]


def gone(listener):
    return [code for data in listener.of("presence") for code in data["offline"]]


def test_an_open_stream_puts_one_online(ada, bob, listen):
    listen(bob)
    assert "bob" in ada.beat()


def test_who_comes_and_goes_is_told(ada, bob, eve, listen):
    his = listen(bob)
    ada.beat()
    his.wait_for(lambda: "ada" in names(his))
    [entry] = [each for data in his.of("presence") for each in data["online"] if each["username"] == "ada"]
    assert entry["usercode"] == ada.code
    assert entry["image"] is None
    assert entry["last_seen"].endswith("Z")
    redis_client().zadd(wire.ONLINE, {str(ada.user.pk): time.time() - wire.WINDOW - 1})
    his.wait_for(lambda: ada.code in gone(his))


def test_somebody_who_is_looked_at_in_the_midst_of_a_heartbeat_is_told_of_all_the_same(ada, bob, eve, listen):
    his = listen(bob)
    presence.keep_cards(people.cards([ada.user.pk]))
    redis_client().zadd(wire.ONLINE, {str(each.user.pk): time.time() for each in (ada, eve)})
    redis_client().publish(wire.CHANNEL, "presence")
    his.wait_for(lambda: "ada" in names(his))
    eve.beat()
    his.wait_for(lambda: "eve" in names(his))


def test_presence_does_not_disturb_where_one_left_off(ada, bob, eve, listen):
    his = listen(bob)
    ada.send("one", bob)
    his.wait_for(his.bodies)
    eve.beat()
    his.wait_for(lambda: "eve" in names(his))
    last = his.last_id
    his.close()
    ada.send("two", bob)
    again = listen(bob, last_event_id=last)
    again.wait_for(again.bodies)
    assert again.bodies() == ["two"]


def test_a_blocked_person_hears_nothing_of_who_has_blocked_them(ada, bob, eve, listen):
    assert bob.client.post(f"{BLOCKS}{eve.code}/").status_code == 201
    hers = listen(eve)
    bob.beat()
    ada.beat()
    hers.wait_for(lambda: "ada" in names(hers))
    assert "bob" not in names(hers)


def test_a_block_is_an_absence_at_once_and_its_end_a_return(bob, eve, listen):
    hers = listen(eve)
    bob.beat()
    hers.wait_for(lambda: names(hers).count("bob") == 1)
    bob.client.post(f"{BLOCKS}{eve.code}/")
    hers.wait_for(lambda: gone(hers) == [bob.code])
    bob.client.delete(f"{BLOCKS}{eve.code}/")
    hers.wait_for(lambda: names(hers).count("bob") == 2)


def test_many_at_once_are_told_in_one_word(ada, bob, listen):
    his = listen(bob)
    now = time.time()
    presence.keep_cards({10**9 + n: people.card(str(n), f"person{n}", None) for n in range(150)})
    redis_client().zadd(wire.ONLINE, {str(10**9 + n): now for n in range(150)})
    his.wait_for(lambda: any(data.get("refresh") for data in his.of("presence")))
