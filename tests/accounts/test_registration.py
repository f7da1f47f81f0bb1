"""Registering and confirming the address: for good, for known addresses, and for whoever means harm."""

import hashlib
import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from accounts.devices import Device
from accounts.models import AccountLink, User, UserProfile
from config.models import OutgoingMail

from ..factories import PASSWORD, UserFactory
from . import mails
from .steps import AUTH, codes, link_for, log_in, mailed_code

NEW = {"email": "ada@example.org", "username": "ada", "password": PASSWORD}


def register(api, **fields):
    return api.post(f"{AUTH}register/", {**NEW, **fields})


def test_registering_makes_a_user_with_a_code_and_a_profile(api):
    assert register(api).status_code == 201
    user = User.objects.get(username="ada")
    assert len(user.usercode) == 6
    assert user.password.startswith("argon2$argon2id$")
    assert not user.email_verified
    assert UserProfile.objects.filter(user=user).exists()


def test_a_known_address_gets_the_same_answer_and_its_owner_a_notice(api, smtp):
    UserFactory(email="known@example.org", username="owner")
    unknown, known = register(api), register(api, email="Known@example.org", username="bob")
    assert known.status_code == unknown.status_code == 201
    assert known.json()["detail"] == unknown.json()["detail"]
    assert known.json().keys() == unknown.json().keys()
    assert not User.objects.filter(username="bob").exists()
    mails.send_all()
    (notice,) = smtp.to("known@example.org")
    assert "owner" in mails.text_of(notice)
    assert "/v/" not in mails.text_of(notice)


def test_a_known_address_costs_as_many_queries_as_an_unknown_one(api, django_assert_max_num_queries):
    UserFactory(email="known@example.org")
    with django_assert_max_num_queries(20) as unknown:
        register(api)
    with django_assert_max_num_queries(20) as known:
        register(api, email="known@example.org", username="bob")
    assert abs(len(unknown) - len(known)) <= 4


def test_an_address_never_confirmed_is_free_for_its_owner(api, smtp):
    register(api, username="squatter", password="the password of somebody else")
    register(api, username="ada")
    assert register(api, username="ada", email="other@example.org").status_code == 400
    api.post(f"{AUTH}verify-email/", {"token": mailed_code(smtp, "ada@example.org")})
    user = User.objects.get()
    assert (user.username, user.email_verified) == ("ada", True)
    log_in(api, user)
    refused = api.post(f"{AUTH}login/", {"email": user.email, "password": "the password of somebody else"})
    assert refused.status_code == 401


def test_an_account_that_staff_made_is_not_taken_over_by_registering(api):
    boss = UserFactory(email="boss@example.org", is_staff=True, email_verified_at=None)
    assert register(api, email="boss@example.org", username="mallory").status_code == 201
    before = (boss.username, boss.password)
    boss.refresh_from_db()
    assert (boss.username, boss.password) == before
    assert not AccountLink.objects.exists()


