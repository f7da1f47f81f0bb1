"""Tokens: which are good, how they are renewed, and what ends them."""

import base64
import json
import threading
import time
from datetime import timedelta

import jwt
import pytest
from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import UserSession

from ..factories import UserFactory
from .steps import AUTH, bearer, codes, log_in

PHONE = {"REMOTE_ADDR": "192.0.2.1", "HTTP_USER_AGENT": "Phone"}
THIEF = {"REMOTE_ADDR": "203.0.113.9", "HTTP_USER_AGENT": "Phone"}


def refresh(api, token, **client):
    return api.post(f"{AUTH}token/refresh/", {"refresh": token}, **{**PHONE, **client})


def profile(api, access):
    return api.get(f"{AUTH}profile/", **bearer(access)).status_code


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def age(seconds):
    """Let the session's last refresh lie ``seconds`` back."""
    UserSession.objects.update(refresh_issued_at=F("refresh_issued_at") - timedelta(seconds=seconds))


def forged(access, key=settings.JWT_SIGNING_KEY, algorithm="HS256", **changes):
    return jwt.encode({**claims(access), **changes}, key, algorithm=algorithm)


def unsigned(access):
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT"}).encode()).rstrip(b"=").decode()
    return f"{header}.{access.split('.')[1]}."


@pytest.mark.parametrize(
    "spoil",
    [
        unsigned,
        lambda t: forged(t, key="another key that is long enough for it"),
        lambda t: forged(t, algorithm="HS512"),
        lambda t: forged(t, key=settings.SECRET_KEY),
        lambda t: forged(t, exp=int(time.time()) - 1),
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
    ids=["none", "other key", "algorithm", "secret key", "expired", "kind", "issuer", "no such session", "no uuid",
         "null", "other user", "no number", "huge number", "cut", "longer", "empty", "garbage", "bytes", "long"],
)  # fmt: skip
def test_a_token_that_is_not_ours_is_401(api, user, spoil):
    access = log_in(api, user)["access"]
    assert profile(api, access) == 200
    answer = api.get(f"{AUTH}profile/", **bearer(spoil(access)))
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_a_refresh_token_gives_no_access_and_an_access_token_no_refresh(api, user):
    tokens = log_in(api, user)
    assert profile(api, tokens["refresh"]) == 401
    assert refresh(api, tokens["access"]).status_code == 401


def test_tokens_live_ten_minutes_and_fourteen_days(api, user):
    tokens = log_in(api, user)
    access, renewal = claims(tokens["access"]), claims(tokens["refresh"])
    assert access["exp"] - access["iat"] == 600
    assert renewal["exp"] - renewal["iat"] == 14 * 24 * 3600


def test_a_refresh_never_outlives_its_session(api, user):
    tokens = log_in(api, user, **PHONE)
    UserSession.objects.update(expires_at=Now() + timedelta(days=3))
    renewed = claims(refresh(api, tokens["refresh"]).json()["refresh"])
    assert renewed["exp"] - renewed["iat"] <= 3 * 24 * 3600


def test_refreshing_spends_the_token_and_gives_new_ones(api, user):
    first = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    assert second["refresh"] != first["refresh"]
    assert profile(api, second["access"]) == 200
    third = refresh(api, second["refresh"])
    assert third.status_code == 200


def test_a_client_that_lost_the_answer_gets_the_same_successor(api, user):
    first = log_in(api, user, **PHONE)
    successors = {refresh(api, first["refresh"]).json()["refresh"] for _ in range(3)}
    assert len(successors) == 1
    assert refresh(api, successors.pop()).status_code == 200


def test_a_spent_token_presented_late_ends_its_session(api, user):
    first = log_in(api, user, **PHONE)
    other = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    age(seconds=11)
    again = refresh(api, first["refresh"])
    assert (again.status_code, codes(again)) == (401, [("token_not_valid", None)])
    assert profile(api, second["access"]) == 401
    assert refresh(api, second["refresh"]).status_code == 401
    assert profile(api, other["access"]) == 200, "only that session ends"


def test_a_spent_token_presented_by_another_client_ends_its_session_at_once(api, user):
    first = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    assert refresh(api, first["refresh"], **THIEF).status_code == 401
    assert profile(api, second["access"]) == 401


def test_a_token_spent_two_refreshes_ago_ends_its_session(api, user):
    first = log_in(api, user, **PHONE)
    second = refresh(api, first["refresh"]).json()
    third = refresh(api, second["refresh"]).json()
    assert refresh(api, first["refresh"]).status_code == 401
    assert profile(api, third["access"]) == 401


@pytest.mark.django_db(transaction=True)
def test_of_eight_refreshes_at_once_exactly_one_rotates(api):
    first = log_in(api, UserFactory(), **PHONE)
    answers = at_once(api, [(first["refresh"], PHONE)] * 8)
    assert {status for status, _ in answers} == {200}
    assert len({body["refresh"] for _, body in answers}) == 1
    session = UserSession.objects.get()
    assert session.spent_jti == claims(first["refresh"])["jti"], "it was rotated once"


@pytest.mark.django_db(transaction=True)
def test_of_eight_clients_with_one_token_exactly_one_succeeds(api):
    first = log_in(api, UserFactory(), **PHONE)
    thieves = [(first["refresh"], {**THIEF, "REMOTE_ADDR": f"203.0.113.{n}"}) for n in range(8)]
    answers = at_once(api, thieves)
    assert sorted(status for status, _ in answers) == [200] + [401] * 7
    assert UserSession.objects.get().ended_at is not None


def at_once(api, requests):
    answers = []
    start = threading.Barrier(len(requests))

    def run(token, client):
        start.wait()
        answer = type(api)().post(f"{AUTH}token/refresh/", {"refresh": token}, **client)
        answers.append((answer.status_code, answer.json()))
        connection.close()

    threads = [threading.Thread(target=run, args=each) for each in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_a_refresh_after_the_user_is_gone_is_401(api, user):
    tokens = log_in(api, user)
    user.delete()
    assert refresh(api, tokens["refresh"]).status_code == 401
    assert profile(api, tokens["access"]) == 401


@pytest.mark.parametrize("token", [None, 7, "", "x", "x" * 5000, "\x00", ["a"]], ids=lambda token: str(token)[:10])
def test_what_is_no_refresh_token_is_refused(api, token):
    assert refresh(api, token).status_code in (400, 401)


def test_a_session_unused_for_fourteen_days_is_over(api, user):
    tokens = log_in(api, user, **PHONE)
    age(seconds=14 * 24 * 3600 + 1)
    assert profile(api, tokens["access"]) == 401


def test_token_verify_tells_good_ones_from_others(api, user):
    tokens = log_in(api, user, **PHONE)
    for kind in ("access", "refresh"):
        answer = api.post(f"{AUTH}token/verify/", {"token": tokens[kind]})
        assert (answer.status_code, answer.json()["type"]) == (200, kind)
    renewed = refresh(api, tokens["refresh"]).json()
    assert api.post(f"{AUTH}token/verify/", {"token": tokens["refresh"]}).status_code == 401, "it is spent"
    api.post(f"{AUTH}logout/", {"refresh": renewed["refresh"]})
    for token in (renewed["access"], renewed["refresh"], "nonsense"):
        answer = api.post(f"{AUTH}token/verify/", {"token": token})
        assert (answer.status_code, codes(answer)) == (401, [("token_not_valid", None)])


def test_logging_out_ends_the_access_token_too_and_can_be_repeated(api, user):
    tokens, other = log_in(api, user), log_in(api, user)
    for _ in range(2):
        assert api.post(f"{AUTH}logout/", {"refresh": tokens["refresh"]}).status_code == 204
    assert profile(api, tokens["access"]) == 401
    assert refresh(api, tokens["refresh"]).status_code == 401
    assert profile(api, other["access"]) == 200
    assert api.post(f"{AUTH}logout/", {"refresh": "nonsense"}).status_code == 401
    assert api.post(f"{AUTH}logout/", {}).status_code == 400
