"""The pages: signing in with a cookie, the account page, and the pages behind mailed links."""

import io
import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client as DjangoClient
from PIL import Image

from accounts.models import User, UserProfile, UserSession
from accounts.services import profiles

from ..conftest import Inbox
from ..factories import PASSWORD, UserFactory
from .helpers import NEW_PASSWORD, cookie_client_for, link_for, mailed_code

pytestmark = pytest.mark.django_db


def test_sign_in_redirects_to_the_requested_page_of_this_site_only(client: DjangoClient, user: User) -> None:
    first = client.get("/account/")
    assert first["Location"] == "/login/?next=/account/"
    assert (
        client.post("/login/?next=/account/", {"login": user.username, "password": PASSWORD})["Location"] == "/account/"
    )
    client.post("/logout/")
    away = client.post("/login/", {"login": user.email, "password": PASSWORD, "next": "https://evil.example.org/"})
    assert away["Location"] == "/"


def test_the_session_cookie_is_persistent_and_hidden_from_scripts(client: DjangoClient, user: User) -> None:
    client.post("/login/", {"login": user.email, "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert int(cookie["max-age"]) == 14 * 24 * 3600
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


@pytest.mark.parametrize("login", ["nobody", "nobody@example.org", "", "nul\x00"])
def test_a_failed_login_shows_the_form_again(client: DjangoClient, user: User, login: str) -> None:
    page = client.post("/login/", {"login": login, "password": "wrong"})
    assert page.status_code == 400
    assert "sessionid" not in client.cookies


def test_the_page_reports_an_unconfirmed_address_only_after_the_right_password(client: DjangoClient) -> None:
    UserFactory(email="new@example.org", email_verified_at=None)
    wrong = client.post("/login/", {"login": "new@example.org", "password": "wrong"})
    right = client.post("/login/", {"login": "new@example.org", "password": PASSWORD})
    assert (wrong.status_code, right.status_code) == (400, 403)
    assert b"Confirm your e-mail address first" in right.content
    assert b"Confirm your e-mail address first" not in wrong.content


def test_signing_out_requires_a_post(cookie_client: DjangoClient) -> None:
    assert cookie_client.get("/logout/").status_code == 302
    assert cookie_client.get("/account/").status_code == 200
    assert cookie_client.post("/logout/").status_code == 302
    assert cookie_client.get("/account/").status_code == 302


def test_the_register_page_is_the_same_for_a_known_address(client: DjangoClient, user: User) -> None:
    new = {"email": "new@example.org", "username": "new", "password": PASSWORD}
    free = client.post("/register/", new)
    known = client.post("/register/", {**new, "email": user.email, "username": "other"})
    assert free.status_code == known.status_code == 200
    assert free.content.replace(b"new@example.org", user.email.encode()) == known.content
    taken = client.post("/register/", {**new, "email": "x@example.org", "username": user.username})
    assert taken.status_code == 400
    assert b"This username is taken." in taken.content


def test_all_errors_of_a_form_are_shown_at_once_and_no_password_is_sent_back(
    client: DjangoClient, cookie_client: DjangoClient, user: User
) -> None:
    invalid = {"email": "nonsense", "username": "a b!", "password": "12345678"}
    taken = {"email": "new@example.org", "username": user.username, "password": "12345678"}
    weak = {"current_password": "wrong-word", "new_password": "12345678"}
    wrong = {"email": "nonsense", "password": "wrong-word"}
    for page, fields, found in [
        ("/register/", invalid, ["Enter a valid email", "Use only the letters A to Z", "This password is too common"]),
        ("/register/", invalid | {"username": user.username}, ["Enter a valid email", "taken", "too common"]),
        ("/register/", taken, ["This username is taken", "This password is too common"]),
        ("/account/password/", weak, ["This is not your current password", "This password is too common"]),
        ("/account/password/", weak | {"current_password": ""}, ["This field is required", "too common"]),
        ("/account/email/", wrong, ["Enter a valid email", "This is not your current password"]),
    ]:
        shown = (client if page == "/register/" else cookie_client).post(page, fields)
        text = shown.content.decode()
        assert shown.status_code == 400
        assert [each for each in found if each not in text] == [], page
        assert "12345678" not in text
        assert "wrong-word" not in text


def test_a_form_that_a_script_sends_gets_the_address_of_the_next_page(client: DjangoClient, user: User) -> None:
    fields = {"login": user.username, "password": "wrong"}
    refused = client.post("/login/?next=/account/", fields, headers={"Form-Fetch": "1"})
    assert (refused.status_code, b"<form" in refused.content) == (400, True)
    done = client.post("/login/?next=/account/", fields | {"password": PASSWORD}, headers={"Form-Fetch": "1"})
    assert (done.status_code, done["Form-Redirect"], "Location" in done) == (204, "/account/", False)
    assert client.get("/account/").status_code == 200


def test_the_time_zone_of_the_browser_is_the_default_until_one_is_set(client: DjangoClient, user: User) -> None:
    def sign_in(zone: str) -> str:
        client.cookies["time_zone"] = zone
        assert client.post("/login/", {"login": user.username, "password": PASSWORD}).status_code == 302
        client.post("/logout/")
        return UserProfile.objects.get(user=user).timezone

    assert sign_in("Middle/Earth") == "UTC"
    assert sign_in("America/New_York") == "America/New_York"
    assert sign_in("Asia/Tokyo") == "America/New_York", "it is set once"


def test_a_time_zone_that_the_user_has_chosen_stays(client: DjangoClient, user: User) -> None:
    profiles.update_profile(user=user, timezone="UTC")
    client.cookies["time_zone"] = "America/New_York"
    client.post("/login/", {"login": user.username, "password": PASSWORD})
    assert UserProfile.objects.get(user=user).timezone == "UTC"


@pytest.mark.parametrize("page", ["/forgot/", "/resend/"])
def test_a_link_request_shows_the_same_page_for_every_address(client: DjangoClient, user: User, page: str) -> None:
    known, unknown = client.post(page, {"email": user.email}), client.post(page, {"email": "nobody@example.org"})
    assert known.status_code == unknown.status_code == 200
    assert known.content.replace(user.email.encode(), b"nobody@example.org") == unknown.content


@pytest.mark.parametrize("page, purpose", [("v", "verify_email"), ("r", "reset_password")])
def test_opening_a_link_changes_nothing_and_does_not_leak_it(client: DjangoClient, page: str, purpose: str) -> None:
    user = UserFactory(email_verified_at=None)
    code = link_for(user, purpose)
    for _ in range(3):
        for method in (client.get, client.head):
            opened = method(f"/{page}/{code}/")
            assert opened.status_code == 200
            assert opened["Referrer-Policy"] == "strict-origin"
            assert "no-store" in opened["Cache-Control"]
    user.refresh_from_db()
    assert not user.email_verified
    assert user.links.get().spent_at is None


def test_the_button_confirms_the_address_once(client: DjangoClient) -> None:
    user = UserFactory(email_verified_at=None)
    code = link_for(user)
    assert client.post(f"/v/{code}/").status_code == 200
    assert User.objects.get(pk=user.pk).email_verified
    for again in (client.post(f"/v/{code}/"), client.get(f"/v/{code}/")):
        assert again.status_code == 400
        assert b"This link no longer works" in again.content
        assert again["Referrer-Policy"] == "strict-origin"


def test_the_reset_form_sets_a_password_once(client: DjangoClient, user: User) -> None:
    code = link_for(user, "reset_password")
    weak = client.post(f"/r/{code}/", {"password": "12345678"})
    assert b"too common" in weak.content
    assert b"Your password is changed" in client.post(f"/r/{code}/", {"password": NEW_PASSWORD}).content
    assert client.post(f"/r/{code}/", {"password": "a third horse battery"}).status_code == 400
    assert client.post("/login/", {"login": user.email, "password": NEW_PASSWORD}).status_code == 302


@pytest.mark.parametrize("path", ["/v/{}/", "/r/{}/"])
@pytest.mark.parametrize("code", ["nonsense", "x" * 300, "%00", "%ff", "é"])
def test_an_unknown_code_shows_the_invalid_link_page(client: DjangoClient, db: None, path: str, code: str) -> None:
    for page in (client.get(path.format(code)), client.post(path.format(code), {"password": NEW_PASSWORD})):
        assert page.status_code == 400
        assert b"This link is invalid" in page.content


def test_a_reset_link_does_not_open_the_confirmation_page(client: DjangoClient, user: User) -> None:
    assert client.get(f"/v/{link_for(user, 'reset_password')}/").status_code == 400


def test_a_new_address_is_confirmed_on_the_same_page(
    client: DjangoClient, cookie_client: DjangoClient, user: User, smtp: Inbox
) -> None:
    cookie_client.post("/account/email/", {"email": "new@example.org", "password": PASSWORD})
    code = mailed_code(smtp, "new@example.org")
    assert b"new@example.org" in client.get(f"/v/{code}/").content
    client.post(f"/v/{code}/")
    assert User.objects.get(pk=user.pk).email == "new@example.org"


def test_all_time_zones_can_be_chosen_and_the_stored_one_is_selected(cookie_client: DjangoClient, user: User) -> None:
    profiles.update_profile(user=user, timezone="Europe/London")
    page = cookie_client.get("/account/").content.decode()
    select = re.search(r'<select[^>]* name="timezone"[^>]*>(.*?)</select>', page, re.S)
    assert select
    options = re.findall(r'<option value="([^"]+)"( selected)?>([^<]+)</option>', select[1])
    assert (
        [value for value, _, _ in options] == [label for _, _, label in options] == sorted(profiles.known_timezones())
    )
    assert [value for value, selected, _ in options if selected] == ["Europe/London"]


def test_the_profile_is_saved_or_its_errors_are_shown(cookie_client: DjangoClient, user: User) -> None:
    fields = {"first_name": "Ada", "last_name": "L", "date_of_birth": "1990-12-10", "timezone": "Europe/London"}
    assert cookie_client.post("/account/profile/", fields)["Location"] == "/account/"
    assert UserProfile.objects.get(user=user).timezone == "Europe/London"
    wrong = cookie_client.post("/account/profile/", {**fields, "date_of_birth": "2999-01-01"})
    assert wrong.status_code == 400
    assert b"within the last 150 years" in wrong.content


def test_the_picture_is_saved_shown_and_removed(cookie_client: DjangoClient, user: User) -> None:
    out = io.BytesIO()
    Image.new("RGB", (20, 20)).save(out, "PNG")
    cookie_client.post("/account/picture/", {"image": SimpleUploadedFile("a.png", out.getvalue())})
    shown = re.search(r'<img src="(\S+/files/\S+)"', cookie_client.get("/account/").content.decode())
    assert cookie_client.get(shown[1]).status_code == 200
    refused = cookie_client.post("/account/picture/", {"image": SimpleUploadedFile("a.svg", b"<svg/>")})
    assert refused.status_code == 400
    cookie_client.post("/account/picture/remove/")
    assert not UserProfile.objects.get(user=user).image


def test_a_password_change_keeps_only_this_browser_signed_in(cookie_client: DjangoClient, user: User) -> None:
    other = cookie_client_for(user)
    wrong = cookie_client.post("/account/password/", {"current_password": "wrong", "new_password": NEW_PASSWORD})
    assert wrong.status_code == 400
    assert (
        cookie_client.post(
            "/account/password/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
        ).status_code
        == 302
    )
    assert cookie_client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302


def test_a_session_kept_over_a_password_change_expires_with_its_cookie(cookie_client: DjangoClient, user: User) -> None:
    UserSession.objects.update(expires_at=Now() + timedelta(hours=1))
    cookie_client.post("/account/password/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    cookie = Session.objects.get(session_key=cookie_client.session.session_key)
    assert abs(UserSession.objects.live().get().expires_at - cookie.expire_date) < timedelta(seconds=5)


def test_the_page_signs_out_own_devices_only(cookie_client: DjangoClient, user: User) -> None:
    phone, stranger = cookie_client_for(user), cookie_client_for(UserFactory())
    for session in UserSession.objects.exclude(session_key=cookie_client.session.session_key):
        cookie_client.post(f"/account/sessions/{session.pk}/end/")
    assert phone.get("/account/").status_code == 302
    assert stranger.get("/account/").status_code == 200
    assert cookie_client.get("/account/").status_code == 200
    cookie_client.post("/account/sessions/end/")
    assert cookie_client.get("/account/").status_code == 302


def test_devices_are_shown_by_browser_and_system(cookie_client: DjangoClient, user: User) -> None:
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
    UserSession.objects.filter(user=user).update(user_agent=chrome)
    assert ">Chrome on Linux<" in cookie_client.get("/account/").content.decode()


def test_deletion_on_the_page_requires_the_password(cookie_client: DjangoClient, user: User) -> None:
    assert cookie_client.post("/account/delete/", {"password": "wrong"}).status_code == 400
    assert cookie_client.post("/account/delete/", {"password": PASSWORD})["Location"] == "/"
    assert not User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize(
    "path", ["profile/", "picture/", "picture/remove/", "password/", "email/", "sessions/end/", "delete/", ""]
)
def test_the_account_page_requires_sign_in(client: DjangoClient, db: None, path: str) -> None:
    for response in (client.get(f"/account/{path}"), client.post(f"/account/{path}")):
        assert response.status_code == 302
        assert response["Location"].startswith("/login/")


@pytest.mark.parametrize("path", ["/login/", "/register/", "/forgot/", "/resend/", "/account/profile/"])
def test_a_form_without_csrf_token_is_refused(user: User, path: str) -> None:
    browser = cookie_client_for(user, enforce_csrf_checks=True)
    assert browser.post(path, {"login": user.email, "password": PASSWORD}).status_code == 403
