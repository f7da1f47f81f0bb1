"""Who may join: REGISTRATION, REGISTRATION_DOMAINS, and invitations."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models.functions import Now
from django.test import Client as DjangoClient

from accounts.models import Invitation, PendingRegistration, User
from accounts.services import deletion, links
from config import logs
from config.audit.models import AuditRecord
from config.models import OutgoingMail

from ..conftest import Client, Inbox
from ..factories import PASSWORD, UserFactory
from . import mails
from .helpers import AUTH, cookie_client_for, error_codes, mailed_code

pytestmark = pytest.mark.django_db

GRACE = {"email": "grace@example.org", "username": "grace", "password": PASSWORD}
INVITATIONS = f"{AUTH}invitations/"


@pytest.fixture
def boss(api: Client) -> Client:
    """A client of a staff user without any permission in the admin."""
    return api.as_user(UserFactory(username="boss", is_staff=True))


def invited(code: str = "a-code-of-22-characters", **fields: Any) -> str:
    """Store an invitation of GRACE as if it had been mailed; returns its code."""
    values = {"email": GRACE["email"], "expires_at": Now() + timedelta(days=7), **fields}
    Invitation.objects.create(code_hash=links.hash_code(code), done_at=Now(), **values)
    return code


def register(api: Client, **fields: str) -> Any:
    return api.post(f"{AUTH}register/", {**GRACE, **fields})


@pytest.mark.parametrize("mode", ["invite", "closed"])
def test_nobody_can_register_without_an_invitation(api: Client, settings: Any, mode: str) -> None:
    settings.REGISTRATION = mode
    UserFactory(email="known@example.org")
    for email in ("known@example.org", "unknown@example.org"):
        response = register(api, email=email)
        assert (response.status_code, error_codes(response)) == (403, [("registration_closed", None)])
    assert not PendingRegistration.objects.exists()


def test_only_addresses_of_the_allowed_domains_can_register(api: Client, settings: Any) -> None:
    settings.REGISTRATION_DOMAINS = ["example.org"]
    assert register(api, email="grace@EXAMPLE.org").status_code == 201
    for number, domain in enumerate(["example.com", "sub.example.org", "notexample.org", "example.org.example.com"]):
        response = register(api, email=f"grace@{domain}", username=f"other{number}")
        assert (response.status_code, error_codes(response)) == (403, [("registration_closed", None)])


def test_a_registration_cannot_be_confirmed_after_the_site_was_closed(
    api: Client, client: DjangoClient, smtp: Inbox, settings: Any
) -> None:
    register(api)
    code = mailed_code(smtp, GRACE["email"])
    settings.REGISTRATION = "closed"
    response = api.post(f"{AUTH}verify-email/", {"token": code})
    assert (response.status_code, error_codes(response)) == (403, [("registration_closed", None)])
    page = client.post(f"/v/{code}/")
    assert (page.status_code, b"Registration is closed" in page.content) == (403, True)
    settings.REGISTRATION = "open"
    assert api.post(f"{AUTH}verify-email/", {"token": code}).status_code == 200


def test_an_invited_person_joins_with_the_mailed_link(
    boss: Client, client: DjangoClient, smtp: Inbox, settings: Any
) -> None:
    settings.REGISTRATION, settings.REGISTRATION_DOMAINS = "invite", ["example.com"]
    response = boss.post(INVITATIONS, {"email": "Grace@EXAMPLE.org"})
    assert response.status_code == 201
    assert response.json()["email"] == "Grace@example.org"
    assert (response.json()["invited_by"], response.json()["is_staff"]) == ("boss", False)
    mails.send_due_mail()
    (message,) = smtp.messages
    assert message["Subject"] == "boss invites you to Atrium"
    url = mails.url_in(message)
    assert url.startswith(f"{settings.PUBLIC_URL}/i/")
    path = url.removeprefix(settings.PUBLIC_URL)
    page = client.get(path)
    assert page.status_code == 200
    assert b"Grace@example.org" in page.content
    assert page["Referrer-Policy"] == "strict-origin"
    assert not User.objects.filter(username="grace").exists(), "opening the link changes nothing"
    done = client.post(path, {"username": "grace", "password": PASSWORD})
    assert b"Your account is ready" in done.content
    user = User.objects.get(username="grace")
    assert (user.email, user.email_verified, user.is_staff, user.is_superuser) == (
        "Grace@example.org", True, False, False,
    )  # fmt: skip
    assert client.post("/login/", {"login": "grace", "password": PASSWORD}).status_code == 302
    assert boss.get(INVITATIONS).json() == []


def test_the_code_works_with_register_too(api: Client, settings: Any) -> None:
    settings.REGISTRATION = "invite"
    response = register(api, invitation=invited(), email="GRACE@example.org")
    assert (response.status_code, response.json()["detail"]) == (201, "Your account is ready. Sign in.")
    assert api.post(f"{AUTH}login/", {"username": "grace", "password": PASSWORD}).status_code == 200


def test_an_invitation_works_once_for_its_address_and_until_it_expires(api: Client, settings: Any) -> None:
    settings.REGISTRATION = "invite"
    code = invited()
    late = invited("late", email="late@example.org", expires_at=Now() - timedelta(seconds=1))
    other = register(api, invitation=code, email="mallory@example.org")
    assert error_codes(other) == [("invalid", "email")]
    assert error_codes(register(api, invitation=code, password="short"))[0][1] == "password"
    assert error_codes(register(api, invitation="unknown")) == [("invalid_token", "invitation")]
    assert error_codes(register(api, invitation=late)) == [("expired_token", "invitation")]
    assert register(api, invitation=code).status_code == 201
    assert error_codes(register(api, invitation=code, username="again")) == [("expired_token", "invitation")]
    settings.REGISTRATION = "closed"
    assert error_codes(register(api, invitation=code)) == [("registration_closed", None)]


def test_a_staff_invitation_creates_a_staff_account_without_permissions(api: Client, boss: Client, smtp: Inbox) -> None:
    assert boss.post(INVITATIONS, {"email": GRACE["email"], "is_staff": True}).json()["is_staff"]
    assert register(api, invitation=mailed_code(smtp, GRACE["email"])).status_code == 201
    user = User.objects.get(username="grace")
    assert (user.is_staff, user.is_superuser, user.get_all_permissions()) == (True, False, set())


def test_invitations_are_for_staff_alone(api: Client, signed_in: Client) -> None:
    invited()
    id = Invitation.objects.get().pk
    for client, status in ((signed_in, 403), (api, 401)):
        assert client.get(INVITATIONS).status_code == status
        assert client.post(INVITATIONS, {"email": "a@example.org"}).status_code == status
        assert client.delete(f"{INVITATIONS}{id}/").status_code == status
    assert Invitation.objects.count() == 1


def test_a_new_invitation_replaces_the_earlier_one(api: Client, boss: Client, smtp: Inbox) -> None:
    boss.post(INVITATIONS, {"email": GRACE["email"], "is_staff": True})
    first = mailed_code(smtp, GRACE["email"])
    boss.post(INVITATIONS, {"email": GRACE["email"].upper()})
    assert error_codes(register(api, invitation=first)) == [("invalid_token", "invitation")]
    assert len(boss.get(INVITATIONS).json()) == 1


def test_a_revoked_invitation_does_not_work(api: Client, boss: Client, client: DjangoClient) -> None:
    code = invited()
    id = boss.get(INVITATIONS).json()[0]["id"]
    assert boss.delete(f"{INVITATIONS}{id}/").status_code == 204
    assert boss.delete(f"{INVITATIONS}{id}/").status_code == 404
    assert error_codes(register(api, invitation=code)) == [("invalid_token", "invitation")]
    assert client.get(f"/i/{code}/").status_code == 400


@pytest.mark.parametrize("id", ["0", "-1", "abc", "9" * 30, "9" * 5000])
def test_an_unknown_invitation_is_not_found(boss: Client, id: str) -> None:
    assert boss.delete(f"{INVITATIONS}{id}/").status_code == 404


def test_an_address_with_an_account_is_not_invited(boss: Client, settings: Any) -> None:
    UserFactory(email="known@example.org")
    response = boss.post(INVITATIONS, {"email": "KNOWN@example.org"})
    assert (response.status_code, error_codes(response)) == (409, [("email_taken", None)])
    settings.REGISTRATION = "closed"
    assert boss.post(INVITATIONS, {"email": "new@example.org"}).status_code == 403


def test_the_invited_address_may_get_an_account_in_another_way_first(api: Client) -> None:
    code = invited()
    UserFactory(email=GRACE["email"])
    response = register(api, invitation=code)
    assert (response.status_code, error_codes(response)) == (409, [("email_taken", None)])


def test_a_username_that_is_taken_leaves_the_invitation_valid(client: DjangoClient) -> None:
    UserFactory(username="grace", email="first@example.org")
    code = invited()
    page = client.post(f"/i/{code}/", {"username": "GRACE", "password": PASSWORD})
    assert (page.status_code, b"This username is taken" in page.content) == (400, True)
    assert b"Your account is ready" in client.post(f"/i/{code}/", {"username": "grace2", "password": PASSWORD}).content


@pytest.mark.django_db(transaction=True)
def test_two_uses_at_once_create_one_account(api: Client) -> None:
    code, statuses, start = invited(), [], threading.Barrier(2)

    def run(username: str) -> None:
        start.wait()
        statuses.append(register(Client(), invitation=code, username=username).status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201, 400]
    assert User.objects.count() == 1


def test_the_code_of_an_invitation_is_nowhere_but_in_the_mail(boss: Client, smtp: Inbox) -> None:
    boss.post(INVITATIONS, {"email": GRACE["email"]})
    code = mailed_code(smtp, GRACE["email"])
    assert len(code) >= 22
    assert code not in str([*Invitation.objects.values(), *OutgoingMail.objects.values()])
    assert logs.mask(f"/i/{code}/") == "/i/***/"


def test_staff_invite_in_the_admin(staff: User, smtp: Inbox) -> None:
    browser = cookie_client_for(staff)
    add = "/admin/accounts/invitation/add/"
    assert browser.post(add, {"email": staff.email}).status_code == 200, "it has an account"
    for _ in range(2):
        assert browser.post(add, {"email": GRACE["email"], "is_staff": "on"}).status_code == 302
    invitation = Invitation.objects.get()
    assert (invitation.is_staff, invitation.invited_by) == (True, staff)
    assert mailed_code(smtp, GRACE["email"])
    assert GRACE["email"] in browser.get("/admin/accounts/invitation/").content.decode()
    kinds = AuditRecord.objects.exclude(kind="login").values_list("kind", "actor")
    assert set(kinds) == {("invitation_created", staff.pk)}, "one record for an action"
    browser.post(f"/admin/accounts/invitation/{invitation.pk}/delete/", {"post": "yes"})
    assert not Invitation.objects.exists()


@pytest.mark.parametrize(
    "mode, texts",
    [("open", ["Create an account", "Register"]), ("invite", ["invitation"]), ("closed", ["Registration is closed"])],
)
def test_the_pages_say_who_may_join(client: DjangoClient, settings: Any, mode: str, texts: list[str]) -> None:
    settings.REGISTRATION = mode
    landing, page, login = (client.get(path).content.decode() for path in ("/", "/register/", "/login/"))
    assert texts[0] in landing
    assert texts[-1] in page
    links_to_it = ['href="/register/"' in each for each in (landing, login)]
    assert links_to_it == [mode == "open"] * 2
    assert ('<form method="post" class' in page) == (mode == "open")
    settings.REGISTRATION_DOMAINS = ["example.org"]
    assert ("example.org" in client.get("/register/").content.decode()) == (mode == "open")
    posted = client.post("/register/", {**GRACE, "email": "grace@example.com"})
    assert posted.status_code == 403


def test_invitations_are_exported_and_erased_with_the_account(api: Client, user: User) -> None:
    code = invited(invited_by=user)
    invited("other", email=user.email)
    exported = api.as_user(user).get(f"{AUTH}export/").json()["account"]["invitations"]
    assert {row["email"] for row in exported} == {GRACE["email"], user.email}
    deletion.remove_user(user)
    assert register(api, invitation=code).status_code == 201, "it outlives the person who invited"
    deletion.remove_user(User.objects.get(username="grace"))
    assert not Invitation.objects.exists()


def test_expired_invitations_are_deleted(api: Client) -> None:
    invited(expires_at=Now() - timedelta(seconds=1))
    invited("new", email="new@example.org")
    deletion.delete_expired()
    assert [row.email for row in Invitation.objects.all()] == ["new@example.org"]


def test_commands_and_the_admin_create_accounts_while_registration_is_closed(staff: User, settings: Any) -> None:
    settings.REGISTRATION = "closed"
    call_command("createsuperuser", username="root2", email="root2@example.org", interactive=False)
    form = {"username": "made", "email": "made@example.org", "password1": PASSWORD, "password2": PASSWORD}
    assert (
        cookie_client_for(staff).post("/admin/accounts/user/add/", {**form, "usable_password": "true"}).status_code
        == 302
    )
    assert User.objects.filter(username__in=["root2", "made"]).count() == 2
