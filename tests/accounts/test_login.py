"""Logging in: accepted and refused credentials, and what the responses reveal."""

import threading
import unicodedata
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.db import connection
from django.db.models.functions import Now
from django.test import Client as DjangoClient

from accounts.hashers import Argon2idHasher
from accounts.models import User, UserSession

from ..conftest import Client, Inbox
from ..factories import PASSWORD, UserFactory
from . import mails
from .helpers import AUTH, bearer, error_codes, log_in

REGISTERED = "the password of a registration"


def register(api: Client, username: str, email: str) -> None:
    body = {"email": email, "username": username, "password": REGISTERED}
    assert api.post(f"{AUTH}register/", body).status_code == 201


def attempt(api: Client, password: str = PASSWORD, **login: str) -> Any:
    return api.post(f"{AUTH}login/", {**login, "password": password})


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
def test_address_and_username_work_in_any_case(api: Client, named: dict[str, str]) -> None:
    UserFactory(username="ada", email="Ada@example.org")
    response = attempt(api, **named)
    assert response.status_code == 200
    assert set(response.json()) == {"access", "refresh", "user"}
    assert response.json()["user"]["username"] == "ada"
    assert api.get(f"{AUTH}profile/", **bearer(response.json()["access"])).status_code == 200


def test_an_unknown_account_gets_the_same_response_as_a_wrong_password(api: Client, user: User) -> None:
    wrong, unknown = attempt(api, "wrong", email=user.email), attempt(api, "wrong", email="nobody@example.org")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.content == unknown.content
    assert error_codes(wrong) == [("invalid_credentials", None)]


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that are computed from now on."""
    computed: list[str] = []
    for name in ("encode", "verify"):
        real = getattr(Argon2idHasher, name)

        def record(self: Any, *args: Any, real: Any = real, name: str = name) -> Any:
            computed.append(name)
            return real(self, *args)

        monkeypatch.setattr(Argon2idHasher, name, record)
    return computed


@pytest.mark.thorough
def test_every_failure_costs_two_hashes(api: Client, user: User, hashes: list[str]) -> None:
    UserFactory(username="inactive", email="inactive@example.org", is_active=False)
    UserFactory(username="unusable", email="unusable@example.org", password="!")
    register(api, "known", user.email)
    register(api, "free", "free@example.org")
    for login, password, status in [
        (user.email, "wrong", 401),
        (user.username, "wrong", 401),
        ("nobody@example.org", "wrong", 401),
        ("nobody", "wrong", 401),
        ("known", "wrong", 401),
        ("free", "wrong", 401),
        ("free@example.org", "wrong", 401),
        ("inactive", PASSWORD, 401),
        ("unusable", "wrong", 401),
        ("known", REGISTERED, 403),
        ("free", REGISTERED, 403),
        (user.email, REGISTERED, 403),
        ("free@example.org", REGISTERED, 403),
    ]:
        hashes.clear()
        assert (attempt(api, password, username=login).status_code, len(hashes)) == (status, 2), login


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("typed", ["NFC", "NFD"])
def test_a_password_works_in_every_unicode_form(api: Client, stored: Any, typed: Any) -> None:
    """Earlier versions hashed passwords as they were typed."""
    password = "p\u00e4ssw\u00f6rd with acc\u00e8nts"
    user = UserFactory(password=make_password(unicodedata.normalize(stored, password)))
    assert attempt(api, unicodedata.normalize(typed, password), email=user.email).status_code == 200


def test_a_new_password_is_stored_in_nfc(api: Client, user: User) -> None:
    new = "nai\u0308ve horse battery"
    change = {"current_password": PASSWORD, "new_password": new}
    assert api.as_user(user).post(f"{AUTH}change-password/", change).status_code == 204
    user.refresh_from_db()
    assert check_password(unicodedata.normalize("NFC", new), user.password)
    assert attempt(api, new, email=user.email).status_code == 200


def test_an_unconfirmed_address_is_reported_only_after_the_right_password(api: Client) -> None:
    UserFactory(email="new@example.org", email_verified_at=None)
    assert error_codes(attempt(api, "wrong", email="new@example.org")) == [("invalid_credentials", None)]
    right = attempt(api, email="new@example.org")
    assert (right.status_code, error_codes(right)) == (403, [("email_not_verified", None)])


def test_a_deactivated_user_cannot_log_in(api: Client) -> None:
    gone = UserFactory(is_active=False)
    assert error_codes(attempt(api, email=gone.email)) == [("invalid_credentials", None)]


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
        {"email": "ada@example.org", "password": 12345678},
        {"email": 648067170, "username": "decoy", "password": PASSWORD},
        {"username": 648067170, "password": PASSWORD},
        {"email": True, "password": PASSWORD},
    ],
    ids=lambda body: str(body)[:40],
)
def test_a_malformed_login_is_400(api: Client, body: Any) -> None:
    assert api.post(f"{AUTH}login/", body).status_code == 400


def test_an_expired_access_token_does_not_prevent_login_or_refresh(api: Client, user: User) -> None:
    api.credentials(HTTP_AUTHORIZATION="Bearer expired.and.gone")
    tokens = log_in(api, user)
    assert api.post(f"{AUTH}token/refresh/", {"refresh": tokens["refresh"]}).status_code == 200


def test_login_upgrades_an_old_hash_and_ends_no_session(api: Client, user: User) -> None:
    elsewhere = log_in(api, user)
    User.objects.filter(pk=user.pk).update(password=PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1000))
    log_in(api, user)
    user.refresh_from_db()
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    assert api.get(f"{AUTH}profile/", **bearer(elsewhere["access"])).status_code == 200


def test_the_owner_gets_a_notice_of_a_new_device_only(api: Client, user: User, smtp: Inbox) -> None:
    home = {"REMOTE_ADDR": "192.0.2.7", "HTTP_USER_AGENT": "Phone"}
    log_in(api, user, **home)
    log_in(api, user, **home)
    log_in(api, user, **{**home, "REMOTE_ADDR": "192.0.2.9"})
    mails.send_due_mail()
    assert not smtp.messages
    log_in(api, user, REMOTE_ADDR="203.0.113.5", HTTP_USER_AGENT="Another")
    mails.send_due_mail()
    (notice,) = smtp.to(user.email)
    assert "203.0.113.5" in mails.text_of(notice)


def test_login_stores_device_and_time(api: Client, user: User) -> None:
    log_in(api, user, REMOTE_ADDR="2001:db8::7", HTTP_USER_AGENT="A" * 1000)
    session = UserSession.objects.get(user=user)
    assert (session.ip, session.user_agent) == ("2001:db8::7", "A" * 300)
    user.refresh_from_db()
    assert user.last_login is not None


@pytest.mark.django_db(transaction=True)
def test_no_session_starts_with_the_old_password_after_a_concurrent_change(client: DjangoClient) -> None:
    """The login has checked the old password before the change ends all sessions."""
    from accounts.devices import Device
    from accounts.services import passwords, sessions

    user = UserFactory()
    checked = sessions.check_credentials(request=client.get("/").wsgi_request, login=user.email, password=PASSWORD)

    def change() -> None:
        passwords.change_password(
            user=user, current=PASSWORD, new="another horse battery staple", keep=None, device=Device()
        )
        connection.close()

    thread = threading.Thread(target=change)
    thread.start()
    thread.join()
    with pytest.raises(sessions.InvalidCredentials):
        sessions.sign_in(user=checked, password=PASSWORD, device=Device())
    assert not UserSession.objects.live().filter(user=user).exists()


def test_authentication_with_a_token_costs_one_query(api: Client, user: User, django_assert_num_queries: Any) -> None:
    access = log_in(api, user)["access"]
    api.credentials(**bearer(access))
    with django_assert_num_queries(1):
        assert api.post(f"{AUTH}token/verify/", {"token": access}).status_code == 200
    with django_assert_num_queries(2):  # authentication and the profile
        assert api.get(f"{AUTH}profile/").status_code == 200


def test_sessions_last_90_days_at_most(api: Client, user: User) -> None:
    tokens = log_in(api, user)
    session = UserSession.objects.get(user=user)
    assert timedelta(days=89) < session.expires_at - session.created_at <= timedelta(days=90, seconds=5)
    UserSession.objects.filter(pk=session.pk).update(expires_at=Now())
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    assert api.post(f"{AUTH}token/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
