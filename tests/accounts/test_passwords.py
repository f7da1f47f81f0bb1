"""Setting a new password, with a mailed link or the current password, and what that ends."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now

from accounts.models import AccountLink, User

from ..conftest import Client, Inbox
from ..factories import PASSWORD, UserFactory
from . import mails
from .helpers import (
    AUTH,
    NEW_PASSWORD,
    bearer,
    cookie_client_for,
    error_codes,
    link_for,
    log_in,
    mailed_code,
    token_works,
)


def test_a_reset_request_gets_the_same_response_for_every_address(api: Client, smtp: Inbox) -> None:
    UserFactory(email="known@example.org")
    UserFactory(email="gone@example.org", is_active=False)
    responses = [
        api.post(f"{AUTH}reset-password/", {"email": f"{who}@example.org"}) for who in ("Known", "gone", "nobody")
    ]
    assert {(response.status_code, response.content) for response in responses} == {(202, responses[0].content)}
    mails.send_due_mail()
    assert [message["To"] for message in smtp.messages] == ["known@example.org"]
    assert AccountLink.objects.count() == 1


def test_a_reset_request_costs_the_same_queries_for_every_address(
    api: Client, user: User, django_assert_num_queries: Any
) -> None:
    api.post(f"{AUTH}reset-password/", {"email": "first@example.org"})
    for email in (user.email, "nobody@example.org"):
        with django_assert_num_queries(3):  # savepoint, the new link, release
            api.post(f"{AUTH}reset-password/", {"email": email})


def test_a_reset_ends_every_session_and_uses_up_the_link(api: Client, user: User, smtp: Inbox) -> None:
    tokens = log_in(api, user)
    browser = cookie_client_for(user)
    api.post(f"{AUTH}reset-password/", {"email": user.email})
    code = mailed_code(smtp, user.email)
    assert api.post(f"{AUTH}new-password/", {"token": code, "password": NEW_PASSWORD}).status_code == 204
    assert not token_works(api, tokens)
    assert api.post(f"{AUTH}token/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
    assert browser.get("/account/").status_code == 302
    again = api.post(f"{AUTH}new-password/", {"token": code, "password": "a third horse battery"})
    assert (again.status_code, error_codes(again)) == (400, [("expired_token", "token")])
    assert api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD}).status_code == 401
    log_in(api, user, NEW_PASSWORD)
    mails.send_due_mail()
    assert any("was changed" in message["Subject"] for message in smtp.to(user.email))


def test_a_reset_confirms_the_address(api: Client, smtp: Inbox) -> None:
    user = UserFactory(email_verified_at=None)
    api.post(f"{AUTH}reset-password/", {"email": user.email})
    api.post(f"{AUTH}new-password/", {"token": mailed_code(smtp, user.email), "password": NEW_PASSWORD})
    log_in(api, user, NEW_PASSWORD)


def test_a_weak_password_leaves_the_link_valid(api: Client, user: User) -> None:
    code = link_for(user, "reset_password")
    weak = api.post(f"{AUTH}new-password/", {"token": code, "password": "12345678"})
    assert weak.status_code == 400
    assert {attr for _, attr in error_codes(weak)} == {"password"}
    assert api.post(f"{AUTH}new-password/", {"token": code, "password": NEW_PASSWORD}).status_code == 204


def test_only_an_unexpired_reset_link_sets_a_password(api: Client, user: User) -> None:
    late = link_for(user, "reset_password", code="late", expires_at=Now() - timedelta(seconds=1))
    kind = link_for(user, "verify_email", code="kind")
    for token, code in ((late, "expired_token"), (kind, "invalid_token"), ("none", "invalid_token")):
        response = api.post(f"{AUTH}new-password/", {"token": token, "password": NEW_PASSWORD})
        assert error_codes(response) == [(code, "token")]


def test_an_earlier_reset_link_stays_valid_until_one_is_used(api: Client, user: User, smtp: Inbox) -> None:
    codes = []
    for _ in range(3):
        api.post(f"{AUTH}reset-password/", {"email": user.email})
        codes.append(mailed_code(smtp, user.email))
    assert api.post(f"{AUTH}new-password/", {"token": codes[0], "password": NEW_PASSWORD}).status_code == 204
    for code in codes:
        response = api.post(f"{AUTH}new-password/", {"token": code, "password": "a third horse battery"})
        assert error_codes(response) == [("expired_token", "token")]


def test_a_reset_that_was_requested_before_the_password_changed_is_not_mailed(
    api: Client, user: User, smtp: Inbox
) -> None:
    api.post(f"{AUTH}reset-password/", {"email": user.email})
    change_with_current_password(api, user)
    mails.send_due_mail()
    assert not [message for message in smtp.messages if mails.code_in(message)]


def test_a_password_change_revokes_reset_links(api: Client, user: User) -> None:
    code = link_for(user, "reset_password")
    api.credentials(**bearer(log_in(api, user)["access"]))
    api.post(f"{AUTH}change-password/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    assert api.post(f"{AUTH}new-password/", {"token": code, "password": "a third horse"}).status_code == 400


def test_a_deactivated_user_cannot_use_a_reset_link(api: Client, user: User) -> None:
    code = link_for(user, "reset_password")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert api.post(f"{AUTH}new-password/", {"token": code, "password": NEW_PASSWORD}).status_code == 400


def test_a_password_change_ends_every_other_session(api: Client, user: User, smtp: Inbox) -> None:
    mine, other = log_in(api, user), log_in(api, user)
    api.credentials(**bearer(mine["access"]))
    response = api.post(f"{AUTH}change-password/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    assert response.status_code == 204
    assert token_works(api, mine)
    assert not token_works(api, other)
    assert api.post(f"{AUTH}token/refresh/", {"refresh": mine["refresh"]}).status_code == 200
    mails.send_due_mail()
    assert len(smtp.to(user.email)) == 1


def test_a_password_change_with_a_cookie_keeps_the_cookie(user: User) -> None:
    browser, other = cookie_client_for(user), cookie_client_for(user)
    response = browser.post(
        f"{AUTH}change-password/",
        {"current_password": PASSWORD, "new_password": NEW_PASSWORD},
        content_type="application/json",
    )
    assert response.status_code == 204
    assert browser.get("/account/").status_code == 200
    assert [each["current"] for each in browser.get(f"{AUTH}sessions/").json()] == [True]
    assert other.get("/account/").status_code == 302


@pytest.mark.parametrize(
    "body, field",
    [
        ({"current_password": "wrong", "new_password": NEW_PASSWORD}, "current_password"),
        ({"current_password": PASSWORD, "new_password": "short"}, "new_password"),
        ({"current_password": PASSWORD, "new_password": "x" * 129}, "new_password"),
        ({"new_password": NEW_PASSWORD}, "current_password"),
        ({"current_password": PASSWORD}, "new_password"),
        ({"current_password": PASSWORD, "new_password": "with\x00nul byte"}, "new_password"),
    ],
    ids=lambda each: str(each)[:60],
)
def test_an_invalid_password_change_is_refused_by_field(signed_in: Client, body: Any, field: str) -> None:
    response = signed_in.post(f"{AUTH}change-password/", body)
    assert response.status_code == 400
    assert {attr for _, attr in error_codes(response)} == {field}


@pytest.mark.parametrize(
    "password, accepted",
    [
        ("Lovelace-2026", False),
        ("ada1815-ATRIUM", False),
        ("acme-notes-1234", False),
        ("atrium-atrium-atrium", False),
        ("countess 7gh!kq2z", True),
        ("atrium of a green house", True),
    ],
)
def test_words_of_the_context_do_not_count_for_the_length(
    api: Client, settings: Any, password: str, accepted: bool
) -> None:
    settings.PUBLIC_URL, settings.PASSWORD_WORDS = "https://notes.example.com", ["Acme"]
    user = UserFactory(username="Ada1815", email="countess.of@example.org", last_name="Lovelace")
    body = {"token": link_for(user, "reset_password"), "password": password}
    response = api.post(f"{AUTH}new-password/", body)
    assert response.status_code == (204 if accepted else 400)
    if not accepted:
        assert ("password_context_words", "password") in error_codes(response)


def test_a_password_set_in_a_shell_ends_the_sessions(api: Client, user: User) -> None:
    tokens = log_in(api, user)
    user.set_password(NEW_PASSWORD)
    user.save()
    assert not token_works(api, tokens)


def change_with_current_password(api: Client, user: User) -> None:
    api.as_user(user).post(f"{AUTH}change-password/", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})


def change_with_link(api: Client, user: User) -> None:
    api.post(f"{AUTH}new-password/", {"token": link_for(user, "reset_password"), "password": NEW_PASSWORD})


def change_in_shell(api: Client, user: User) -> None:
    user.set_password(NEW_PASSWORD)
    user.save()


@pytest.mark.parametrize("change", [change_with_current_password, change_with_link, change_in_shell])
def test_a_new_password_revokes_a_pending_address_change(
    api: Client, user: User, change: Callable[[Client, User], Any]
) -> None:
    code = link_for(user, "change_email", code="of-a-thief", email="thief@example.org")
    change(api, user)
    assert log_in(api, user, NEW_PASSWORD)
    assert error_codes(api.post(f"{AUTH}verify-email/", {"token": code})) == [("expired_token", "token")]
    assert User.objects.get(pk=user.pk).email == user.email


@pytest.mark.django_db(transaction=True)
def test_concurrent_resets_and_changes_do_not_deadlock(api: Client) -> None:
    user = UserFactory()
    code = link_for(user, "reset_password")
    bodies = [
        ("new-password", {"token": code, "password": NEW_PASSWORD}),
        ("change-password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD}),
    ] * 6
    start, responses = threading.Barrier(len(bodies)), []

    def run(path: str, body: dict[str, str]) -> None:
        client = type(api)().as_user(user)
        start.wait()
        responses.append(client.post(f"{AUTH}{path}/", body).status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=each) for each in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(responses) <= {204, 400, 401}
    assert 204 in responses
    log_in(api, user, NEW_PASSWORD)
