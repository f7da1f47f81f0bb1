"""Registration and confirmation of the address, with known addresses and with attackers."""

import hashlib
import re
import threading
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.db.models import F
from django.db.models.functions import Now
from django.test import Client as DjangoClient

from accounts import services
from accounts.devices import Device
from accounts.models import AccountLink, PendingRegistration, User, UserProfile
from config.models import OutgoingMail

from ..conftest import Client, Inbox
from ..factories import PASSWORD, UserFactory
from . import mails
from .helpers import AUTH, error_codes, link_for, log_in, mailed_code

NEW = {"email": "ada@example.org", "username": "ada", "password": PASSWORD}


def register(api: Client, **fields: Any) -> Any:
    return api.post(f"{AUTH}register/", {**NEW, **fields})


def pending(username: str = "ada") -> PendingRegistration:
    return PendingRegistration.objects.get(username=username)


def log_in_status(api: Client, login: str, password: str = PASSWORD) -> tuple[int, str]:
    response = api.post(f"{AUTH}login/", {"username": login, "password": password})
    return response.status_code, "" if response.status_code == 200 else error_codes(response)[0][0]


def test_registration_creates_a_pending_row_and_its_link_creates_the_user(api: Client, smtp: Inbox) -> None:
    assert register(api).status_code == 201
    assert not User.objects.exists()
    assert pending().password.startswith("argon2$argon2id$")
    assert api.post(f"{AUTH}verify-email/", {"token": mailed_code(smtp, NEW["email"])}).status_code == 200
    user = User.objects.get(username="ada")
    assert len(user.usercode) == 6
    assert user.email_verified
    assert UserProfile.objects.filter(user=user).exists()
    assert not PendingRegistration.objects.exists()
    log_in(api, user)


@pytest.mark.thorough
def test_no_later_call_tells_a_known_address_from_an_unknown_one(api: Client, smtp: Inbox) -> None:
    UserFactory(email="known@example.org", username="owner")
    observed = []
    for email, username in (("known@example.org", "bob"), ("unknown@example.org", "eve")):
        responses = [
            register(api, email=email, username=username),
            api.post(f"{AUTH}login/", {"username": username, "password": PASSWORD}),
            api.post(f"{AUTH}login/", {"email": email, "password": PASSWORD + "!"}),
            api.post(f"{AUTH}login/", {"username": username, "password": PASSWORD + "!"}),
            register(api, email="other@example.org", username=username.upper()),
            register(api, email=email, username=username),
            api.post(f"{AUTH}resend-verification/", {"email": email}),
            api.post(f"{AUTH}reset-password/", {"email": email}),
            api.post(f"{AUTH}login/", {"email": email, "password": PASSWORD + "!"}),
        ]
        names = re.compile(rf"{email}|{username}", re.IGNORECASE)
        observed.append([(r.status_code, names.sub("", r.content.decode())) for r in responses])
    assert observed[0] == observed[1]
    assert [status for status, _ in observed[0]] == [201, 403, 401, 401, 400, 400, 202, 202, 401]
    mails.send_due_mail()
    assert all("/v/" not in mails.text_of(message) for message in smtp.to("known@example.org"))
    assert "owner" in mails.text_of(smtp.to("known@example.org")[0])


def test_the_password_of_a_registration_of_a_known_address_is_403_by_email_too(api: Client) -> None:
    owner = UserFactory(email="known@example.org")
    assert log_in_status(api, owner.email) == (200, "")
    register(api, email=owner.email, username="first", password="the first other password")
    register(api, email=owner.email, username="second", password="the second other password")
    assert log_in_status(api, owner.email, "the second other password") == (403, "email_not_verified")
    assert log_in_status(api, owner.email, "the first other password") == (401, "invalid_credentials")
    assert log_in_status(api, "first", "the first other password") == (403, "email_not_verified")


def test_registration_costs_the_same_queries_for_every_address(api: Client, django_assert_num_queries: Any) -> None:
    UserFactory(email="known@example.org")
    for email, username in (("known@example.org", "bob"), ("unknown@example.org", "eve")):
        with django_assert_num_queries(11):
            register(api, email=email, username=username)


