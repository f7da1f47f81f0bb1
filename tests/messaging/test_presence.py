import io
import time
from typing import Any

import pytest
from PIL import Image

from accounts.services import deletion, profiles
from config.cache.redis import redis_client
from config.realtime import presence, redis_keys

from ..conftest import Client
from .people import URL, Person

PRESENCE = "/api/v1/presence/"
BLOCKS = "/api/v1/blocks/"


def online(person: Person) -> list[str]:
    response = person.client.get(PRESENCE)
    assert response.status_code == 200
    return [each["username"] for each in response.json()["online"]]


def set_last_seen(person: Person, seconds: float = redis_keys.ONLINE_SECONDS + 1) -> None:
    """Set the time of the last heartbeat to ``seconds`` ago."""
    redis_client().zadd(redis_keys.ONLINE, {str(person.user.pk): time.time() - seconds})


def test_a_heartbeat_puts_a_user_online(ada: Person, bob: Person) -> None:
    assert online(ada) == []
    response = ada.client.post(PRESENCE)
    assert response.status_code == 200
    assert response.json()["ping_every"] == presence.PING_EVERY
    [entry] = response.json()["online"]
    assert {"usercode": ada.code, "username": "ada", "image": None}.items() <= entry.items()
    assert entry["last_seen"].endswith("Z")
    assert online(bob) == ["ada"]


def test_a_user_is_offline_75_seconds_after_the_last_heartbeat(ada: Person, bob: Person) -> None:
    ada.heartbeat()
    set_last_seen(ada, redis_keys.ONLINE_SECONDS - 2)
    assert online(bob) == ["ada"]
    set_last_seen(ada)
    assert online(bob) == []


def test_a_poll_needs_no_query_besides_authentication(ada: Person, bob: Person, django_assert_num_queries: Any) -> None:
    ada.heartbeat()
    bob.heartbeat()
    with django_assert_num_queries(1):
        bob.heartbeat()
    with django_assert_num_queries(1):
        assert set(online(bob)) == {"ada", "bob"}


def picture() -> io.BytesIO:
    content = io.BytesIO()
    Image.new("RGB", (40, 40), (200, 30, 30)).save(content, "PNG")
    return io.BytesIO(content.getvalue())


def test_a_new_name_or_picture_is_shown_after_the_next_heartbeat(
    ada: Person, bob: Person, django_capture_on_commit_callbacks: Any
) -> None:
    ada.heartbeat()
    with django_capture_on_commit_callbacks(execute=True):
        ada.user.username = "lovelace"
        ada.user.save()
        profiles.update_profile(user=ada.user, picture=picture())
    ada.heartbeat()
    [entry] = bob.client.get(PRESENCE).json()["online"]
    assert entry["username"] == "lovelace"
    assert entry["image"].startswith(f"/api/v1/people/{ada.code}/picture/?v=")


def test_a_deleted_account_is_offline(ada: Person, bob: Person, django_capture_on_commit_callbacks: Any) -> None:
    ada.heartbeat()
    bob.heartbeat()
    with django_capture_on_commit_callbacks(execute=True):
        deletion.remove_user(bob.user)
    assert online(ada) == ["ada"]
    assert redis_client().zcard(redis_keys.ONLINE) == redis_client().hlen(redis_keys.CARDS) == 1


def test_a_flushed_redis_is_filled_again(ada: Person, bob: Person) -> None:
    ada.heartbeat()
    redis_client().flushdb()
    assert online(bob) == []
    ada.heartbeat()
    redis_client().delete(redis_keys.CARDS)
    assert online(bob) == ["ada"]


def test_users_offline_for_long_are_deleted(ada: Person, bob: Person) -> None:
    ada.heartbeat()
    bob.heartbeat()
    set_last_seen(ada, presence.EXPIRE_AFTER + 1)
    assert presence.delete_expired() == 1
    assert redis_client().hkeys(redis_keys.CARDS) == [str(bob.user.pk).encode()]


@pytest.mark.parametrize("method", ["get", "post"])
def test_presence_is_503_without_redis(ada: Person, method: str, redis_away: None) -> None:
    response = getattr(ada.client, method)(PRESENCE)
    assert response.status_code == 503
    assert int(response["Retry-After"]) > 0


def test_without_redis_messages_are_sent_and_read(ada: Person, bob: Person, redis_away: None) -> None:
    sent = ada.send("Through the dark", bob)
    assert bob.bodies() == ["Through the dark"]
    assert bob.client.post(f"{URL}{sent['id']}/read/").json() == {"unread": 0}
    assert ada.client.post(URL, {"body": "x", "broadcast": True}, format="json").status_code == 503


def test_presence_requires_authentication(api: Client) -> None:
    assert api.get(PRESENCE).status_code == 401
    assert api.post(PRESENCE).status_code == 401
