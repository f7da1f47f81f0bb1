"""This site's own pages: signing in by cookie, the account, and what is behind the links of mails."""

import io
import re
from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test import Client as Browser
from PIL import Image

from accounts.models import User, UserProfile, UserSession

from ..factories import PASSWORD, UserFactory
from .steps import link_for, mailed_code

pytestmark = pytest.mark.django_db

ANOTHER = "another horse battery staple"


@pytest.fixture
def browser(user):
    browser = Browser()
    browser.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    return browser


def test_signing_in_leads_to_where_one_was_going_and_nowhere_else(client, user):
    first = client.get("/account/")
    assert first["Location"] == "/login/?next=/account/"
    assert (
        client.post("/login/?next=/account/", {"login": user.username, "password": PASSWORD})["Location"] == "/account/"
    )
    client.post("/logout/")
    away = client.post("/login/", {"login": user.email, "password": PASSWORD, "next": "https://evil.example.org/"})
    assert away["Location"] == "/messager/"


def test_the_cookie_survives_the_browser_and_is_out_of_reach_of_scripts(client, user):
    client.post("/login/", {"login": user.email, "password": PASSWORD})
    cookie = client.cookies["sessionid"]
    assert int(cookie["max-age"]) == 14 * 24 * 3600
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


@pytest.mark.parametrize("login", ["nobody", "nobody@example.org", "", "nul\x00"])
def test_a_wrong_log_in_stays_on_the_page(client, user, login):
    page = client.post("/login/", {"login": login, "password": "wrong"})
    assert page.status_code == 400
    assert "sessionid" not in client.cookies


def test_the_page_says_that_an_address_is_not_confirmed_only_after_the_right_password(client):
    UserFactory(email="new@example.org", email_verified_at=None)
    wrong = client.post("/login/", {"login": "new@example.org", "password": "wrong"})
    right = client.post("/login/", {"login": "new@example.org", "password": PASSWORD})
    assert (wrong.status_code, right.status_code) == (400, 403)
    assert b"confirm your e-mail" in right.content
    assert b"confirm your e-mail" not in wrong.content


def test_signing_out_needs_a_post(browser):
    assert browser.get("/logout/").status_code == 302
    assert browser.get("/account/").status_code == 200
    assert browser.post("/logout/").status_code == 302
    assert browser.get("/account/").status_code == 302


def test_registering_by_the_page_says_the_same_for_a_known_address(client, user):
    new = {"email": "new@example.org", "username": "new", "password": PASSWORD}
    free = client.post("/register/", new)
    known = client.post("/register/", {**new, "email": user.email, "username": "other"})
    assert free.status_code == known.status_code == 200
    assert free.content.replace(b"new@example.org", user.email.encode()) == known.content
    taken = client.post("/register/", {**new, "email": "x@example.org", "username": user.username})
    assert taken.status_code == 400
    assert b"This username is taken." in taken.content


def test_all_that_is_wrong_with_a_registration_is_said_at_once(client, db):
    page = client.post("/register/", {"email": "nonsense", "username": "a b!", "password": PASSWORD}).content.decode()
    assert "Enter a valid email address." in page
    assert "A username is made of the letters A to Z and digits." in page


@pytest.mark.parametrize("page", ["/forgot/", "/resend/"])
def test_asking_for_a_link_says_the_same_to_everybody(client, user, page):
    known, unknown = client.post(page, {"email": user.email}), client.post(page, {"email": "nobody@example.org"})
    assert known.status_code == unknown.status_code == 200
    assert known.content.replace(user.email.encode(), b"nobody@example.org") == unknown.content


@pytest.mark.parametrize("page, purpose", [("v", "verify_email"), ("r", "reset_password")])
def test_opening_a_link_changes_nothing_and_gives_nothing_away(client, page, purpose):
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


def test_the_button_of_a_link_confirms_the_address_once(client):
    user = UserFactory(email_verified_at=None)
    code = link_for(user)
    assert client.post(f"/v/{code}/").status_code == 200
    assert User.objects.get(pk=user.pk).email_verified
    for again in (client.post(f"/v/{code}/"), client.get(f"/v/{code}/")):
        assert again.status_code == 400
        assert b"This link no longer works" in again.content
        assert again["Referrer-Policy"] == "strict-origin"


def test_the_form_of_a_link_sets_a_password_once(client, user):
    code = link_for(user, "reset_password")
    weak = client.post(f"/r/{code}/", {"password": "12345678"})
    assert b"too common" in weak.content
    assert b"The password is set" in client.post(f"/r/{code}/", {"password": ANOTHER}).content
    assert client.post(f"/r/{code}/", {"password": "a third horse battery"}).status_code == 400
    assert client.post("/login/", {"login": user.email, "password": ANOTHER}).status_code == 302