def test_each_registration_confirms_its_own_password_and_voids_the_others(api: Client, smtp: Inbox) -> None:
    register(api, username="owner")
    own = mailed_code(smtp, NEW["email"])
    register(api, username="stranger", password="the password of a stranger")
    other = mailed_code(smtp, NEW["email"])
    assert "stranger" in mails.text_of(smtp.to(NEW["email"])[1])
    assert api.post(f"{AUTH}verify-email/", {"token": own}).status_code == 200
    user = User.objects.get()
    assert user.username == "owner"
    log_in(api, user)
    response = api.post(f"{AUTH}verify-email/", {"token": other})
    assert (response.status_code, error_codes(response)) == (400, [("expired_token", "token")])
    assert User.objects.get().check_password(PASSWORD)
    assert pending("stranger").voided_at is not None
    api.post(f"{AUTH}resend-verification/", {"email": NEW["email"]})
    mails.send_due_mail()
    assert len(smtp.to(NEW["email"])) == 2, "a voided registration gets no new link"


@pytest.mark.django_db(transaction=True)
def test_of_two_links_used_concurrently_one_creates_the_account(api: Client, smtp: Inbox) -> None:
    codes = []
    for username in ("first", "second"):
        register(api, username=username)
        codes.append(mailed_code(smtp, NEW["email"]))
    statuses: list[int] = []
    start = threading.Barrier(2)

    def run(code: str) -> None:
        start.wait()
        statuses.append(type(api)().post(f"{AUTH}verify-email/", {"token": code}).status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=(code,)) for code in codes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 400]
    assert User.objects.count() == 1


def test_a_taken_username_and_a_weak_password_are_reported_together(api: Client) -> None:
    register(api)
    response = register(api, email="other@example.org", password="12345678")
    codes = {field: code for code, field in error_codes(response)}
    assert (response.status_code, codes) == (400, {"username": "username_taken", "password": codes["password"]})


def test_a_username_is_reserved_for_seven_days(api: Client) -> None:
    register(api)
    taken = register(api, email="other@example.org", username="ADA")
    assert (taken.status_code, error_codes(taken)) == (400, [("username_taken", "username")])
    PendingRegistration.objects.update(expires_at=F("expires_at") - timedelta(days=7))
    assert log_in_status(api, "ada") == (401, "invalid_credentials"), "an expired registration has no password"
    assert register(api, email="other@example.org", username="ADA").status_code == 201


def test_an_expired_registration_is_deleted_with_its_links(api: Client) -> None:
    register(api)
    services.delete_expired()
    assert PendingRegistration.objects.exists()
    PendingRegistration.objects.update(expires_at=Now())
    services.delete_expired()
    assert not PendingRegistration.objects.exists()
    assert not AccountLink.objects.exists()


@pytest.mark.parametrize("username", ["admin", "Root", "DELETED", "support"])
def test_a_reserved_username_is_taken(api: Client, username: str) -> None:
    assert error_codes(register(api, username=username)) == [("username_taken", "username")]


def test_a_link_whose_address_or_username_now_has_an_account_is_a_conflict(api: Client, smtp: Inbox) -> None:
    register(api)
    code = mailed_code(smtp, NEW["email"])
    made = UserFactory(email="ADA@example.org")
    response = api.post(f"{AUTH}verify-email/", {"token": code})
    assert (response.status_code, error_codes(response)) == (409, [("email_taken", None)])
    User.objects.filter(pk=made.pk).update(email="else@example.org", username="ADA")
    response = api.post(f"{AUTH}verify-email/", {"token": code})
    assert (response.status_code, error_codes(response)) == (409, [("username_taken", None)])
    page = DjangoClient().post(f"/v/{code}/")
    assert (page.status_code, b"This username now belongs" in page.content) == (409, True)


def test_registration_does_not_take_over_an_account_created_by_staff(api: Client, smtp: Inbox) -> None:
    boss = UserFactory(email="boss@example.org", is_staff=True, email_verified_at=None)
    assert register(api, email="boss@example.org", username="mallory").status_code == 201
    before = (boss.username, boss.password)
    boss.refresh_from_db()
    assert (boss.username, boss.password) == before
    mails.send_due_mail()
    assert "/v/" not in mails.text_of(smtp.to("boss@example.org")[0])


def test_a_taken_username_is_refused_in_any_case_and_reveals_nothing_about_the_address(api: Client) -> None:
    UserFactory(username="ada", email="known@example.org")
    for email in ("known@example.org", "unknown@example.org"):
        response = register(api, username="ADA", email=email)
        assert response.status_code == 400
        assert error_codes(response) == [("username_taken", "username")]


