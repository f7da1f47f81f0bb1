"""Sign-in with the provider: which account it opens, connecting, and signing in again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db.models.functions import Now
from django.test import Client as DjangoClient

from accounts.models import OidcAttempt, OidcIdentity, User, UserSession
from accounts.services import deletion
from config import mail
from config.audit.models import AuditRecord

from ..accounts.factors import set_up_app
from ..accounts.helpers import AUTH, cookie_client_for, error_codes
from ..conftest import Client, Inbox
from ..factories import PASSWORD, UserFactory
from .fake import FakeProvider

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Any]


def user_of(browser: DjangoClient) -> User | None:
    """Return who is signed in in ``browser``."""
    return User.objects.filter(pk=browser.session.get("_auth_user_id")).first()


@pytest.fixture
def ada(db: None) -> User:
    return UserFactory(username="ada", email="Ada@example.org")


def without_password(provider: FakeProvider, user: User) -> User:
    """Make ``user`` one that signs in with the provider only."""
    user.set_unusable_password()
    user.save()
    OidcIdentity.objects.create(user=user, issuer=provider.url, subject="subject-1")
    return user


def make_old(user: User) -> None:
    """Let the sign-ins of ``user`` be an hour old."""
    UserSession.objects.filter(user=user).update(authenticated_at=Now() - timedelta(hours=1))


def test_the_first_sign_in_connects_the_account_with_the_same_confirmed_address(
    sign_in: SignIn, client: DjangoClient, ada: User, smtp: Inbox
) -> None:
    response = sign_in()
    assert (response.status_code, response["Location"]) == (302, "/account/")
    assert user_of(client) == ada
    mail.send_due()
    assert smtp.to("Ada@example.org")[0]["Subject"] == "Sign-in with Example ID was connected"
    assert list(AuditRecord.objects.order_by("pk").values_list("kind", "user", "actor")) == [
        ("oidc_connected", ada.pk, ada.pk),
        ("login", ada.pk, ada.pk),
    ]


def test_afterwards_issuer_and_subject_decide_whatever_the_address_is(
    sign_in: SignIn, provider: FakeProvider, ada: User
) -> None:
    sign_in()
    provider.userinfo = {"sub": "subject-1"}
    other = UserFactory(email="other@example.org")
    for claims in ({"email": "other@example.org"}, {"email": None}, {"email_verified": False}):
        provider.claims = claims
        browser = DjangoClient()
        assert sign_in(browser).status_code == 302
        assert user_of(browser) == ada
    assert not other.oidc_identities.exists()


@pytest.mark.parametrize(
    "claims",
    [
        {"email_verified": False}, {"email_verified": None}, {"email_verified": "true"}, {"email": None},
        {"email": ""}, {"email": "ada"}, {"email": ["ada@example.org"]}, {"email": "ada@example.org\x00"},
    ],
)  # fmt: skip
def test_an_address_that_the_provider_did_not_verify_connects_nothing(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, ada: User, claims: dict[str, Any]
) -> None:
    provider.claims, provider.userinfo = claims, {"sub": "subject-1"}
    response = sign_in()
    assert (response.status_code, b"did not confirm an e-mail address" in response.content) == (403, True)
    assert user_of(client) is None
    assert not OidcIdentity.objects.exists()


@pytest.mark.parametrize(
    "fields, text",
    [
        ({"email_verified_at": None}, "Confirm the e-mail address"),
        ({"is_active": False}, "deactivated"),
        ({"is_staff": True}, "This is a staff account"),
        ({"is_superuser": True}, "This is a staff account"),
    ],
)
def test_these_accounts_are_not_connected_by_their_address(
    sign_in: SignIn, client: DjangoClient, ada: User, fields: dict[str, Any], text: str
) -> None:
    User.objects.filter(pk=ada.pk).update(**fields)
    response = sign_in()
    assert (response.status_code, text in response.content.decode()) == (403, True)
    assert user_of(client) is None
    assert not OidcIdentity.objects.exists()
    assert AuditRecord.objects.get().kind == "login_failed"


def test_a_second_subject_for_a_connected_account_is_refused(
    sign_in: SignIn, provider: FakeProvider, ada: User
) -> None:
    sign_in()
    provider.claims = {"sub": "subject-2"}
    browser = DjangoClient()
    response = sign_in(browser)
    assert (response.status_code, b"connected to another account of Example ID" in response.content) == (403, True)
    assert user_of(browser) is None
    assert OidcIdentity.objects.get().subject == "subject-1"


def test_a_deactivated_account_is_refused(sign_in: SignIn, ada: User) -> None:
    sign_in()
    ada.is_active = False
    ada.save()
    browser = DjangoClient()
    assert sign_in(browser).status_code == 403
    assert user_of(browser) is None


def test_nobody_gets_an_account_unless_sign_up_is_on(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, settings: Any
) -> None:
    assert sign_in().status_code == 403
    settings.OIDC_SIGNUP, settings.REGISTRATION, settings.REGISTRATION_DOMAINS = True, "closed", ["example.com"]
    assert sign_in().status_code == 403
    assert not User.objects.exists()
    settings.REGISTRATION_DOMAINS = ["example.org"]
    provider.claims = {"preferred_username": "Ada-L"}
    assert sign_in().status_code == 302
    user = User.objects.get()
    assert (user.username, user.email, user.email_verified) == ("AdaL", "ada@example.org", True)
    assert not user.has_usable_password()
    assert user_of(client) == user


@pytest.mark.parametrize("wanted", ["taken", "admin", "a", "", "ada@example.org", "Ünï", "x" * 300, 7, None])
def test_a_username_that_cannot_be_used_gets_digits_and_never_the_address(
    sign_in: SignIn, provider: FakeProvider, settings: Any, wanted: Any
) -> None:
    UserFactory(username="taken")
    settings.OIDC_SIGNUP = True
    provider.claims = {"preferred_username": wanted}
    assert sign_in().status_code == 302
    username = User.objects.get(email="ada@example.org").username
    assert username.isalnum()
    assert "ada" not in username
    assert username not in ("taken", "admin")


def test_the_address_may_come_from_the_userinfo_endpoint_of_the_same_subject(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, ada: User
) -> None:
    provider.claims = {"email": None, "email_verified": None}
    provider.userinfo = {"sub": "somebody else", "email": "ada@example.org", "email_verified": True}
    assert sign_in().status_code == 502
    assert not OidcIdentity.objects.exists()
    provider.userinfo["sub"] = "subject-1"
    assert sign_in().status_code == 302
    assert user_of(client) == ada


@pytest.mark.parametrize(
    "next_url, expected",
    [
        ("/messager/?with=ABC123", "/messager/?with=ABC123"),
        ("", "/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("account/", "/"),
        ("/" + "a" * 3000, "/"),
        ("/a\nb", "/"),
    ],
)
def test_next_is_a_path_of_this_site_only(
    provider: FakeProvider, client: DjangoClient, ada: User, next_url: str, expected: str
) -> None:
    start = client.get("/oidc/login/", {"next": next_url})
    response = client.get(provider.authorize(start["Location"]))
    assert (response.status_code, response["Location"]) == (302, expected)


def test_staff_connect_their_account_while_signed_in_and_after_they_agree(
    sign_in: SignIn, provider: FakeProvider, ada: User
) -> None:
    User.objects.filter(pk=ada.pk).update(is_staff=True)
    browser = cookie_client_for(ada)
    page = sign_in(browser)
    assert (page.status_code, b"Connect Example ID" in page.content) == (200, True)
    assert not OidcIdentity.objects.exists(), "another site can open this page, but not press its button"
    assert browser.post("/oidc/connect/")["Location"] == "/account/"
    assert OidcIdentity.objects.get().user == ada
    assert browser.post("/oidc/connect/").status_code == 400, "the consent works once"
    other = DjangoClient()
    assert sign_in(other).status_code == 302
    assert user_of(other) == ada


def test_an_account_with_another_address_is_not_connected(sign_in: SignIn, provider: FakeProvider, ada: User) -> None:
    """The provider sends the address of somebody else."""
    mallory = UserFactory(username="mallory")
    browser = cookie_client_for(mallory)
    sign_in(browser)
    response = browser.post("/oidc/connect/")
    assert (response.status_code, b"confirmed another e-mail address" in response.content) == (403, True)
    sign_in()
    provider.claims = {"email": mallory.email}
    sign_in(browser)
    response = browser.post("/oidc/connect/")
    assert (response.status_code, b"connected to another account here" in response.content) == (403, True)
    assert OidcIdentity.objects.get().user == ada


def test_connecting_and_disconnecting_need_a_recent_sign_in(sign_in: SignIn, ada: User) -> None:
    browser = cookie_client_for(ada)
    again = "/account/reauthenticate/?next=%2Faccount%2F"
    page = sign_in(browser)
    make_old(ada)
    assert page.status_code == 200
    assert browser.post("/oidc/connect/")["Location"] == again
    assert browser.get("/oidc/login/")["Location"] == again
    assert not OidcIdentity.objects.exists()
    sign_in()
    make_old(ada)
    assert browser.post("/oidc/disconnect/")["Location"] == again
    assert OidcIdentity.objects.exists()


def test_an_account_is_disconnected_if_it_has_a_password(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, ada: User
) -> None:
    sign_in()
    assert b"Disconnect" in client.get("/account/").content
    assert client.post("/oidc/disconnect/")["Location"] == "/account/"
    assert not OidcIdentity.objects.exists()
    lonely = without_password(provider, UserFactory())
    response = cookie_client_for(lonely).post("/oidc/disconnect/")
    assert (response.status_code, b"Set a password first" in response.content) == (403, True)
    assert OidcIdentity.objects.exists()


def test_signing_in_keeps_the_other_sessions_of_an_account_without_a_password(
    sign_in: SignIn, provider: FakeProvider, ada: User
) -> None:
    without_password(provider, ada)
    first, second = DjangoClient(), DjangoClient()
    sign_in(first)
    sign_in(second)
    assert [browser.get("/account/").status_code for browser in (first, second)] == [200, 200]


def test_an_account_without_a_password_signs_in_again_to_change_its_address_and_to_be_deleted(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, ada: User
) -> None:
    without_password(provider, ada)
    sign_in()
    make_old(ada)
    change = {"data": {"email": "new@example.org"}, "content_type": "application/json"}
    for send in (
        lambda: client.post(f"{AUTH}change-email/", **change),
        lambda: client.delete(f"{AUTH}account/", {}, content_type="application/json"),
    ):
        response = send()
        assert (response.status_code, error_codes(response)) == (403, [("reauthentication_required", None)])
    assert client.post("/account/delete/").status_code == 403
    response = sign_in(path="/oidc/login/?reauth=1&next=/account/")
    assert (response.status_code, response["Location"]) == (302, "/account/")
    assert client.post(f"{AUTH}change-email/", **change).status_code == 202
    assert client.post("/account/delete/").status_code == 302
    assert not User.objects.exists()


def test_signing_in_again_asks_the_provider_anew_for_the_same_person(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, ada: User
) -> None:
    without_password(provider, ada)
    sign_in()
    make_old(ada)
    query = parse_qs(urlsplit(client.get("/oidc/login/?reauth=1")["Location"]).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    for claims, status in (({"auth_time": None}, 502), ({"auth_time": 1}, 502), ({"sub": "subject-2"}, 403)):
        provider.claims = claims
        assert sign_in(path="/oidc/login/?reauth=1").status_code == status
    assert client.delete(f"{AUTH}account/", {}, content_type="application/json").status_code == 403


def test_a_second_factor_of_the_account_is_still_asked_for(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, ada: User
) -> None:
    app, _ = set_up_app(ada)
    response = sign_in()
    assert response["Location"] == "/login/second-step/"
    assert user_of(client) is None
    assert client.post("/login/second-step/", {"code": app.code(1)})["Location"] == "/account/"
    assert user_of(client) == ada
    assert UserSession.objects.get().signed_in_with == "oidc+totp"
    again = client.get("/oidc/login/?reauth=1&next=/account/")
    assert again["Location"] == "/account/reauthenticate/?next=%2Faccount%2F"


def test_the_page_that_asks_again_sends_people_without_a_password_to_the_provider(
    provider: FakeProvider, ada: User
) -> None:
    browser = cookie_client_for(without_password(provider, ada))
    make_old(ada)
    page = browser.get("/account/reauthenticate/?next=/account/two-step/")
    assert page["Location"] == "/oidc/login/?reauth=1&next=%2Faccount%2Ftwo-step%2F"


def test_an_account_with_a_password_still_needs_it(api: Client, ada: User) -> None:
    mine = api.as_user(ada)
    for response in (mine.delete(f"{AUTH}account/", {}), mine.post(f"{AUTH}change-email/", {"email": "n@example.org"})):
        assert (response.status_code, error_codes(response)) == (400, [("required", "password")])


def test_without_a_provider_there_is_no_button_and_no_page(client: DjangoClient, user: User) -> None:
    assert b"/oidc/" not in client.get("/login/").content
    for path in ("/oidc/login/", "/oidc/callback/?code=a&state=b"):
        assert client.get(path).status_code == 404
    assert b"oidc" not in cookie_client_for(user).get("/account/").content


def test_the_sign_in_page_leads_to_the_provider_and_back(provider: FakeProvider, client: DjangoClient) -> None:
    page = client.get("/login/?next=/account/%3Fa%3Db").content.decode()
    assert 'href="/oidc/login/?next=%2Faccount%2F%3Fa%3Db"' in page
    assert "Sign in with Example ID" in page


def test_identities_are_exported_and_erased_with_the_account(sign_in: SignIn, api: Client, ada: User) -> None:
    sign_in()
    exported = api.as_user(ada).get(f"{AUTH}export/").json()["account"]["oidc_identities"]
    assert [row["subject"] for row in exported] == ["subject-1"]
    deletion.remove_user(ada)
    assert not OidcIdentity.objects.exists()


def test_unfinished_attempts_are_deleted(provider: FakeProvider, client: DjangoClient) -> None:
    client.get("/oidc/login/")
    OidcAttempt.objects.update(created_at=Now() - timedelta(minutes=11))
    client.get("/oidc/login/")
    deletion.delete_expired()
    assert OidcAttempt.objects.count() == 1


def test_a_password_is_not_needed_to_see_the_account_page(provider: FakeProvider, ada: User) -> None:
    page = cookie_client_for(without_password(provider, ada)).get("/account/").content.decode()
    assert "Your account has no password" in page
    assert 'name="password"' not in page
    assert PASSWORD not in page