@pytest.mark.parametrize("path", ["/v/{}/", "/r/{}/"])
@pytest.mark.parametrize("code", ["nonsense", "x" * 300, "%00", "%ff", "é"])
def test_a_code_that_was_never_sent_gets_a_page_that_helps(client, db, path, code):
    for page in (client.get(path.format(code)), client.post(path.format(code), {"password": ANOTHER})):
        assert page.status_code == 400
        assert b"not valid" in page.content


def test_a_link_of_one_kind_does_not_open_the_page_of_the_other(client, user):
    assert client.get(f"/v/{link_for(user, 'reset_password')}/").status_code == 400


def test_a_new_address_is_confirmed_by_the_same_page(client, browser, user, smtp):
    browser.post("/account/email/", {"email": "new@example.org", "password": PASSWORD})
    code = mailed_code(smtp, "new@example.org")
    assert b"new@example.org" in client.get(f"/v/{code}/").content
    client.post(f"/v/{code}/")
    assert User.objects.get(pk=user.pk).email == "new@example.org"


def test_the_profile_is_saved_and_what_is_wrong_is_said(browser, user):
    fields = {"first_name": "Ada", "last_name": "L", "date_of_birth": "1990-12-10", "timezone": "Europe/London"}
    assert browser.post("/account/profile/", fields)["Location"] == "/account/"
    assert UserProfile.objects.get(user=user).timezone == "Europe/London"
    wrong = browser.post("/account/profile/", {**fields, "date_of_birth": "2999-01-01"})
    assert wrong.status_code == 400
    assert b"date of birth" in wrong.content


def test_the_picture_is_saved_shown_and_removed(browser, user):
    out = io.BytesIO()
    Image.new("RGB", (20, 20)).save(out, "PNG")
    browser.post("/account/picture/", {"image": SimpleUploadedFile("a.png", out.getvalue())})
    shown = re.search(r'<img src="(\S+/files/\S+)"', browser.get("/account/").content.decode())
    assert browser.get(shown[1]).status_code == 200
    refused = browser.post("/account/picture/", {"image": SimpleUploadedFile("a.svg", b"<svg/>")})
    assert refused.status_code == 400
    browser.post("/account/picture/remove/")
    assert not UserProfile.objects.get(user=user).image


def test_the_password_is_changed_and_this_browser_stays(browser, user):
    other = Browser()
    other.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    wrong = browser.post("/account/password/", {"current_password": "wrong", "new_password": ANOTHER})
    assert wrong.status_code == 400
    assert (
        browser.post("/account/password/", {"current_password": PASSWORD, "new_password": ANOTHER}).status_code == 302
    )
    assert browser.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 302


def test_a_browser_that_stays_is_listed_for_as_long_as_its_cookie_is_good(browser, user):
    UserSession.objects.update(expires_at=Now() + timedelta(hours=1))
    browser.post("/account/password/", {"current_password": PASSWORD, "new_password": ANOTHER})
    cookie = Session.objects.get(session_key=browser.session.session_key)
    assert abs(UserSession.objects.live().get().expires_at - cookie.expire_date) < timedelta(seconds=5)


def test_a_device_is_signed_out_from_the_page_and_a_strangers_is_not(browser, user):
    phone = Browser()
    phone.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    theirs = Browser()
    theirs.force_login(UserFactory(), backend="accounts.backends.EmailOrUsernameBackend")
    for session in UserSession.objects.exclude(session_key=browser.session.session_key):
        browser.post(f"/account/sessions/{session.pk}/end/")
    assert phone.get("/account/").status_code == 302
    assert theirs.get("/account/").status_code == 200
    assert browser.get("/account/").status_code == 200
    browser.post("/account/sessions/end/")
    assert browser.get("/account/").status_code == 302


def test_devices_are_named_in_words(browser, user):
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
    UserSession.objects.filter(user=user).update(user_agent=chrome)
    assert ">Chrome on Linux<" in browser.get("/account/").content.decode()


def test_leaving_by_the_page_needs_the_password(browser, user):
    assert browser.post("/account/delete/", {"password": "wrong"}).status_code == 400
    assert browser.post("/account/delete/", {"password": PASSWORD})["Location"] == "/"
    assert not User.objects.filter(pk=user.pk).exists()


@pytest.mark.parametrize(
    "path", ["profile/", "picture/", "picture/remove/", "password/", "email/", "sessions/end/", "delete/", ""]
)
def test_the_account_is_closed_to_strangers(client, db, path):
    for answer in (client.get(f"/account/{path}"), client.post(f"/account/{path}")):
        assert answer.status_code == 302
        assert answer["Location"].startswith("/login/")


@pytest.mark.parametrize("path", ["/login/", "/register/", "/forgot/", "/resend/", "/account/profile/"])
def test_a_form_of_another_site_is_refused(user, path):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    assert browser.post(path, {"login": user.email, "password": PASSWORD}).status_code == 403