def test_unconfirmed_users_of_earlier_versions_become_registrations_whose_links_work(api: Client) -> None:
    old = UserFactory(username="old", email="Old@example.org", email_verified_at=None)
    staff = UserFactory(email_verified_at=None, is_staff=True)
    code = link_for(old)
    import_module("accounts.migrations.0005_move_unconfirmed_users").move_unconfirmed_users(apps, None)
    assert list(User.objects.all()) == [staff]
    assert log_in_status(api, "old") == (403, "email_not_verified")
    assert api.post(f"{AUTH}verify-email/", {"token": code}).status_code == 200
    assert log_in_status(api, "old@example.org") == (200, "")


@pytest.mark.parametrize(
    "field, value",
    [
        ("password", "short"),
        ("password", "password1"),
        ("password", "8412749123"),
        ("password", "ada@example.org"),
        ("password", "x" * 129),
        ("password", "with\x00nul and length"),
        ("username", "ab"),
        ("username", "a" * 31),
        ("username", "with space"),
        ("username", "ümlaut"),
        ("username", "li\nne"),
        ("username", "nul\x00"),
        ("email", "nobody"),
        ("email", "a@b@c.org"),
        ("email", "nul\x00@example.org"),
        ("email", "ſomebody@example.org"),
        ("email", "a" * 250 + "@example.org"),
        ("email", "two\n@example.org"),
        ("email", None),
        ("email", ["a@example.org"]),
        ("password", {"a": 1}),
        ("password", 8412749123),
        ("username", 12345),
        ("email", 12345),
    ],
)
def test_invalid_input_is_refused_by_field(api: Client, field: str, value: Any) -> None:
    response = register(api, **{field: value})
    assert response.status_code == 400, response.content
    assert {attr for _, attr in error_codes(response)} == {field}
    assert not PendingRegistration.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "second, statuses",
    [
        ({"email": "other@example.org"}, [201, 400]),
        ({"username": "other"}, [201, 201]),
        ({}, [201, 400]),
    ],
    ids=["one username", "one address", "both"],
)
def test_of_two_concurrent_registrations_one_wins(
    client: DjangoClient, second: dict[str, str], statuses: list[int]
) -> None:
    found: list[int] = []
    start = threading.Barrier(2)

    def run(fields: dict[str, str]) -> None:
        start.wait()
        found.append(client.post(f"{AUTH}register/", {**NEW, **fields}, content_type="application/json").status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=(fields,)) for fields in ({}, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == statuses
    assert PendingRegistration.objects.count() == statuses.count(201)


def test_a_taken_usercode_is_drawn_again(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = UserFactory().usercode
    offers = iter([taken, taken, "FREE01"])
    monkeypatch.setattr("accounts.models.new_usercode", lambda: next(offers))
    assert UserFactory().usercode == "FREE01"


def test_a_link_works_once(api: Client, smtp: Inbox) -> None:
    register(api)
    code = mailed_code(smtp, NEW["email"])
    assert len(code) >= 22
    assert api.post(f"{AUTH}verify-email/", {"token": code}).status_code == 200
    again = api.post(f"{AUTH}verify-email/", {"token": code})
    assert (again.status_code, error_codes(again)) == (400, [("expired_token", "token")])


def test_the_code_is_stored_only_as_a_hash(api: Client, smtp: Inbox) -> None:
    register(api)
    code = mailed_code(smtp, NEW["email"])
    for model in (AccountLink, OutgoingMail):
        assert not [row for row in model.objects.values() if code in str(row)]
    assert AccountLink.objects.get().code_hash == hashlib.sha256(code.encode()).hexdigest()


def test_resending_leaves_the_earlier_link_valid_until_one_is_used(api: Client, smtp: Inbox) -> None:
    register(api)
    first = mailed_code(smtp, NEW["email"])
    assert api.post(f"{AUTH}resend-verification/", {"email": "ADA@example.org"}).status_code == 202
    second = mailed_code(smtp, NEW["email"])
    assert api.post(f"{AUTH}verify-email/", {"token": first}).status_code == 200
    assert error_codes(api.post(f"{AUTH}verify-email/", {"token": second})) == [("expired_token", "token")]


def test_resending_mails_a_link_for_each_registration_and_names_it(api: Client, smtp: Inbox) -> None:
    for username in ("first", "second"):
        register(api, username=username)
    mails.send_due_mail()
    smtp.messages.clear()
    api.post(f"{AUTH}resend-verification/", {"email": NEW["email"]})
    mails.send_due_mail()
    assert {("first" in mails.text_of(m), "second" in mails.text_of(m)) for m in smtp.messages} == {
        (True, False),
        (False, True),
    }
    code = next(mails.code_in(m) for m in smtp.messages if "second" in mails.text_of(m))
    api.post(f"{AUTH}verify-email/", {"token": code})
    assert User.objects.get().username == "second"


def test_resending_gets_the_same_response_for_every_address(api: Client, smtp: Inbox) -> None:
    UserFactory(email="waiting@example.org", email_verified_at=None)
    UserFactory(email="done@example.org")
    UserFactory(email="gone@example.org", email_verified_at=None, is_active=False)
    responses = [
        api.post(f"{AUTH}resend-verification/", {"email": f"{who}@example.org"})
        for who in ("waiting", "done", "gone", "nobody")
    ]
    assert {(response.status_code, response.content) for response in responses} == {(202, responses[0].content)}
    mails.send_due_mail()
    assert [message["To"] for message in smtp.messages] == ["waiting@example.org"]
    assert AccountLink.objects.count() == 1, "links of other addresses are not stored"


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 101, "a/../b", "é" * 22, "\x00"])
def test_an_unknown_code_is_refused(api: Client, token: Any) -> None:
    response = api.post(f"{AUTH}verify-email/", {"token": token})
    assert response.status_code == 400
    assert error_codes(response)[0][1] == "token"


