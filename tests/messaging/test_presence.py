import io
import time

import pytest
import redis.exceptions
from PIL import Image

from accounts.services import deletion, profiles
from config import caching, presence, wire
from config.caching import redis_client

from .people import URL

PRESENCE = "/api/v1/presence/"
BLOCKS = "/api/v1/blocks/"


def online(person):
    answer = person.client.get(PRESENCE)
    assert answer.status_code == 200
    return [each["username"] for each in answer.json()["online"]]


def away(person, seconds=wire.WINDOW + 1):
    """As if the last sign of life were so long ago."""
    redis_client().zadd(wire.ONLINE, {str(person.user.pk): time.time() - seconds})


def test_a_heartbeat_puts_one_online(ada, bob):
    assert online(ada) == []
    answer = ada.client.post(PRESENCE)
    assert answer.status_code == 200
    assert answer.json()["ping_every"] == presence.PING_EVERY
    [entry] = answer.json()["online"]
    assert {"usercode": ada.code, "username": "ada", "image": None}.items() <= entry.items()
    assert entry["last_seen"].endswith("Z")
    assert online(bob) == ["ada"]


def test_without_one_for_75_seconds_one_is_offline(ada, bob):
    ada.beat()
    away(ada, wire.WINDOW - 2)
    assert online(bob) == ["ada"]
    away(ada)
    assert online(bob) == []


def test_a_poll_costs_no_query_but_that_of_who_asks(ada, bob, django_assert_num_queries):
    ada.beat()
    bob.beat()
    with django_assert_num_queries(1):
        bob.beat()
    with django_assert_num_queries(1):
        assert set(online(bob)) == {"ada", "bob"}


def picture():
    content = io.BytesIO()
    Image.new("RGB", (40, 40), (200, 30, 30)).save(content, "PNG")
    return io.BytesIO(content.getvalue())


def test_a_new_name_or_picture_shows_at_the_next_heartbeat(ada, bob, django_capture_on_commit_callbacks):
    ada.beat()
    with django_capture_on_commit_callbacks(execute=True):
        ada.user.username = "lovelace"
        ada.user.save()
        profiles.update_profile(user=ada.user, picture=picture())
    ada.beat()
    [entry] = bob.client.get(PRESENCE).json()["online"]
    assert entry["username"] == "lovelace"
    assert entry["image"].startswith(f"/api/v1/people/{ada.code}/picture/?v=")


def test_a_deleted_account_is_online_no_more(ada, bob, django_capture_on_commit_callbacks):
    ada.beat()
    bob.beat()
    with django_capture_on_commit_callbacks(execute=True):
        deletion.remove_user(bob.user)
    assert online(ada) == ["ada"]
    assert redis_client().zcard(wire.ONLINE) == redis_client().hlen(wire.PEOPLE) == 1


def test_a_flushed_redis_fills_again(ada, bob):
    ada.beat()
    redis_client().flushdb()
    assert online(bob) == []
    ada.beat()
    redis_client().delete(wire.PEOPLE)
    assert online(bob) == ["ada"]


def test_those_long_gone_are_forgotten(ada, bob):
    ada.beat()
    bob.beat()
    away(ada, presence.KEPT_AFTER + 1)
    assert presence.forget_gone() == 1
    assert redis_client().hkeys(wire.PEOPLE) == [str(bob.user.pk).encode()]


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_redis_the_answer_is_503(ada, settings, method, monkeypatch):
    monkeypatch.setattr(caching, "_client", redis_at_nowhere())
    answer = getattr(ada.client, method)(PRESENCE)
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0


def redis_at_nowhere():
    client = redis.Redis(port=1, socket_connect_timeout=0.2)
    with pytest.raises(redis.exceptions.ConnectionError):
        client.ping()
    return client


def test_without_redis_messages_are_sent_and_read(ada, bob, monkeypatch):
    monkeypatch.setattr(caching, "_client", redis_at_nowhere())
    sent = ada.send("Through the dark", bob)
    assert bob.bodies() == ["Through the dark"]
    assert bob.client.post(f"{URL}{sent['id']}/read/").json() == {"unread": 0}
    assert ada.client.post(URL, {"body": "x", "broadcast": True}, format="json").status_code == 503


def test_presence_takes_a_sign_in(api):
    assert api.get(PRESENCE).status_code == 401
    assert api.post(PRESENCE).status_code == 401


# --- Blocking ---------------------------------------------------------------------------------------------------------


def block(blocker, blocked):
    return blocker.client.post(f"{BLOCKS}{blocked.code}/")


def test_what_a_blocked_person_writes_does_not_arrive_and_they_cannot_tell(ada, bob, eve):
    assert block(bob, eve).status_code == 201
    before, sent = ada.send("before", bob), eve.send("Hey", bob)
    assert set(before) == set(sent)
    assert [each["usercode"] for each in sent["recipients"]] == [bob.code]
    assert bob.bodies() == ["before"]
    assert bob.bodies(**{"with": eve.code}) == []
    assert bob.unread() == 1
    assert bob.client.get(f"{URL}{sent['id']}/").status_code == 404
    assert eve.bodies(**{"with": bob.code}) == ["Hey"]
    [row] = eve.client.get(f"{URL}{sent['id']}/recipients/").json()["results"]
    assert (row["delivered_at"], row["read_at"]) == (None, None)


