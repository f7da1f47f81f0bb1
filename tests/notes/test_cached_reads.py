"""Cached reads with an access token skip the API framework, and its checks still apply."""

import logging
import re
from datetime import timedelta
from typing import Any

import pytest
import redis
import time_machine
from django.contrib.sessions.models import Session
from django.db import close_old_connections, connection
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User, UserSession
from notes.models import Note
from tests.conftest import Client

from .conftest import Titles

NOTES = "/api/v1/notes/"
CACHED = [NOTES, f"{NOTES}?state=all", "/api/v1/labels/", "/api/v1/contacts/uploads/", "/api/v1/contacts/"]


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that are sent to Redis."""
    sent: list[str] = []
    execute = redis.Redis.execute_command

    def record(client: redis.Redis, *args: Any, **options: Any) -> Any:
        sent.append(args[0])
        return execute(client, *args, **options)

    monkeypatch.setattr(redis.Redis, "execute_command", record)
    return sent


@pytest.mark.parametrize("url", CACHED)
def test_a_cached_read_costs_one_query_and_one_round_trip_to_redis(
    owner: Client, note: Note, url: str, settings: Any, scripts: list[str], django_assert_num_queries: Any
) -> None:
    settings.THROTTLE_USER = "100/min"
    first, again = owner.get(url), owner.get(url)
    scripts.clear()
    with django_assert_num_queries(1):
        assert owner.get(url).content == first.content == again.content
    assert scripts == ["EVALSHA"]


def test_the_view_of_a_read_that_is_not_cached_uses_the_session_and_the_generation(
    owner: Client, note: Note, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(2):  # session and generation; the notes
        assert owner.get(NOTES).status_code == 200


def test_a_cached_response_has_the_headers_of_a_new_one(owner: Client, note: Note) -> None:
    new, cached = owner.get(NOTES), owner.get(NOTES)
    own = {"X-Request-ID", "Allow", "Vary"}  # only the view knows its methods
    assert {n: v for n, v in cached.items() if n not in own} == {n: v for n, v in new.items() if n not in own}
    assert cached["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= set(re.split(r",\s*", cached["Vary"]))


def test_a_client_that_has_the_bytes_gets_304(owner: Client, note: Note) -> None:
    etag = owner.get(NOTES)["ETag"]
    for known in (etag, f"W/{etag}", f'"other", {etag}', f'{etag[:-1]}-gzip"', "*"):
        again = owner.get(NOTES, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", etag)


def test_a_tag_that_only_contains_the_tag_is_another(owner: Client, note: Note) -> None:
    first = owner.get(NOTES)
    longer = f'"x{first["ETag"][1:]}'
    assert owner.get(NOTES, headers={"If-None-Match": longer}).content == first.content


def test_cached_reads_are_counted_and_throttled(owner: Client, note: Note, settings: Any) -> None:
    settings.THROTTLE_USER = "3/hour"
    assert [owner.get(NOTES).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    assert 0 < int(owner.get(NOTES)["Retry-After"]) <= 3600


def test_users_are_throttled_separately(owner: Client, stranger: Client, settings: Any) -> None:
    settings.THROTTLE_USER = "2/hour"
    assert [owner.get(NOTES).status_code for _ in range(3)] == [200, 200, 429]
    assert stranger.get(NOTES).status_code == 200


def test_an_ended_session_is_rejected(owner: Client, note: Note) -> None:
    assert {owner.get(NOTES).status_code for _ in range(2)} == {200}
    UserSession.objects.update(ended_at=Now())
    response = owner.get(NOTES)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (401, "token_not_valid")
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


def test_a_deactivated_user_is_rejected(owner: Client, user: User, note: Note) -> None:
    assert {owner.get(NOTES).status_code for _ in range(2)} == {200}
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert owner.get(NOTES).status_code == 401


def test_an_expired_token_is_rejected(owner: Client, note: Note) -> None:
    assert {owner.get(NOTES).status_code for _ in range(2)} == {200}
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        assert owner.get(NOTES).status_code == 401


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Basic YTpi", "bearer"])
def test_other_credentials_are_rejected(owner: Client, api: Client, note: Note, header: str) -> None:
    owner.get(NOTES)
    assert api.get(NOTES, HTTP_AUTHORIZATION=header).status_code == 401


def test_a_read_without_credentials_is_rejected(owner: Client, api: Client, note: Note) -> None:
    owner.get(NOTES)
    assert api.get(NOTES).status_code == 401
    assert not Session.objects.exists()


def test_a_token_in_the_url_is_rejected(owner: Client, note: Note) -> None:
    owner.get(NOTES)
    assert owner.get(f"{NOTES}?key=atr_secret").json()["errors"][0]["code"] == "token_in_url"


def test_the_log_line_has_the_user_id(owner: Client, user: User, note: Note, caplog: pytest.LogCaptureFixture) -> None:
    owner.get(NOTES)
    caplog.clear()
    with caplog.at_level(logging.INFO):
        owner.get(NOTES)
    (line,) = [r.msg for r in caplog.records if isinstance(r.msg, dict) and r.msg["event"] == "request_finished"]
    assert (line["request"], line["code"], line["user_id"]) == ("GET /api/v1/notes/", 200, user.pk)


def test_a_signed_in_read_of_a_public_page_counts_for_the_user(signed_in: Client, api: Client, settings: Any) -> None:
    settings.THROTTLE_USER, settings.THROTTLE_ANON = "2/hour", "100/hour"
    url = "/api/v1/trends/"
    assert [signed_in.get(url).status_code for _ in range(3)] == [200, 200, 429]
    assert api.get(url).status_code == 200


def test_cached_reads_are_served_without_redis(owner: Client, note: Note, titles: Titles, redis_away: None) -> None:
    for _ in range(2):
        assert titles(owner.get(NOTES)) == ["Groceries"]


@pytest.mark.django_db(transaction=True)
def test_a_broken_database_connection_is_replaced(owner: Client, note: Note, titles: Titles) -> None:
    owner.get(NOTES)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (backend,) = cursor.fetchone()
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])
    other.close()
    close_old_connections()  # as at the start of each request
    assert titles(owner.get(NOTES)) == ["Groceries"]
