"""Logging in: who gets in, who does not, and what is told to whom."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.db.models.functions import Now

from accounts.models import User, UserSession

from ..factories import PASSWORD, UserFactory
from . import mails
from .steps import AUTH, bearer, codes, log_in


def attempt(api, password=PASSWORD, **named):
    return api.post(f"{AUTH}login/", {**named, "password": password})


@pytest.mark.parametrize(
    "named",
    [
        {"email": "ada@example.org"},
        {"email": "ADA@Example.ORG"},
        {"username": "ada"},
        {"username": "Ada"},
        {"username": "ada@example.org"},
        {"email": " ada@example.org "},
    ],
    ids=str,
)
def test_an_address_or_a_username_without_regard_to_case_signs_in(api, named):
    UserFactory(username="ada", email="Ada@example.org")
    answer = attempt(api, **named)
    assert answer.status_code == 200
    assert set(answer.json()) == {"access", "refresh", "user"}
    assert answer.json()["user"]["username"] == "ada"
    assert api.get(f"{AUTH}profile/", **bearer(answer.json()["access"])).status_code == 200


def test_an_unknown_account_reads_like_a_wrong_password(api, user):
    wrong, unknown = attempt(api, "wrong", email=user.email), attempt(api, "wrong", email="nobody@example.org")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert codes(wrong) == [("invalid_credentials", None)]


def test_an_unknown_account_is_hashed_for_like_a_known_one(api, user, monkeypatch):
    from accounts.hashers import Argon2idHasher

    hashed = []
    for name in ("encode", "verify"):
        real = getattr(Argon2idHasher, name)
        monkeypatch.setattr(
            Argon2idHasher, name, lambda self, *a, real=real, name=name: hashed.append(name) or real(self, *a)
        )
    attempt(api, "wrong", email=user.email)
    attempt(api, "wrong", email="nobody@example.org")
    assert len(hashed) == 2


def test_that_an_address_is_not_confirmed_is_told_only_after_the_right_password(api):
    UserFactory(email="new@example.org", email_verified_at=None)
    assert codes(attempt(api, "wrong", email="new@example.org")) == [("invalid_credentials", None)]
    right = attempt(api, email="new@example.org")
    assert (right.status_code, codes(right)) == (403, [("email_not_verified", None)])


def test_who_was_deactivated_does_not_get_in(api):
    gone = UserFactory(is_active=False)
    assert codes(attempt(api, email=gone.email)) == [("invalid_credentials", None)]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "ada@example.org"},
        {"password": PASSWORD},
        {"email": "", "username": "", "password": PASSWORD},
        {"email": ["ada"], "password": PASSWORD},
        {"email": "ada@example.org", "password": "x" * 129},
        {"email": "ada@example.org", "password": "x" * 5_000_000},
        {"email": "nul\x00", "password": PASSWORD},
        {"email": "ada@example.org", "password": {"$gt": ""}},
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_malformed_log_in_is_400(api, body):
    assert api.post(f"{AUTH}login/", body).status_code == 400


def test_an_expired_access_token_does_not_hinder_logging_in_or_refreshing(api, user):
    api.credentials(HTTP_AUTHORIZATION="Bearer expired.and.gone")
    tokens = log_in(api, user)
    assert api.post(f"{AUTH}token/refresh/", {"refresh": tokens["refresh"]}).status_code == 200


def test_an_old_hash_is_renewed_at_log_in_and_ends_no_session(api, user):
    elsewhere = log_in(api, user)
    User.objects.filter(pk=user.pk).update(password=PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1000))
    log_in(api, user)
    user.refresh_from_db()
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert api.get(f"{AUTH}profile/", **bearer(elsewhere["access"])).status_code == 200


def test_a_new_device_is_told_to_the_owner_and_a_known_one_is_not(api, user, smtp):
    home = {"REMOTE_ADDR": "192.0.2.7", "HTTP_USER_AGENT": "Phone"}
    log_in(api, user, **home)
    log_in(api, user, **home)
    log_in(api, user, **{**home, "REMOTE_ADDR": "192.0.2.9"})
    mails.send_all()
    assert not smtp.messages
    log_in(api, user, REMOTE_ADDR="203.0.113.5", HTTP_USER_AGENT="Somebody else's")
    mails.send_all()
    (notice,) = smtp.to(user.email)
    assert "203.0.113.5" in mails.text_of(notice)


def test_logging_in_notes_device_and_time(api, user):
    log_in(api, user, REMOTE_ADDR="2001:db8::7", HTTP_USER_AGENT="A" * 1000)
    session = UserSession.objects.get(user=user)
    assert (session.ip, session.user_agent) == ("2001:db8::7", "A" * 300)
    user.refresh_from_db()
    assert user.last_login is not None


@pytest.mark.django_db(transaction=True)
def test_a_session_never_begins_behind_the_back_of_a_password_change(client):
    """The log-in has checked the old password when the change ends all sessions: no new one may follow."""
    from accounts.devices import Device
    from accounts.services import passwords, sessions

    user = UserFactory()
    checked = sessions.check_credentials(request=client.get("/").wsgi_request, login=user.email, password=PASSWORD)
    thread = threading.Thread(
        target=lambda: (
            passwords.change_password(
                user=user, current=PASSWORD, new="another horse battery staple", keep=None, device=Device()
            ),
            connection.close(),
        )
    )
    thread.start()
    thread.join()
    with pytest.raises(sessions.InvalidCredentials):
        sessions.sign_in(user=checked, password=PASSWORD, device=Device())
    assert not UserSession.objects.live().filter(user=user).exists()


def test_one_query_serves_an_authenticated_request_beyond_its_own(api, user, django_assert_num_queries):
    access = log_in(api, user)["access"]
    api.credentials(**bearer(access))
    with django_assert_num_queries(1):
        assert api.post(f"{AUTH}token/verify/", {"token": access}).status_code == 200
    with django_assert_num_queries(2) as captured:  # who asks, and the profile
        assert api.get(f"{AUTH}profile/").status_code == 200
    assert 'JOIN "accounts_user"' in captured.captured_queries[0]["sql"]


def test_sessions_last_90_days_at_most(api, user):
    tokens = log_in(api, user)
    session = UserSession.objects.get(user=user)
    assert timedelta(days=89) < session.expires_at - session.created_at <= timedelta(days=90, seconds=5)
    UserSession.objects.filter(pk=session.pk).update(expires_at=Now())
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    assert api.post(f"{AUTH}token/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
