"""Cached reads are served before the framework is asked: nothing that it sees to is lost by that."""

import pytest
import redis
from django.db import close_old_connections, connection

from config import caching

from .factories import TrendFactory

API = "/api/v1/trends/"


@pytest.mark.django_db
def test_cached_reads_are_throttled_like_any_other(api, settings):
    settings.THROTTLE_ANON = "3/hour"
    assert [api.get(API).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert int(api.get(API)["Retry-After"]) > 0


@pytest.mark.django_db
def test_a_token_that_is_not_good_is_refused_though_the_page_is_public(api):
    assert api.get(API).status_code == 200
    answer = api.get(API, HTTP_AUTHORIZATION="Bearer nonsense")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "token_not_valid"


@pytest.mark.django_db
def test_somebody_signed_in_gets_the_same_page(api, signed_in):
    TrendFactory()
    assert api.get(API).content == signed_in.get(API).content == api.get(API).content


@pytest.mark.django_db
def test_a_head_is_answered_without_a_body(api):
    assert api.get(API).status_code == 200
    head = api.head(API)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [API, f"{API}summary/"])
def test_a_connection_that_died_meanwhile_is_replaced(api, path):
    assert api.get(path).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (ours,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [ours])
    other.close()
    close_old_connections()  # as at the start of each request
    assert api.get(path).status_code == 200


@pytest.mark.django_db
def test_without_redis_it_is_read_from_postgres(api, settings, monkeypatch):
    TrendFactory()
    assert api.get(API).json()["count"] == 1
    gone = redis.Redis(host="127.0.0.1", port=1, socket_connect_timeout=0.2)
    monkeypatch.setattr(caching, "_client", gone)
    assert api.get(API).json()["count"] == 1
    monkeypatch.setattr(caching, "_rest_until", 0.0)