def test_a_link_expires_and_has_one_purpose(api: Client, db: None) -> None:
    user = UserFactory(email_verified_at=None)
    late = link_for(user, code="late", expires_at=Now() - timedelta(seconds=1))
    other = link_for(user, purpose="reset_password", code="other")
    assert error_codes(api.post(f"{AUTH}verify-email/", {"token": late})) == [("expired_token", "token")]
    assert error_codes(api.post(f"{AUTH}verify-email/", {"token": other})) == [("invalid_token", "token")]
    user.refresh_from_db()
    assert not user.email_verified


def test_a_forged_host_does_not_appear_in_a_mail(api: Client, smtp: Inbox, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = "https://atrium.example.org"
    forged = {"HTTP_HOST": "evil.example.net", "HTTP_X_FORWARDED_HOST": "evil.example.net"}
    api.post(f"{AUTH}register/", NEW, **forged)
    mails.send_due_mail()
    (message,) = smtp.messages
    assert mails.url_in(message).startswith("https://atrium.example.org/v/")
    assert b"evil" not in message.as_bytes()


def test_the_mail_has_two_parts_and_describes_the_client(api: Client, smtp: Inbox) -> None:
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
    api.post(f"{AUTH}register/", NEW, HTTP_USER_AGENT=firefox, REMOTE_ADDR="192.0.2.7")
    mails.send_due_mail()
    (message,) = smtp.messages
    html = message.get_body(("html",)).get_content()
    for part in (mails.text_of(message), html):
        assert "192.0.2.7" in part
        assert "with Firefox on Linux" in part
        assert mails.url_in(message) in part
        assert "If it was not you" in part


@pytest.mark.parametrize(
    "user_agent, program",
    [
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 "
         "Safari/537.36 Edg/140.0.0.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
         "Safari/605.1.15", "Safari on a Mac"),
        ("Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile "
         "Safari/537.36", "Chrome on Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
         "Mobile/15E148 Safari/604.1", "Safari on an iPhone"),
        ("curl/8.14.1", "curl"),
        ("Browser/1.0", "an unknown program"),
        ("", "an unknown program"),
    ],
)  # fmt: skip
def test_a_client_is_described_by_browser_and_system(user_agent: str, program: str) -> None:
    assert Device("192.0.2.7", user_agent).program == program


def test_a_mail_contains_nothing_of_the_user_agent(api: Client, smtp: Inbox) -> None:
    """Anybody can have a mail sent to any address, so a request must not put text into it."""
    user_agent = "your account is lost, sign in at https://evil.example/ <img src=x>\r\nBcc: all@example.org"
    api.post(f"{AUTH}register/", NEW, HTTP_USER_AGENT=user_agent)
    mails.send_due_mail()
    (message,) = smtp.messages
    for part in (mails.text_of(message), message.get_body(("html",)).get_content()):
        assert "evil" not in part
        assert "<img src=x" not in part
    assert message["Bcc"] is None


def test_a_failed_registration_sends_no_mail(api: Client, user: User) -> None:
    register(api, username=user.username)
    assert not AccountLink.objects.exists()
    assert not OutgoingMail.objects.exists()