def test_what_was_withheld_stays_so(bob, eve):
    block(bob, eve)
    eve.send("while blocked", bob)
    assert bob.client.delete(f"{BLOCKS}{eve.code}/").status_code == 204
    eve.send("afterwards", bob)
    assert bob.bodies() == ["afterwards"]


def test_what_came_before_the_block_stays(bob, eve):
    eve.send("before", bob)
    block(bob, eve)
    assert bob.bodies() == ["before"]


def test_a_blocked_person_does_not_see_one_online(ada, bob, eve, django_capture_on_commit_callbacks):
    for person in (ada, bob, eve):
        person.beat()
    assert set(online(eve)) == {"ada", "bob", "eve"}
    with django_capture_on_commit_callbacks(execute=True):
        block(bob, eve)
    assert set(online(eve)) == {"ada", "eve"}
    assert set(online(bob)) == {"ada", "bob", "eve"}
    assert eve.send("Everybody?")["recipient_count"] == 1
    with django_capture_on_commit_callbacks(execute=True):
        bob.client.delete(f"{BLOCKS}{eve.code}/")
    assert set(online(eve)) == {"ada", "bob", "eve"}


def test_only_a_blocker_online_is_nobody_online(bob, eve):
    bob.beat()
    block(bob, eve)
    answer = eve.client.post(URL, {"body": "x", "broadcast": True}, format="json")
    assert answer.json()["errors"][0]["code"] == "nobody_online"


def test_the_list_of_blocks_is_ones_own(ada, bob, eve):
    block(bob, eve)
    again = block(bob, eve)
    assert again.status_code == 200
    [entry] = bob.client.get(BLOCKS).json()
    assert (entry["usercode"], entry["username"]) == (eve.code, "eve")
    assert eve.client.get(BLOCKS).json() == ada.client.get(BLOCKS).json() == []
    assert bob.client.delete(f"{BLOCKS}{eve.code}/").status_code == 204
    assert bob.client.delete(f"{BLOCKS}{eve.code}/").status_code == 204
    assert bob.client.get(BLOCKS).json() == []


def test_blocks_that_make_no_sense(ada, api):
    assert ada.client.post(f"{BLOCKS}ZZZZZZ/").status_code == 404
    assert ada.client.delete(f"{BLOCKS}ZZZZZZ/").status_code == 404
    answer = block(ada, ada)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["code"] == "cannot_block_self"
    assert api.get(BLOCKS).status_code == 401


# --- People -----------------------------------------------------------------------------------------------------------


def test_a_card_says_whose_code_it_is(ada, bob, api):
    path = f"/api/v1/people/{bob.code}/"
    assert ada.client.get(path).json() == {"usercode": bob.code, "username": "bob", "image": None}
    assert ada.client.get(f"/api/v1/people/{bob.code.lower()}/").status_code == 200
    assert ada.client.get("/api/v1/people/ZZZZZZ/").status_code == 404
    assert api.get(path).status_code == 401


def test_a_picture_is_shown_to_those_who_are_signed_in(ada, bob, api):
    path = f"/api/v1/people/{bob.code}/picture/"
    assert ada.client.get(path).status_code == 404
    bob.user.profile.image.name = "pictures/one.png"
    bob.user.profile.save()
    answer = ada.client.get(path, headers={"Accept": "image/*"})
    assert answer.status_code == 302
    assert "/files/" in answer["Location"]
    assert api.get(path).status_code == 401


def test_conversations_are_the_people_one_writes_with(ada, bob, eve, person):
    ada.send("one", bob)
    eve.send("two", ada)
    last = bob.send("three", ada)
    ada.send("to myself", ada)
    answer = ada.client.get("/api/v1/conversations/").json()
    assert answer["next_before"] is None
    assert [
        (each["person"]["username"], each["last_message"]["body"], each["last_message"]["mine"], each["unread"])
        for each in answer["results"]
    ] == [("ada", "to myself", True, 1), ("bob", "three", False, 1), ("eve", "two", False, 1)]
    assert answer["results"][1]["last_message"]["id"] == last["id"]
    assert person("nobody").client.get("/api/v1/conversations/").json() == {"next_before": None, "results": []}


def test_what_deleted_accounts_wrote_hides_no_older_conversation(ada, bob, eve, monkeypatch):
    monkeypatch.setattr("messaging.conversations.SCANNED", 2)
    bob.send("old", ada)
    for body in ("one", "two"):
        eve.send(body, ada)
    eve.user.delete()
    answer = ada.client.get("/api/v1/conversations/").json()
    assert answer["results"] == []
    answer = ada.client.get("/api/v1/conversations/", {"before": answer["next_before"]}).json()
    assert [each["person"]["username"] for each in answer["results"]] == ["bob"]


def test_older_conversations_are_asked_for_in_turn(ada, person, monkeypatch):
    monkeypatch.setattr("messaging.conversations.SCANNED", 4)
    friends = [person(f"friend{n}") for n in range(6)]
    for friend in friends:
        friend.send("in", ada)
        ada.send("out", friend)
    seen, before = [], None
    for _ in range(10):
        query = {} if before is None else {"before": before}
        answer = ada.client.get("/api/v1/conversations/", query).json()
        seen += [each["person"]["username"] for each in answer["results"]]
        before = answer["next_before"]
        if before is None:
            break
    assert list(dict.fromkeys(seen)) == [f"friend{n}" for n in (5, 4, 3, 2, 1, 0)]
