"""What Atrium stores in Redis is bounded, and what must last does not compete with the cache."""

import os
from typing import Any

import pytest
from django.test import RequestFactory

from config.cache.redis import redis_client
from config.cache.responses import cached_response

pytestmark = pytest.mark.django_db

STORE = "atrium:cache"


def cache(path: str, size: int, *, public: bool = False, **headers: str) -> None:
    body = b'"' + os.urandom(size // 2).hex().encode() + b'"'
    request = RequestFactory().get(path, headers=headers)
    cached_response(request, scope="thing:1", produce=lambda: body, public=public)


def cached_bytes() -> int:
    client: Any = redis_client()
    return sum(client.hstrlen(key, field) for key in client.keys("atrium:read:*") for field in ("plain", "gzip"))


def test_the_cache_stays_below_its_limit_and_keeps_the_newest(settings: Any) -> None:
    settings.CACHE_MAX_BYTES = 100_000
    for n in range(40):
        cache(f"/{n}/", 8_000)
    assert 80_000 < cached_bytes() <= 100_000
    calls: list[int] = []
    for n in (39, 0):

        def produce(n: int = n) -> bytes:
            calls.append(n)
            return b"{}"

        cached_response(RequestFactory().get(f"/{n}/"), scope="thing:1", produce=produce)
    assert calls == [0]


def test_a_large_response_is_not_cached(settings: Any) -> None:
    settings.CACHE_MAX_BYTES = 80_000
    cache("/small/", 9_000)
    cache("/large/", 12_000)
    assert 9_000 <= cached_bytes() < 12_000


def test_sizes_are_counted_once_and_freed(settings: Any) -> None:
    client: Any = redis_client()
    settings.CACHE_MAX_BYTES = 1_000_000
    cache("/a/", 10_000, public=True)
    cache("/a/", 10_000, public=True, **{"Accept-Encoding": "gzip"})
    assert int(client.get(f"{STORE}:bytes")) == cached_bytes() > 10_000
    assert client.zcard(f"{STORE}:index") == client.hlen(f"{STORE}:sizes") == 1
    # Entries that have expired are removed from the index by the next one.
    client.zadd(f"{STORE}:index", dict.fromkeys(client.zrange(f"{STORE}:index", 0, -1), 1))
    cache("/b/", 1_000)
    assert client.zcard(f"{STORE}:index") == client.hlen(f"{STORE}:sizes") == 1
    assert int(client.get(f"{STORE}:bytes")) == cached_bytes() < 2_000


def test_no_key_is_evicted_by_redis() -> None:
    assert redis_client().info("memory")["maxmemory_policy"] == "noeviction"
