"""Users in the admin: what staff may see and do, and who has no access."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client as DjangoClient
from django.urls import reverse

from accounts.models import AccountLink, Block, PendingRegistration, User, UserSession

from ..conftest import Client, Inbox
from ..factories import PASSWORD, UserFactory
from . import mails
from .helpers import AUTH, bearer, cookie_client_for, link_for, log_in

USERS = "/admin/accounts/user/"


@pytest.fixture
def desk(staff: User) -> DjangoClient:
    """A browser in which a superuser is signed in."""
    return cookie_client_for(staff)


@pytest.fixture
def editor(db: None) -> User:
    """A staff user who may edit users but is not a superuser."""
    editor = UserFactory(is_staff=True)
    editor.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    return editor


def run_action(desk: DjangoClient, action: str, *users: User) -> Any:
    return desk.post(USERS, {"action": action, "_selected_action": [user.pk for user in users]}, follow=True)


@pytest.mark.parametrize("by", ["email", "username", "usercode"])
def test_users_are_found_by_address_username_and_usercode(desk: DjangoClient, user: User, by: str) -> None:
    other = UserFactory()
    found = desk.get(USERS, {"q": getattr(user, by)}).content.decode()
    assert user.email in found
    assert other.email not in found


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["user", "userprofile", "usersession", "accountlink", "pendingregistration", "block"])
def test_every_table_opens_and_shows_no_secret(desk: DjangoClient, user: User, model: str) -> None:
    link_for(user)
    session = UserSession.objects.create(
        user=user, expires_at="2999-01-01T00:00Z", refresh_jti="a-refresh-jti", session_key="a-session-key"
    )
    rows = {
        "user": user,
        "userprofile": user.profile,
        "usersession": session,
        "accountlink": user.links.get(),
        "pendingregistration": PendingRegistration.objects.create(
            email="ada@example.org", username="ada", password=user.password, expires_at=Now()
        ),
        "block": Block.objects.create(blocker=user, blocked=UserFactory()),
    }
    pages = [
        desk.get(reverse(f"admin:accounts_{model}_changelist")),
        desk.get(reverse(f"admin:accounts_{model}_change", args=[rows[model].pk])),
    ]
    for page in pages:
        assert page.status_code == 200
        text = page.content.decode()
        for secret in (user.password, "argon2", user.links.get().code_hash, "a-refresh-jti", "a-session-key"):
            assert secret not in text


@pytest.mark.parametrize("model", ["usersession", "accountlink"])
def test_sessions_and_links_are_read_only(desk: DjangoClient, user: User, model: str) -> None:
    link_for(user)
    session = UserSession.objects.create(user=user, expires_at="2999-01-01T00:00Z")
    row = {"usersession": session, "accountlink": user.links.get()}[model]
    assert desk.get(reverse(f"admin:accounts_{model}_add")).status_code == 403
    assert desk.post(reverse(f"admin:accounts_{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert desk.post(reverse(f"admin:accounts_{model}_change", args=[row.pk]), {}).status_code == 403


def test_staff_can_confirm_an_address(desk: DjangoClient) -> None:
    user = UserFactory(email_verified_at=None)
    run_action(desk, "verify", user)
    assert User.objects.get(pk=user.pk).email_verified


def test_deactivation_ends_sessions_and_skips_the_own_account(
    desk: DjangoClient, staff: User, user: User, api: Client
) -> None:
    tokens = log_in(api, user)
    run_action(desk, "deactivate", user, staff)
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    assert not User.objects.get(pk=user.pk).is_active
    assert User.objects.get(pk=staff.pk).is_active


def test_staff_sign_others_out_on_all_devices(desk: DjangoClient, staff: User, user: User, api: Client) -> None:
    tokens, cookie = log_in(api, user), cookie_client_for(user)
    response = run_action(desk, "sign_out", user, staff)
    assert "Sessions ended: 2." in response.content.decode(), "not those of staff"
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    assert cookie.get("/account/").status_code == 302
    log_in(api, user)


def test_staff_can_send_a_reset_link_without_seeing_it(desk: DjangoClient, user: User, smtp: Inbox) -> None:
    response = run_action(desk, "send_reset", user)
    mails.send_due_mail()
    code = mails.code_in(smtp.to(user.email)[0])
    assert code
    assert code not in response.content.decode()
    assert AccountLink.objects.get().purpose == "reset_password"


def test_a_password_set_by_staff_ends_the_sessions(desk: DjangoClient, user: User, api: Client) -> None:
    tokens = log_in(api, user)
    new = "another horse battery staple"
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    assert desk.get(url).status_code == 200
    assert desk.post(url, {"password1": new, "password2": new, "usable_password": "true"}).status_code == 302
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    log_in(api, user, new)


def test_the_own_password_can_only_be_changed_on_the_account_page(desk: DjangoClient, staff: User) -> None:
    """That page asks for the current password and updates the session that stays."""
    for url in ("/admin/password_change/", reverse("admin:auth_user_password_change", args=[staff.pk])):
        new = {"password1": "another horse battery", "password2": "another horse battery", "usable_password": "true"}
        for response in (desk.get(url), desk.post(url, new)):
            assert response["Location"] == "/account/"
    assert User.objects.get(pk=staff.pk).check_password(PASSWORD)


def test_a_user_created_by_staff_has_a_usercode_and_a_profile(desk: DjangoClient) -> None:
    fields = {"username": "ada", "email": "ada@EXAMPLE.org", "password1": PASSWORD, "password2": PASSWORD}
    response = desk.post(reverse("admin:accounts_user_add"), {**fields, "usable_password": "true"})
    assert response.status_code == 302, response.context["adminform"].form.errors
    ada = User.objects.get(username="ada")
    assert ada.email == "ada@example.org"
    assert ada.usercode
    assert ada.profile
    again = desk.post(reverse("admin:accounts_user_add"), {**fields, "username": "ADA", "usable_password": "true"})
    assert again.status_code == 200
    assert "This username is taken." in again.content.decode()


def test_staff_can_confirm_or_delete_a_registration(desk: DjangoClient, api: Client) -> None:
    for username in ("ada", "bob"):
        body = {"email": f"{username}@example.org", "username": username, "password": PASSWORD}
        api.post(f"{AUTH}register/", body)
    ada, bob = PendingRegistration.objects.order_by("pk")
    url = reverse("admin:accounts_pendingregistration_changelist")
    assert desk.post(url, {"action": "confirm", "_selected_action": [ada.pk]}).status_code == 302
    log_in(api, User.objects.get(username="ada"))
    desk.post(reverse("admin:accounts_pendingregistration_delete", args=[bob.pk]), {"post": "yes"})
    assert not PendingRegistration.objects.exists()


def test_staff_cannot_give_away_a_reserved_username(desk: DjangoClient, api: Client) -> None:
    api.post(f"{AUTH}register/", {"email": "ada@example.org", "username": "ada", "password": PASSWORD})
    fields = {"username": "Ada", "email": "new@example.org", "password1": PASSWORD, "password2": PASSWORD}
    response = desk.post(reverse("admin:accounts_user_add"), {**fields, "usable_password": "true"})
    assert list(response.context["adminform"].form.errors) == ["username"]


@pytest.mark.parametrize("field", ["username", "email"])
def test_a_taken_username_or_address_is_an_error_of_its_field_in_any_case(
    desk: DjangoClient, user: User, field: str
) -> None:
    taken = getattr(UserFactory(), field).upper()
    new = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    changed = {"username": user.username, "email": user.email, "is_active": "on"}
    for url, fields in (
        (reverse("admin:accounts_user_change", args=[user.pk]), changed),
        (reverse("admin:accounts_user_add"), {**new, "usable_password": "true"}),
    ):
        response = desk.post(url, {**fields, field: taken})
        assert response.status_code == 200
        assert list(response.context["adminform"].form.errors) == [field]
    own = desk.post(reverse("admin:accounts_user_change", args=[user.pk]), {**changed, field: changed[field].upper()})
    assert own.status_code == 302, "the case of the own value may change"


def test_disabling_the_password_ends_the_sessions(desk: DjangoClient, user: User, api: Client) -> None:
    tokens = log_in(api, user)
    code = link_for(user, "change_email", email="new@example.org")
    fields = {"usable_password": "false", "unset-password": "Disable password-based authentication"}
    desk.post(reverse("admin:auth_user_password_change", args=[user.pk]), fields)
    assert not User.objects.get(pk=user.pk).has_usable_password()
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    assert api.post(f"{AUTH}verify-email/", {"token": code}).status_code == 400


def test_staff_who_edit_users_cannot_make_themselves_superusers(editor: User) -> None:
    desk = cookie_client_for(editor)
    fields = {"username": editor.username, "email": editor.email, "is_superuser": "on", "is_staff": "on"}
    desk.post(reverse("admin:accounts_user_change", args=[editor.pk]), fields)
    assert not User.objects.get(pk=editor.pk).is_superuser


def test_staff_who_edit_users_cannot_edit_other_staff(editor: User, staff: User, user: User) -> None:
    desk = cookie_client_for(editor)
    new = {"password1": "another horse battery", "password2": "another horse battery", "usable_password": "true"}
    assert desk.post(reverse("admin:auth_user_password_change", args=[staff.pk]), new).status_code == 403
    boss = cookie_client_for(staff)
    run_action(desk, "sign_out", staff)
    assert boss.get("/account/").status_code == 200
    run_action(desk, "deactivate", staff, user)
    run_action(desk, "delete_selected", staff)
    desk.post(USERS, {"action": "delete_selected", "_selected_action": [staff.pk], "post": "yes"})
    assert User.objects.get(pk=staff.pk).is_active
    assert not User.objects.get(pk=user.pk).is_active


def test_deletion_in_the_admin_deletes_the_sessions(desk: DjangoClient, user: User, api: Client) -> None:
    log_in(api, user)
    desk.post(reverse("admin:accounts_user_delete", args=[user.pk]), {"post": "yes"})
    assert not User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("path", [USERS, "/admin/accounts/usersession/", "/admin/"])
def test_the_admin_is_closed_to_users_who_are_not_staff(user: User, path: str, client: DjangoClient) -> None:
    assert client.get(path).status_code == 302
    assert cookie_client_for(user).get(path).status_code == 302


@pytest.mark.thorough
def test_password_guessing_on_the_admin_login_page_locks_out_only_that_client(staff: User, settings: Any) -> None:
    url = "/admin/login/"
    guesser, owner = DjangoClient(REMOTE_ADDR="203.0.113.9"), DjangoClient(REMOTE_ADDR="192.0.2.7")
    for _ in range(settings.AXES_FAILURE_LIMIT):
        response = guesser.post(url, {"username": staff.username, "password": "wrong"})
    assert response.status_code == 429
    locked = guesser.post(url, {"username": staff.username, "password": PASSWORD})
    assert locked.status_code == 429
    assert owner.post(url, {"username": staff.username, "password": PASSWORD}).status_code == 302


@pytest.mark.thorough
def test_another_spelling_does_not_bypass_the_lock_of_the_admin_login_page(staff: User, settings: Any) -> None:
    guesser = DjangoClient(REMOTE_ADDR="203.0.113.9")
    for written in (str.lower, str.upper):
        for name in (staff.username, staff.email):
            for _ in range(settings.AXES_FAILURE_LIMIT // 2):
                response = guesser.post("/admin/login/", {"username": written(name), "password": "wrong"})
    assert response.status_code == 429
    for name in (staff.username.title(), f" {staff.username}", staff.email.title()):
        assert guesser.post("/admin/login/", {"username": name, "password": PASSWORD}).status_code == 429


@pytest.mark.thorough
def test_an_ipv6_network_is_one_client_on_the_admin_login_page(staff: User, settings: Any) -> None:
    for n in range(settings.AXES_FAILURE_LIMIT):
        guesser = DjangoClient(REMOTE_ADDR=f"2001:db8:7:7::{n}")
        response = guesser.post("/admin/login/", {"username": staff.username, "password": "wrong"})
    assert response.status_code == 429
    neighbour = DjangoClient(REMOTE_ADDR="2001:db8:7:8::1")
    assert neighbour.post("/admin/login/", {"username": staff.username, "password": PASSWORD}).status_code == 302


@pytest.mark.thorough
def test_a_forged_forwarded_header_does_not_bypass_the_lock_of_the_admin_login_page(staff: User, settings: Any) -> None:
    for n in range(settings.AXES_FAILURE_LIMIT):
        response = DjangoClient(REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}").post(
            "/admin/login/", {"username": staff.username, "password": "wrong"}
        )
    assert response.status_code == 429


@pytest.mark.thorough
def test_the_lock_of_the_admin_login_page_distinguishes_clients_behind_a_proxy(staff: User, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1

    def try_password(client: str, password: str) -> int:
        chain = f"198.51.100.1, {client}"  # the first part was sent by the client
        browser = DjangoClient(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=chain)
        return browser.post("/admin/login/", {"username": staff.username, "password": password}).status_code

    assert [try_password("203.0.113.9", "wrong") for _ in range(settings.AXES_FAILURE_LIMIT)][-1] == 429
    assert try_password("203.0.113.9", PASSWORD) == 429
    assert try_password("192.0.2.7", PASSWORD) == 302


@pytest.mark.thorough
def test_without_throttles_axes_counts_only_the_admin_login_page(staff: User, api: Client, settings: Any) -> None:
    for _ in range(settings.AXES_FAILURE_LIMIT + 2):
        api.post(f"{AUTH}login/", {"username": staff.username, "password": "wrong"})
    assert DjangoClient().post("/admin/login/", {"username": staff.username, "password": PASSWORD}).status_code == 302
