"""Cached reads: the bytes of the last commit, with or without Redis."""

import gzip
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction
from django.test import RequestFactory

from config import caching
from config.memory import Memory
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db


def ask(produce, scope="thing:1", path="/x/?a=1", public=False, **headers):
    request = RequestFactory().get(path, headers=headers)
    return caching.cached_response(request, scope=scope, produce=produce, public=public)


class Source:
    """Counts how often it is asked."""

    def __init__(self):
        self.value, self.asked = "old", 0

    def __call__(self):
        self.asked += 1
        return {"value": self.value}


def test_the_second_read_is_the_first_one_s_bytes():
    source = Source()
    first, second = ask(source), ask(source)
    assert first.content == second.content == b'{"value":"old"}'
    assert first["ETag"] == second["ETag"]
    assert source.asked == 1


def test_an_answer_belongs_to_its_whole_address():
    """Links within it begin as the address does."""
    source = Source()
    for address in ("http://a.example/x/", "https://a.example/x/", "http://a.example/x/?a=1", "http://a.example/y/"):
        parts = urlsplit(address)
        path = f"{parts.path}?{parts.query}"
        request = RequestFactory().get(path, secure=parts.scheme == "https")
        caching.cached_response(request, scope="thing:1", produce=source)
    assert source.asked == 4


def test_a_bump_ends_the_old_bytes_of_its_scope_alone():
    mine, other = Source(), Source()
    ask(mine), ask(other, scope="thing:2")
    mine.value = other.value = "new"
    with transaction.atomic():
        caching.bump("thing:1")
    assert ask(mine).content == b'{"value":"new"}'
    assert ask(other, scope="thing:2").content == b'{"value":"old"}'


def test_a_bump_that_was_rolled_back_changes_nothing():
    source = Source()
    ask(source)
    with transaction.atomic():
        caching.bump("thing:1")
        transaction.set_rollback(True)
    ask(source)
    assert source.asked == 1


def test_bytes_made_before_a_write_are_not_kept_for_after_it():
    source = Source()

    def overtaken():
        data = source()
        source.value = "new"
        with transaction.atomic():
            caching.bump("thing:1")
        return data

    assert ask(overtaken).content == b'{"value":"old"}'
    assert ask(source).content == b'{"value":"new"}'


def test_a_client_that_has_the_bytes_gets_304():
    source = Source()
    etag = ask(source)["ETag"]
    again = ask(source, **{"If-None-Match": f'"other", W/{etag}'})
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)


def test_other_query_strings_are_other_answers():
    source = Source()
    ask(source, path="/x/?a=1&b=2")
    ask(source, path="/x/?b=2&a=1")
    assert source.asked == 1
    ask(source, path="/x/?a=2&b=2")
    assert source.asked == 2


def test_public_answers_are_kept_compressed_for_those_who_accept_it():
    big = {"text": "na " * 2000}
    packed = ask(lambda: big, public=True, **{"Accept-Encoding": "gzip, br"})
    plain = ask(lambda: big, public=True)
    assert packed["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert "Accept-Encoding" in packed["Vary"]


def test_without_redis_the_answer_comes_from_the_source_and_is_still_right(settings, monkeypatch):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(caching, "_client", None)
    source = Source()
    assert ask(source).content == b'{"value":"old"}'
    source.value = "new"
    with transaction.atomic():
        caching.bump("thing:1")
    assert ask(source).content == b'{"value":"new"}'


def test_a_write_that_redis_never_heard_of_still_ends_the_old_bytes(settings, monkeypatch):
    source = Source()
    ask(source)
    url = settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(caching, "_client", None)
    source.value = "new"
    with transaction.atomic():
        caching.bump("thing:1")
    settings.REDIS_URL = url
    monkeypatch.setattr(caching, "_client", None)
    monkeypatch.setattr(caching, "_rest_until", 0.0)
    assert ask(source).content == b'{"value":"new"}'


def test_a_cached_read_costs_one_query(django_assert_num_queries):
    source = Source()
    ask(source)
    with django_assert_num_queries(1, connection=connection):
        ask(source)


class TestWhatIsAtHand:
    """Public answers, which a process has in its own memory for a few seconds."""

    def test_redis_is_asked_once_for_what_everybody_reads(self, monkeypatch):
        source, asked = Source(), []
        ask(source, public=True)
        get = caching._get
        monkeypatch.setattr(caching, "_get", lambda *place: asked.append(place) or get(*place))
        answers = [ask(source, public=True) for _ in range(3)]
        assert {answer.content for answer in answers} == {b'{"value":"old"}'}
        assert {answer["ETag"] for answer in answers} == {answers[0]["ETag"]}
        assert (source.asked, len(asked)) == (1, 1)

    def test_a_bump_ends_it_at_once(self):
        source = Source()
        for _ in range(2):
            ask(source, public=True)
        source.value = "new"
        with transaction.atomic():
            caching.bump("thing:1")
        assert ask(source, public=True).content == b'{"value":"new"}'

    def test_what_is_somebody_s_own_is_not_there(self):
        for _ in range(2):
            ask(Source())
        assert not caching._near._kept

    def test_a_client_that_has_the_bytes_gets_304(self):
        etag = [ask(Source(), public=True)["ETag"] for _ in range(2)][0]
        assert ask(Source(), public=True, **{"If-None-Match": etag}).status_code == 304


class TestMemory:
    def test_the_longest_unasked_goes_first(self):
        memory = Memory(limit=25, seconds=60)
        for key in ("a", "b"):
            memory.put(key, b"x" * 10, key)
        memory.get("a")
        memory.put("c", b"x" * 10, "c")
        assert [key for key in "abc" if memory.get(key)] == ["a", "c"]

    def test_what_is_put_again_counts_once(self):
        memory = Memory(limit=25, seconds=60)
        memory.put("a", b"x" * 10, "a")
        for _ in range(5):
            memory.put("b", b"x" * 10, "b")
        assert memory.get("a")

    def test_a_body_past_the_limit_pushes_nothing_out(self):
        memory = Memory(limit=25, seconds=60)
        memory.put("a", b"x", "a")
        memory.put("b", b"x" * 26, "b")
        assert [key for key in "ab" if memory.get(key)] == ["a"]

    def test_nothing_outlives_its_seconds(self):
        memory = Memory(limit=25, seconds=0.01)
        memory.put("a", b"x", "a")
        wait_until(lambda: memory.get("a") is None, timeout=5)


def test_a_client_that_has_the_bytes_has_redis_send_the_tag_alone(monkeypatch):
    etag, fetched = ask(Source())["ETag"], []
    get = caching._get
    monkeypatch.setattr(caching, "_get", lambda key, *fields: fetched.append(fields) or get(key, *fields))
    assert ask(Source(), **{"If-None-Match": etag}).status_code == 304
    assert fetched == [("plain.etag",)]
