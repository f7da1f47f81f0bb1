"""The admin of people: what staff may see and do, and who does not get in."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client as Browser
from django.urls import reverse

from accounts.models import AccountLink, User, UserSession

from ..factories import PASSWORD, UserFactory
from . import mails
from .steps import AUTH, bearer, link_for, log_in

USERS = "/admin/accounts/user/"


def signed_in_as(user):
    browser = Browser()
    browser.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    return browser


@pytest.fixture
def desk(staff):
    return signed_in_as(staff)


@pytest.fixture
def helper(db):
    """Staff who may edit users, but is no superuser."""
    helper = UserFactory(is_staff=True)
    helper.user_permissions.set(Permission.objects.filter(content_type__app_label="accounts"))
    return helper


def act(desk, action, *users):
    return desk.post(USERS, {"action": action, "_selected_action": [user.pk for user in users]}, follow=True)


@pytest.mark.parametrize("by", ["email", "username", "usercode"])
def test_people_are_found_by_address_name_and_code(desk, user, by):
    other = UserFactory()
    found = desk.get(USERS, {"q": getattr(user, by)}).content.decode()
    assert user.email in found
    assert other.email not in found


@pytest.mark.parametrize("model", ["user", "userprofile", "usersession", "accountlink"])
def test_every_table_opens_and_shows_no_secret(desk, user, model):
    link_for(user)
    session = UserSession.objects.create(
        user=user, expires_at="2999-01-01T00:00Z", refresh_jti="a-refresh-jti", session_key="a-session-key"
    )
    rows = {"user": user, "userprofile": user.profile, "usersession": session, "accountlink": user.links.get()}
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
def test_sessions_and_links_are_to_look_at_only(desk, user, model):
    link_for(user)
    session = UserSession.objects.create(user=user, expires_at="2999-01-01T00:00Z")
    row = {"usersession": session, "accountlink": user.links.get()}[model]
    assert desk.get(reverse(f"admin:accounts_{model}_add")).status_code == 403
    assert desk.post(reverse(f"admin:accounts_{model}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
    assert desk.post(reverse(f"admin:accounts_{model}_change", args=[row.pk]), {}).status_code == 403


def test_staff_confirm_an_address(desk):
    user = UserFactory(email_verified_at=None)
    act(desk, "verify", user)
    assert User.objects.get(pk=user.pk).email_verified


def test_deactivating_ends_sessions_and_spares_oneself(desk, staff, user, api):
    tokens = log_in(api, user)
    act(desk, "deactivate", user, staff)
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    assert not User.objects.get(pk=user.pk).is_active
    assert User.objects.get(pk=staff.pk).is_active


def test_staff_have_a_link_sent_that_they_never_see(desk, user, smtp):
    answer = act(desk, "send_reset", user)
    mails.send_all()
    code = mails.code_in(smtp.to(user.email)[0])
    assert code
    assert code not in answer.content.decode()
    assert AccountLink.objects.get().purpose == "reset_password"


def test_a_password_set_by_staff_ends_the_sessions(desk, user, api):
    tokens = log_in(api, user)
    new = "another horse battery staple"
    url = reverse("admin:auth_user_password_change", args=[user.pk])
    assert desk.get(url).status_code == 200
    assert desk.post(url, {"password1": new, "password2": new, "usable_password": "true"}).status_code == 302
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    log_in(api, user, new)


def test_one_s_own_password_is_changed_on_one_s_own_page_alone(desk, staff):
    """There the present one is asked for, and the session that stays is still one that can be ended."""
    for url in ("/admin/password_change/", reverse("admin:auth_user_password_change", args=[staff.pk])):
        new = {"password1": "another horse battery", "password2": "another horse battery", "usable_password": "true"}
        for answer in (desk.get(url), desk.post(url, new)):
            assert answer["Location"] == "/account/"
    assert User.objects.get(pk=staff.pk).check_password(PASSWORD)


def test_staff_make_a_user_who_has_a_code_and_a_profile(desk):
    fields = {"username": "ada", "email": "ada@EXAMPLE.org", "password1": PASSWORD, "password2": PASSWORD}
    answer = desk.post(reverse("admin:accounts_user_add"), {**fields, "usable_password": "true"})
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    ada = User.objects.get(username="ada")
    assert ada.email == "ada@example.org"
    assert ada.usercode
    assert ada.profile
    again = desk.post(reverse("admin:accounts_user_add"), {**fields, "username": "ADA", "usable_password": "true"})
    assert again.status_code == 200
    assert "already exists" in again.content.decode()


@pytest.mark.parametrize("field", ["username", "email"])
def test_what_another_one_has_in_any_case_is_refused_beside_its_field(desk, user, field):
    taken = getattr(UserFactory(), field).upper()
    new = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    changed = {"username": user.username, "email": user.email, "is_active": "on"}
    for url, fields in (
        (reverse("admin:accounts_user_change", args=[user.pk]), changed),
        (reverse("admin:accounts_user_add"), {**new, "usable_password": "true"}),
    ):
        answer = desk.post(url, {**fields, field: taken})
        assert answer.status_code == 200
        assert list(answer.context["adminform"].form.errors) == [field]
    own = desk.post(reverse("admin:accounts_user_change", args=[user.pk]), {**changed, field: changed[field].upper()})
    assert own.status_code == 302, "one's own may change its case"


def test_taking_a_password_away_ends_the_sessions(desk, user, api):
    tokens = log_in(api, user)
    code = link_for(user, "change_email", email="new@example.org")
    fields = {"usable_password": "false", "unset-password": "Disable password-based authentication"}
    desk.post(reverse("admin:auth_user_password_change", args=[user.pk]), fields)
    assert not User.objects.get(pk=user.pk).has_usable_password()
    assert api.get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 401
    assert api.post(f"{AUTH}verify-email/", {"token": code}).status_code == 400


def test_who_may_edit_people_cannot_make_themselves_superuser(helper):
    desk = signed_in_as(helper)
    fields = {"username": helper.username, "email": helper.email, "is_superuser": "on", "is_staff": "on"}
    desk.post(reverse("admin:accounts_user_change", args=[helper.pk]), fields)
    assert not User.objects.get(pk=helper.pk).is_superuser


def test_who_may_edit_people_cannot_touch_other_staff(helper, staff, user):
    desk = signed_in_as(helper)
    new = {"password1": "another horse battery", "password2": "another horse battery", "usable_password": "true"}
    assert desk.post(reverse("admin:auth_user_password_change", args=[staff.pk]), new).status_code == 403
    act(desk, "deactivate", staff, user)
    act(desk, "delete_selected", staff)
    desk.post(USERS, {"action": "delete_selected", "_selected_action": [staff.pk], "post": "yes"})
    assert User.objects.get(pk=staff.pk).is_active
    assert not User.objects.get(pk=user.pk).is_active


def test_deleting_by_the_admin_takes_sessions_along(desk, user, api):
    log_in(api, user)
    desk.post(reverse("admin:accounts_user_delete", args=[user.pk]), {"post": "yes"})
    assert not User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize("path", [USERS, "/admin/accounts/usersession/", "/admin/"])
def test_the_admin_is_closed_to_who_is_no_staff(user, path, client):
    assert client.get(path).status_code == 302
    assert signed_in_as(user).get(path).status_code == 302


def test_guessing_at_the_admins_door_locks_the_guesser_out_and_nobody_else(staff, settings):
    door = "/admin/login/"
    guesser, owner = Browser(REMOTE_ADDR="203.0.113.9"), Browser(REMOTE_ADDR="192.0.2.7")
    for _ in range(settings.AXES_FAILURE_LIMIT):
        answer = guesser.post(door, {"username": staff.username, "password": "wrong"})
    assert answer.status_code == 429
    locked = guesser.post(door, {"username": staff.username, "password": PASSWORD})
    assert locked.status_code == 429
    assert owner.post(door, {"username": staff.username, "password": PASSWORD}).status_code == 302


def test_another_spelling_of_a_name_is_no_way_around_the_admins_lock(staff, settings):
    guesser = Browser(REMOTE_ADDR="203.0.113.9")
    for written in (str.lower, str.upper):
        for name in (staff.username, staff.email):
            for _ in range(settings.AXES_FAILURE_LIMIT // 2):
                answer = guesser.post("/admin/login/", {"username": written(name), "password": "wrong"})
    assert answer.status_code == 429
    for name in (staff.username.title(), f" {staff.username}", staff.email.title()):
        assert guesser.post("/admin/login/", {"username": name, "password": PASSWORD}).status_code == 429


def test_one_ipv6_network_is_one_client_at_the_admins_door_too(staff, settings):
    for n in range(settings.AXES_FAILURE_LIMIT):
        guesser = Browser(REMOTE_ADDR=f"2001:db8:7:7::{n}")
        answer = guesser.post("/admin/login/", {"username": staff.username, "password": "wrong"})
    assert answer.status_code == 429
    neighbour = Browser(REMOTE_ADDR="2001:db8:7:8::1")
    assert neighbour.post("/admin/login/", {"username": staff.username, "password": PASSWORD}).status_code == 302


def test_a_made_up_forwarded_header_is_no_way_around_the_admins_lock(staff, settings):
    for n in range(settings.AXES_FAILURE_LIMIT):
        answer = Browser(REMOTE_ADDR="203.0.113.9", HTTP_X_FORWARDED_FOR=f"198.51.100.{n}").post(
            "/admin/login/", {"username": staff.username, "password": "wrong"}
        )
    assert answer.status_code == 429


def test_behind_a_proxy_the_admins_lock_tells_its_clients_apart(staff, settings):
    settings.TRUSTED_PROXIES = 1

    def knock(client, password):
        chain = f"198.51.100.1, {client}"  # the first part is the client's own claim
        browser = Browser(REMOTE_ADDR="10.0.0.1", HTTP_X_FORWARDED_FOR=chain)
        return browser.post("/admin/login/", {"username": staff.username, "password": password}).status_code

    assert [knock("203.0.113.9", "wrong") for _ in range(settings.AXES_FAILURE_LIMIT)][-1] == 429
    assert knock("203.0.113.9", PASSWORD) == 429
    assert knock("192.0.2.7", PASSWORD) == 302


def test_guessing_at_the_api_does_not_lock_the_admins_door(staff, api, settings):
    for _ in range(settings.AXES_FAILURE_LIMIT + 2):
        api.post(f"{AUTH}login/", {"username": staff.username, "password": "wrong"})
    assert Browser().post("/admin/login/", {"username": staff.username, "password": PASSWORD}).status_code == 302
