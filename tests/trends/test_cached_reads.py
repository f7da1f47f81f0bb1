"""Cached reads skip the API framework, and its checks still apply."""

from typing import Any

import pytest
from django.db import close_old_connections, connection

from tests.conftest import Client

from .factories import TrendFactory

API = "/api/v1/trends/"


@pytest.mark.django_db
def test_cached_reads_are_throttled(api: Client, settings: Any) -> None:
    settings.THROTTLE_ANON = "3/hour"
    assert [api.get(API).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert int(api.get(API)["Retry-After"]) > 0


@pytest.mark.django_db
def test_an_invalid_token_is_rejected_although_the_page_is_public(api: Client) -> None:
    assert api.get(API).status_code == 200
    response = api.get(API, HTTP_AUTHORIZATION="Bearer nonsense")
    assert response.status_code == 401
    assert response.json()["errors"][0]["code"] == "token_not_valid"


@pytest.mark.django_db
def test_a_signed_in_user_gets_the_same_page(api: Client, signed_in: Client) -> None:
    TrendFactory()
    assert api.get(API).content == signed_in.get(API).content == api.get(API).content


@pytest.mark.django_db
def test_a_head_response_has_no_body(api: Client) -> None:
    assert api.get(API).status_code == 200
    head = api.head(API)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", [API, f"{API}summary/", f"{API}radar/"])
def test_a_broken_database_connection_is_replaced(api: Client, path: str) -> None:
    assert api.get(path).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    other.close()
    close_old_connections()  # as at the start of each request
    assert api.get(path).status_code == 200


@pytest.mark.django_db
def test_without_redis_a_read_uses_postgres(api: Client, settings: Any) -> None:
    TrendFactory()
    assert api.get(API).json()["count"] == 1
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert api.get(API).json()["count"] == 1
