"""The pages of the second step, without a browser: state, redirects, limits, and MFA_REQUIRED."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client as DjangoClient

from accounts.factors import policy
from accounts.models import MfaTicket, Passkey, Totp, User, UserSession
from accounts.services.factors import second_step as service

from ..factories import PASSWORD, UserFactory
from .factors import App, add_passkey, set_up_app

SECOND_STEP = "/login/second-step/"
TWO_STEP = "/account/two-step/"


def enter_password(user: User, path: str = "/login/", next: str = "/account/", **options: Any) -> DjangoClient:
    client = DjangoClient(**options)
    field = "username" if "admin" in path else "login"
    response = client.post(path, {field: user.username, "password": PASSWORD, "next": next})
    assert (response.status_code, response["Location"]) == (302, SECOND_STEP)
    return client


def is_signed_in(client: DjangoClient) -> bool:
    return "_auth_user_id" in client.session


@pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
def test_the_password_alone_does_not_sign_in(staff: User, path: str) -> None:
    app, _ = set_up_app(staff)
    client = enter_password(staff, path, "/admin/")
    assert not is_signed_in(client)
    assert client.get("/admin/").status_code == 302
    response = client.post(SECOND_STEP, {"code": app.code(1)})
    assert (response.status_code, response["Location"]) == (302, "/admin/")
    assert is_signed_in(client)
    assert "second_step" not in client.session
    assert UserSession.objects.get(user=staff).signed_in_with == "password+totp"


def test_the_page_without_a_first_step_leads_to_the_sign_in_page(client: DjangoClient, db: None) -> None:
    for response in (client.get(SECOND_STEP), client.post(SECOND_STEP, {"code": "123456"})):
        assert (response.status_code, response["Location"]) == (302, "/login/")


def test_a_wrong_code_shows_the_form_and_five_end_the_step(user: User) -> None:
    _, codes = set_up_app(user)
    client = enter_password(user)
    assert b"Enter a code." in client.post(SECOND_STEP, {"code": ""}).content
    for _ in range(5):
        response = client.post(SECOND_STEP, {"code": "wrong"})
        assert response.status_code == 400
        assert b"This code is wrong, or it was already used." in response.content
    response = client.post(SECOND_STEP, {"code": codes[0]})
    assert (response.status_code, response["Location"]) == (302, "/login/?next=%2Faccount%2F")
    assert not is_signed_in(client)


def test_too_many_codes_of_the_account_are_429(user: User) -> None:
    app, codes = set_up_app(user)
    for _ in range(2):
        client = enter_password(user)
        for n in range(5):
            client.post(SECOND_STEP, {"code": f"{n:06}"})
    client = enter_password(user)
    response = client.post(SECOND_STEP, {"code": app.code(1)})
    assert response.status_code == 429
    assert b"Use a passkey or a recovery code" in response.content
    assert client.post(SECOND_STEP, {"code": codes[0]}).status_code == 302


def test_a_passkey_answers_the_page(user: User, settings: Any) -> None:
    authenticator = add_passkey(user)
    client = enter_password(user)
    page = client.get(SECOND_STEP).content.decode()
    options = json.loads(re.search(r'id="passkey-options"[^>]*>(.*?)</script>', page)[1])
    response = client.post(SECOND_STEP, {"credential": json.dumps(authenticator.get(options))})
    assert (response.status_code, response["Location"]) == (302, "/account/")


@pytest.mark.parametrize("credential", ["{", "[]", "1", '{"id": 1}', "[" * 5000, '{"a": "' + "x" * 30_000 + '"}'])
def test_a_malformed_passkey_is_an_error_of_the_form(user: User, credential: str) -> None:
    add_passkey(user)
    assert enter_password(user).post(SECOND_STEP, {"credential": credential}).status_code == 400
    start = service.begin_with_passkey()
    response = DjangoClient().post("/login/passkey/", {"ticket": start.ticket, "credential": credential})
    assert (response.status_code, response["Location"]) == (302, "/login/?next=")


def test_a_passkey_signs_in_on_the_page_and_only_once(user: User) -> None:
    authenticator = add_passkey(user)
    start = service.begin_with_passkey()
    form = {"ticket": start.ticket, "credential": json.dumps(authenticator.get(start.options)), "next": "/account/"}
    assert DjangoClient().post("/login/passkey/", form)["Location"] == "/account/"
    replay = DjangoClient()
    assert replay.post("/login/passkey/", form)["Location"].startswith("/login/")
    assert not is_signed_in(replay)


@pytest.mark.parametrize("next", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_the_second_step_redirects_only_within_the_site(user: User, next: str) -> None:
    _, codes = set_up_app(user)
    client = enter_password(user, next=next)
    assert client.post(SECOND_STEP, {"code": codes[0]})["Location"] == "/"


@pytest.mark.thorough
@pytest.mark.parametrize(
    "path", ["app/start/", "app/", "app/remove/", "passkeys/", "passkeys/{id}/", "passkeys/{id}/delete/", "codes/"]
)
def test_every_change_on_the_pages_needs_a_recent_sign_in(cookie_client: DjangoClient, user: User, path: str) -> None:
    set_up_app(user)
    add_passkey(user)
    UserSession.objects.update(authenticated_at=Now() - timedelta(minutes=16))
    response = cookie_client.post(TWO_STEP + path.format(id=Passkey.objects.get().pk))
    assert response.status_code == 302
    assert response["Location"].startswith("/account/reauthenticate/?next=")
    assert (Passkey.objects.count(), Totp.objects.exclude(secret="").count()) == (1, 1)


def test_reauthentication_keeps_its_page(cookie_client: DjangoClient, user: User) -> None:
    UserSession.objects.update(authenticated_at=Now() - timedelta(hours=1))
    url = "/account/reauthenticate/"
    wrong = cookie_client.post(url, {"password": "wrong", "next": "/account/"})
    assert wrong.status_code == 400
    assert cookie_client.post(url, {"password": PASSWORD, "next": "/account/"})["Location"] == "/account/"
    app, _ = set_up_app(user)
    assert cookie_client.post(url, {"password": PASSWORD}).status_code == 400
    assert cookie_client.post(url, {"code": app.code(1), "next": "//evil.example"})["Location"] == TWO_STEP


def test_the_secret_of_a_new_app_is_shown_only_after_a_recent_sign_in(cookie_client: DjangoClient, user: User) -> None:
    cookie_client.post(f"{TWO_STEP}app/start/")
    page = cookie_client.get(f"{TWO_STEP}app/")
    assert page["Cache-Control"].startswith("max-age=0") and "no-store" in page["Cache-Control"]
    assert b"<svg" in page.content
    UserSession.objects.update(authenticated_at=Now() - timedelta(hours=1))
    assert cookie_client.get(f"{TWO_STEP}app/").status_code == 302


def test_pages_and_admin_lead_to_the_setup_where_a_factor_is_required(db: None, settings: Any) -> None:
    settings.MFA_REQUIRED = "staff"
    staff = UserFactory(is_staff=True, is_superuser=True)
    client = DjangoClient()
    client.post("/login/", {"login": staff.username, "password": PASSWORD})
    for path in ("/", "/admin/", "/account/", "/notes/", "/admin/accounts/user/"):
        assert client.get(path)["Location"] == TWO_STEP
    assert client.post("/account/password/", {})["Location"] == TWO_STEP
    for path in ("/v/unknown/", "/r/unknown/", "/i/unknown/"):
        assert client.get(path).status_code == 400, "mailed links open"
    assert b"This site requires a second factor." in client.get(TWO_STEP).content
    assert client.get("/api/v1/notes/").status_code == 403
    client.post(f"{TWO_STEP}app/start/")
    secret = re.search(r"<pre>([A-Z2-7]{32})</pre>", client.get(f"{TWO_STEP}app/").content.decode())[1]
    assert b"recovery-codes" in client.post(f"{TWO_STEP}app/", {"code": App(secret).code()}).content
    assert client.get("/admin/").status_code == 200
    assert client.post(f"{TWO_STEP}app/remove/")["Location"] == TWO_STEP
    assert policy.has_factor(staff)


def test_the_admin_shows_factors_without_secrets(staff: User, user: User, client: DjangoClient) -> None:
    app, codes = set_up_app(user)
    add_passkey(user, "Blue key")
    service.begin(user=user, first_step="password")
    client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    stored = Totp.objects.get(user=user).secret
    for name in ("totp", "passkey", "recoverycode", "mfaticket", "wrongcode"):
        listed = client.get(f"/admin/accounts/{name}/")
        assert listed.status_code == 200, name
        rows = re.findall(rf'/admin/accounts/{name}/([^/"]+)/change/', listed.content.decode())
        for text in (listed, *(client.get(f"/admin/accounts/{name}/{row}/change/") for row in rows[:1])):
            content = text.content.decode()
            assert text.status_code == 200
            assert not any(secret in content for secret in (app.secret, stored, codes[0]))
            assert MfaTicket.objects.latest("pk").token_hash not in content