def test_a_username_is_taken_without_regard_to_case_and_says_nothing_of_the_address(api):
    UserFactory(username="ada", email="known@example.org")
    for email in ("known@example.org", "unknown@example.org"):
        answer = register(api, username="ADA", email=email)
        assert answer.status_code == 400
        assert codes(answer) == [("username_taken", "username")]


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
    ],
)
def test_what_is_wrong_is_said_by_field(api, field, value):
    answer = register(api, **{field: value})
    assert answer.status_code == 400, answer.content
    assert {attr for _, attr in codes(answer)} == {field}
    assert not User.objects.exists()


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
def test_of_two_registrations_at_once_one_wins(client, second, statuses):
    found: list[int] = []
    start = threading.Barrier(2)

    def run(fields):
        start.wait()
        found.append(client.post(f"{AUTH}register/", {**NEW, **fields}, content_type="application/json").status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=(fields,)) for fields in ({}, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == statuses
    assert User.objects.count() == 1


def test_usercodes_are_given_again_when_one_is_taken(db, monkeypatch):
    taken = UserFactory().usercode
    offers = iter([taken, taken, "FREE01"])
    monkeypatch.setattr("accounts.models.new_usercode", lambda: next(offers))
    assert UserFactory().usercode == "FREE01"


def test_a_link_confirms_once(api, smtp):
    register(api)
    code = mailed_code(smtp, NEW["email"])
    assert len(code) >= 22
    assert api.post(f"{AUTH}verify-email/", {"token": code}).status_code == 200
    again = api.post(f"{AUTH}verify-email/", {"token": code})
    assert (again.status_code, codes(again)) == (400, [("expired_token", "token")])


def test_the_code_is_stored_only_as_a_hash_and_nowhere_in_a_mail_row(api, smtp):
    register(api)
    code = mailed_code(smtp, NEW["email"])
    for model in (AccountLink, OutgoingMail):
        assert not [row for row in model.objects.values() if code in str(row)]
    assert AccountLink.objects.get().code_hash == hashlib.sha256(code.encode()).hexdigest()


def test_a_second_request_spends_the_first_link(api, smtp):
    register(api)
    first = mailed_code(smtp, NEW["email"])
    assert api.post(f"{AUTH}resend-verification/", {"email": "ADA@example.org"}).status_code == 202
    assert codes(api.post(f"{AUTH}verify-email/", {"token": first})) == [("expired_token", "token")]
    second = mailed_code(smtp, NEW["email"])
    assert api.post(f"{AUTH}verify-email/", {"token": second}).status_code == 200


def test_resending_says_the_same_to_everybody_and_mails_only_who_waits(api, smtp):
    UserFactory(email="waiting@example.org", email_verified_at=None)
    UserFactory(email="done@example.org")
    UserFactory(email="gone@example.org", email_verified_at=None, is_active=False)
    answers = [
        api.post(f"{AUTH}resend-verification/", {"email": f"{who}@example.org"})
        for who in ("waiting", "done", "gone", "nobody")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    mails.send_all()
    assert [message["To"] for message in smtp.messages] == ["waiting@example.org"]
    assert AccountLink.objects.count() == 1, "nothing is kept of addresses that wait for no link"


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 101, "a/../b", "é" * 22, "\x00"])
def test_a_code_that_was_never_sent_is_refused(api, token):
    answer = api.post(f"{AUTH}verify-email/", {"token": token})
    assert answer.status_code == 400
    assert codes(answer)[0][1] == "token"


def test_a_link_expires_and_serves_one_purpose(api, db):
    user = UserFactory(email_verified_at=None)
    late = link_for(user, code="late", expires_at=Now() - timedelta(seconds=1))
    other = link_for(user, purpose="reset_password", code="other")
    assert codes(api.post(f"{AUTH}verify-email/", {"token": late})) == [("expired_token", "token")]
    assert codes(api.post(f"{AUTH}verify-email/", {"token": other})) == [("invalid_token", "token")]
    user.refresh_from_db()
    assert not user.email_verified


def test_a_forged_host_never_reaches_a_mail(api, smtp, settings):
    settings.ALLOWED_HOSTS = ["*"]
    settings.PUBLIC_URL = "https://atrium.example.org"
    forged = {"HTTP_HOST": "evil.example.net", "HTTP_X_FORWARDED_HOST": "evil.example.net"}
    api.post(f"{AUTH}register/", NEW, **forged)
    mails.send_all()
    (message,) = smtp.messages
    assert mails.url_in(message).startswith("https://atrium.example.org/v/")
    assert b"evil" not in message.as_bytes()


def test_the_mail_has_two_parts_and_says_who_asked_from_where(api, smtp):
    firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0"
    api.post(f"{AUTH}register/", NEW, HTTP_USER_AGENT=firefox, REMOTE_ADDR="192.0.2.7")
    mails.send_all()
    (message,) = smtp.messages
    html = message.get_body(("html",)).get_content()
    for part in (mails.text_of(message), html):
        assert "192.0.2.7" in part
        assert "with Firefox on Linux" in part
        assert mails.url_in(message) in part
        assert "If it was not you" in part


@pytest.mark.parametrize(
    "said, told",
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
def test_a_program_is_told_by_its_name(said, told):
    assert Device("192.0.2.7", said).program == told


def test_whoever_asks_for_a_mail_writes_no_line_of_it(api, smtp):
    """A mail goes to whatever address is named, so the User-Agent must not carry a message of the one who asks."""
    said = "your account is lost, sign in at https://evil.example/ <img src=x>\r\nBcc: all@example.org"
    api.post(f"{AUTH}register/", NEW, HTTP_USER_AGENT=said)
    mails.send_all()
    (message,) = smtp.messages
    for part in (mails.text_of(message), message.get_body(("html",)).get_content()):
        assert "evil" not in part
        assert "<img src=x" not in part
    assert message["Bcc"] is None


def test_nothing_is_mailed_of_a_registration_that_failed(api, user):
    register(api, username=user.username)
    assert not AccountLink.objects.exists()
    assert not OutgoingMail.objects.exists()
