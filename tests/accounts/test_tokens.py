"""Tokens: which are valid, how they are refreshed, and what ends them."""

import base64
import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import User, UserSession

from ..conftest import Client
from ..factories import UserFactory
from .helpers import AUTH, bearer, error_codes, log_in

PHONE = {"REMOTE_ADDR": "192.0.2.1", "HTTP_USER_AGENT": "Phone"}
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.9", "HTTP_USER_AGENT": "Phone"}


def refresh(api: Client, token: Any, **client: str) -> Any:
    return api.post(f"{AUTH}token/refresh/", {"refresh": token}, **{**PHONE, **client})


def profile_status(api: Client, access: str) -> int:
    return api.get(f"{AUTH}profile/", **bearer(access)).status_code


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


def age_last_refresh(seconds: int) -> None:
    """Move the last refresh of all sessions ``seconds`` into the past."""
    UserSession.objects.update(refresh_issued_at=F("refresh_issued_at") - timedelta(seconds=seconds))


def forged(access: str, key: str = settings.JWT_SIGNING_KEY, algorithm: str = "HS256", **changes: Any) -> str:
    return jwt.encode({**claims(access), **changes}, key, algorithm=algorithm)


def unsigned(access: str) -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    return f"{header}.{access.split('.')[1]}."


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        lambda t: forged(t, key="another key that is long enough for it"),
        lambda t: forged(t, algorithm="HS512"),
        lambda t: forged(t, key=settings.SECRET_KEY),
        lambda t: forged(t, exp=int(time.time()) - 60),
        lambda t: forged(t, iat=int(time.time()) + 60),
        lambda t: forged(t, token_type="refresh"),
        lambda t: forged(t, iss="somebody"),
        lambda t: forged(t, sid="00000000-0000-0000-0000-000000000000"),
        lambda t: forged(t, sid="x"),
        lambda t: forged(t, sid=None),
        lambda t: forged(t, user_id=10**9),
        lambda t: forged(t, user_id="x"),
        lambda t: forged(t, user_id=10**30),
        lambda t: t[:-4],
        lambda t: t + "a",
        lambda t: "",
        lambda t: "a.b.c",
        lambda t: "\udcff".encode("utf-8", "surrogateescape").decode("latin-1"),
        lambda t: "x" * 8000,
    ],
    ids=["none", "other key", "algorithm", "secret key", "expired", "from the future", "type", "issuer",
         "unknown session", "not a uuid", "null", "other user", "not a number", "huge number", "cut", "longer", "empty",
         "garbage", "bytes", "long"],
)  # fmt: skip
def test_an_invalid_token_is_401(api: Client, user: User, forge: Callable[[str], str]) -> None:
    access = log_in(api, user)["access"]
    assert profile_status(api, access) == 200
    response = api.get(f"{AUTH}profile/", **bearer(forge(access)))
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_access_and_refresh_tokens_are_not_interchangeable(api: Client, user: User) -> None:
    tokens = log_in(api, user)
    assert profile_status(api, tokens["refresh"]) == 401
    assert refresh(api, tokens["access"]).status_code == 401


def test_tokens_live_ten_minutes_and_fourteen_days(api: Client, user: User) -> None:
    tokens = log_in(api, user)
    access, renewal = claims(tokens["access"]), claims(tokens["refresh"])
    assert access["exp"] - access["iat"] == 600
    assert renewal["exp"] - renewal["iat"] == 14 * 24 * 3600


def test_a_refresh_token_does_not_outlive_its_session(api: Client, user: User) -> None:
    tokens = log_in(api, user, **PHONE)
    UserSession.objects.update(expires_at=Now() + timedelta(days=3))
    renewed = claims(refresh(api, tokens["refresh"]).json()["refresh"])
    assert renewed["exp"] - renewed["iat"] <= 3 * 24 * 3600


def test_a_refresh_rotates_the_token(api: Client, user: User) -> None:
    first = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    assert second["refresh"] != first["refresh"]
    assert profile_status(api, second["access"]) == 200
    third = refresh(api, second["refresh"])
    assert third.status_code == 200


def test_a_repeated_refresh_gets_the_same_response_from_any_address(api: Client, user: User) -> None:
    first = log_in(api, user, **PHONE)
    responses = [refresh(api, first["refresh"], **client) for client in (PHONE, ELSEWHERE, PHONE)]
    assert {response.content for response in responses} == {responses[0].content}
    age_last_refresh(seconds=9 * 60)
    assert refresh(api, first["refresh"]).status_code == 200
    assert refresh(api, responses[0].json()["refresh"]).status_code == 200


def use_access_token(api: Client, tokens: dict[str, str]) -> None:
    assert profile_status(api, tokens["access"]) == 200


def use_refresh_token(api: Client, tokens: dict[str, str]) -> None:
    assert refresh(api, tokens["refresh"]).status_code == 200


