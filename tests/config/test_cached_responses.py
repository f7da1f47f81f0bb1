"""Cached responses: the bytes of the last commit, with or without Redis."""

import gzip
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import RequestFactory

from config.cache import generations, responses
from config.cache.local import LocalCache
from tests.conftest import without_redis
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


def ask(
    produce: Callable[[], object],
    scope: str = "thing:1",
    path: str = "/x/?a=1",
    public: bool = False,
    **headers: Any,
) -> HttpResponse:
    request = RequestFactory().get(path, headers=headers)
    return responses.cached_response(request, scope=scope, produce=produce, public=public)


class Source:
    """Produces a response's data and counts the calls."""

    def __init__(self) -> None:
        self.value, self.calls = "old", 0

    def __call__(self) -> dict[str, str]:
        self.calls += 1
        return {"value": self.value}


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The fields of each HMGET that is sent to Redis."""
    calls: list[list[str]] = []
    hmget = redis.Redis.hmget

    def record(client: redis.Redis, name: str, keys: list[str]) -> Any:
        calls.append(keys)
        return hmget(client, name, keys)

    monkeypatch.setattr(redis.Redis, "hmget", record)
    return calls


def test_the_second_read_returns_the_bytes_of_the_first() -> None:
    source = Source()
    first, second = ask(source), ask(source)
    assert first.content == second.content == b'{"value":"old"}'
    assert first["ETag"] == second["ETag"]
    assert source.calls == 1


def test_the_key_contains_the_whole_url() -> None:
    """Links in the body begin with the scheme and host of the request."""
    source = Source()
    for address in ("http://a.example/x/", "https://a.example/x/", "http://a.example/x/?a=1", "http://a.example/y/"):
        parts = urlsplit(address)
        path = f"{parts.path}?{parts.query}"
        request = RequestFactory().get(path, secure=parts.scheme == "https")
        responses.cached_response(request, scope="thing:1", produce=source)
    assert source.calls == 4


def test_invalidate_ends_the_cached_bytes_of_its_scope_only() -> None:
    mine, other = Source(), Source()
    ask(mine), ask(other, scope="thing:2")
    mine.value = other.value = "new"
    with transaction.atomic():
        generations.invalidate("thing:1")
    assert ask(mine).content == b'{"value":"new"}'
    assert ask(other, scope="thing:2").content == b'{"value":"old"}'


def test_invalidate_that_is_rolled_back_changes_nothing() -> None:
    source = Source()
    ask(source)
    with transaction.atomic():
        generations.invalidate("thing:1")
        transaction.set_rollback(True)
    ask(source)
    assert source.calls == 1


def test_bytes_made_before_a_write_are_not_served_after_it() -> None:
    source = Source()

    def overtaken() -> dict[str, str]:
        data = source()
        source.value = "new"
        with transaction.atomic():
            generations.invalidate("thing:1")
        return data

    assert ask(overtaken).content == b'{"value":"old"}'
    assert ask(source).content == b'{"value":"new"}'


def test_a_client_that_has_the_bytes_gets_304() -> None:
    source = Source()
    etag = ask(source)["ETag"]
    again = ask(source, **{"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)


def test_the_order_of_query_parameters_does_not_matter_and_their_values_do() -> None:
    source = Source()
    ask(source, path="/x/?a=1&b=2")
    ask(source, path="/x/?b=2&a=1")
    assert source.calls == 1
    ask(source, path="/x/?a=2&b=2")
    assert source.calls == 2


def test_public_responses_are_cached_compressed_for_clients_that_accept_gzip() -> None:
    big = {"text": "na " * 2000}
    packed = ask(lambda: big, public=True, **{"Accept-Encoding": "gzip, br"})
    plain = ask(lambda: big, public=True)
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert "Accept-Encoding" in packed["Vary"]


def test_without_redis_the_response_is_produced_each_time_and_correct(redis_away: None) -> None:
    source = Source()
    assert ask(source).content == b'{"value":"old"}'
    source.value = "new"
    with transaction.atomic():
        generations.invalidate("thing:1")
    assert ask(source).content == b'{"value":"new"}'


def test_a_write_during_an_outage_of_redis_ends_the_cached_bytes(settings: Any) -> None:
    source = Source()
    ask(source)
    source.value = "new"
    with without_redis(settings), transaction.atomic():
        generations.invalidate("thing:1")
    assert ask(source).content == b'{"value":"new"}'


def test_a_cached_response_costs_one_query(django_assert_num_queries: Any) -> None:
    source = Source()
    ask(source)
    with django_assert_num_queries(1, connection=connection):
        ask(source)


class TestPublicResponses:
    """Public responses are also cached in the process, for a few seconds."""

    def test_redis_is_asked_once(self, fetched: list[list[str]]) -> None:
        source = Source()
        ask(source, public=True)
        fetched.clear()
        answers = [ask(source, public=True) for _ in range(3)]
        assert {answer.content for answer in answers} == {b'{"value":"old"}'}
        assert {answer["ETag"] for answer in answers} == {answers[0]["ETag"]}
        assert (source.calls, len(fetched)) == (1, 1)

    def test_invalidate_ends_them_at_once(self) -> None:
        source = Source()
        for _ in range(2):
            ask(source, public=True)
        source.value = "new"
        with transaction.atomic():
            generations.invalidate("thing:1")
        assert ask(source, public=True).content == b'{"value":"new"}'

    def test_private_responses_are_not_cached_in_the_process(self) -> None:
        for _ in range(2):
            ask(Source())
        assert len(responses.local_cache) == 0

    def test_a_client_that_has_the_bytes_gets_304(self) -> None:
        etag = [ask(Source(), public=True)["ETag"] for _ in range(2)][0]
        assert ask(Source(), public=True, **{"If-None-Match": etag}).status_code == 304


class TestLocalCache:
    def test_the_least_recently_used_entry_is_dropped_first(self) -> None:
        cache = LocalCache(limit=25, seconds=60)
        for key in ("a", "b"):
            cache.put(key, b"x" * 10, key)
        cache.get("a")
        cache.put("c", b"x" * 10, "c")
        assert [key for key in "abc" if cache.get(key)] == ["a", "c"]

    def test_an_entry_that_is_put_again_counts_once(self) -> None:
        cache = LocalCache(limit=25, seconds=60)
        cache.put("a", b"x" * 10, "a")
        for _ in range(5):
            cache.put("b", b"x" * 10, "b")
        assert cache.get("a")

    def test_a_body_above_the_limit_drops_nothing(self) -> None:
        cache = LocalCache(limit=25, seconds=60)
        cache.put("a", b"x", "a")
        cache.put("b", b"x" * 26, "b")
        assert [key for key in "ab" if cache.get(key)] == ["a"]

    def test_an_entry_expires(self) -> None:
        cache = LocalCache(limit=25, seconds=0.01)
        cache.put("a", b"x", "a")
        wait_until(lambda: cache.get("a") is None, timeout=5)


def test_only_the_tag_is_fetched_for_a_client_that_has_the_bytes(fetched: list[list[str]]) -> None:
    etag = ask(Source())["ETag"]
    fetched.clear()
    assert ask(Source(), **{"If-None-Match": etag}).status_code == 304
    assert fetched == [["plain.etag"]]