@pytest.mark.parametrize("use", [use_access_token, use_refresh_token])
def test_a_spent_token_ends_its_session_once_a_token_of_the_response_was_used(
    api: Client, user: User, use: Callable[[Client, dict[str, str]], None]
) -> None:
    first = log_in(api, user, **PHONE)
    other = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    use(api, second)
    again = refresh(api, first["refresh"])
    assert (again.status_code, error_codes(again)) == (401, [("token_not_valid", None)])
    assert profile_status(api, second["access"]) == 401
    assert refresh(api, second["refresh"]).status_code == 401
    assert profile_status(api, other["access"]) == 200, "other sessions stay"


def test_the_old_access_token_does_not_end_the_repeats(api: Client, user: User) -> None:
    """A client that lost the response still uses its old access token."""
    first = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    assert profile_status(api, first["access"]) == 200
    assert refresh(api, first["refresh"]).json() == second


def test_a_spent_token_ends_its_session_after_ten_minutes(api: Client, user: User) -> None:
    first = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    age_last_refresh(seconds=601)
    assert refresh(api, first["refresh"]).status_code == 401
    assert refresh(api, second["refresh"]).status_code == 401


def test_a_token_issued_by_a_server_whose_clock_is_ahead_is_valid(api: Client, user: User) -> None:
    access = log_in(api, user)["access"]
    assert profile_status(api, forged(access, iat=int(time.time()) + 3)) == 200
    assert profile_status(api, forged(access, exp=int(time.time()) - 3)) == 200


def test_a_token_spent_two_refreshes_ago_ends_its_session(api: Client, user: User) -> None:
    first = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    third = refresh(api, second["refresh"]).json()
    assert refresh(api, first["refresh"]).status_code == 401
    assert profile_status(api, third["access"]) == 401


@pytest.mark.django_db(transaction=True)
def test_of_eight_concurrent_refreshes_exactly_one_rotates(api: Client) -> None:
    first = log_in(api, UserFactory(), **PHONE)
    clients = [{**PHONE, "REMOTE_ADDR": f"203.0.113.{n}"} for n in range(8)]
    responses = refresh_concurrently(api, [(first["refresh"], client) for client in clients])
    assert {status for status, _ in responses} == {200}
    assert len({(body["access"], body["refresh"]) for _, body in responses}) == 1
    session = UserSession.objects.get()
    assert session.spent_jti == claims(first["refresh"])["jti"], "rotated once"


def refresh_concurrently(api: Client, requests: list[tuple[str, dict[str, str]]]) -> list[tuple[int, Any]]:
    responses = []
    start = threading.Barrier(len(requests))

    def run(token: str, client: dict[str, str]) -> None:
        start.wait()
        response = type(api)().post(f"{AUTH}token/refresh/", {"refresh": token}, **client)
        responses.append((response.status_code, response.json()))
        connection.close()

    threads = [threading.Thread(target=run, args=each) for each in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return responses


def test_a_refresh_after_the_deletion_of_the_user_is_401(api: Client, user: User) -> None:
    tokens = log_in(api, user)
    user.delete()
    assert refresh(api, tokens["refresh"]).status_code == 401
    assert profile_status(api, tokens["access"]) == 401


@pytest.mark.parametrize("token", [None, 7, "", "x", "x" * 5000, "\x00", ["a"]], ids=lambda token: str(token)[:10])
def test_a_malformed_refresh_token_is_refused(api: Client, token: Any) -> None:
    assert refresh(api, token).status_code in (400, 401)


def test_a_session_unused_for_fourteen_days_expires(api: Client, user: User) -> None:
    tokens = log_in(api, user, **PHONE)
    age_last_refresh(seconds=14 * 24 * 3600 + 1)
    assert profile_status(api, tokens["access"]) == 401


def test_token_verify_accepts_only_valid_tokens(api: Client, user: User) -> None:
    tokens = log_in(api, user, **PHONE)
    for kind in ("access", "refresh"):
        response = api.post(f"{AUTH}token/verify/", {"token": tokens[kind]})
        assert (response.status_code, response.json()["type"]) == (200, kind)
    renewed = refresh(api, tokens["refresh"]).json()
    assert api.post(f"{AUTH}token/verify/", {"token": tokens["refresh"]}).status_code == 401, "spent"
    api.post(f"{AUTH}logout/", {"refresh": renewed["refresh"]})
    for token in (renewed["access"], renewed["refresh"], "nonsense"):
        response = api.post(f"{AUTH}token/verify/", {"token": token})
        assert (response.status_code, error_codes(response)) == (401, [("token_not_valid", None)])


def test_logout_ends_the_access_token_and_is_idempotent(api: Client, user: User) -> None:
    tokens, other = log_in(api, user), log_in(api, user)
    for _ in range(2):
        assert api.post(f"{AUTH}logout/", {"refresh": tokens["refresh"]}).status_code == 204
    assert profile_status(api, tokens["access"]) == 401
    assert refresh(api, tokens["refresh"]).status_code == 401
    assert profile_status(api, other["access"]) == 200
    assert api.post(f"{AUTH}logout/", {"refresh": "nonsense"}).status_code == 401
    assert api.post(f"{AUTH}logout/", {}).status_code == 400
