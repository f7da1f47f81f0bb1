"""Changing the e-mail address."""

from typing import Any

import pytest

from accounts.models import User

from ..conftest import Client, Inbox
from ..factories import PASSWORD, UserFactory
from . import mails
from .helpers import AUTH, error_codes, link_for, mailed_code

NEW = "new@example.org"


def request_change(client: Client, **fields: Any) -> Any:
    return client.post(f"{AUTH}change-email/", {"email": NEW, "password": PASSWORD, **fields})


def email_of(user: User) -> str:
    return User.objects.get(pk=user.pk).email


def test_the_address_changes_when_the_link_sent_to_the_new_address_is_used(
    api: Client, signed_in: Client, user: User, smtp: Inbox
) -> None:
    old = user.email
    assert request_change(signed_in).status_code == 202
    assert email_of(user) == old
    mails.send_due_mail()
    assert len(smtp.to(old)) == 1, "the current address gets a notice of the request"
    assert mails.code_in(smtp.to(old)[0]) == ""
    assert api.post(f"{AUTH}verify-email/", {"token": mailed_code(smtp, NEW)}).status_code == 200
    assert email_of(user) == NEW
    mails.send_due_mail()
    assert len(smtp.to(old)) == 2, "and a notice of the change"
    assert signed_in.get(f"{AUTH}profile/").json()["email"] == NEW


def test_a_changed_address_revokes_links_of_the_old_one(
    api: Client, signed_in: Client, user: User, smtp: Inbox
) -> None:
    code = link_for(user, "reset_password")
    request_change(signed_in)
    api.post(f"{AUTH}verify-email/", {"token": mailed_code(smtp, NEW)})
    response = api.post(f"{AUTH}new-password/", {"token": code, "password": "another horse battery"})
    assert error_codes(response) == [("expired_token", "token")]


def test_a_taken_address_gets_the_same_response_and_its_owner_a_notice(
    signed_in: Client, user: User, smtp: Inbox
) -> None:
    UserFactory(email="known@example.org")
    free, known = request_change(signed_in), request_change(signed_in, email="Known@example.org")
    assert (free.status_code, free.content) == (known.status_code, known.content)
    mails.send_due_mail()
    (notice,) = smtp.to("known@example.org")
    assert mails.code_in(notice) == ""


def test_an_address_taken_since_the_request_is_a_conflict_and_changes_nothing(
    api: Client, signed_in: Client, user: User, smtp: Inbox
) -> None:
    old = user.email
    request_change(signed_in)
    code = mailed_code(smtp, NEW)
    UserFactory(email="NEW@example.org")
    response = api.post(f"{AUTH}verify-email/", {"token": code})
    assert (response.status_code, error_codes(response)) == (409, [("email_taken", None)])
    assert email_of(user) == old


@pytest.mark.parametrize(
    "fields, field",
    [({"password": "wrong"}, "password"), ({"email": "nobody"}, "email"), ({"email": None}, "email")],
    ids=str,
)
def test_a_wrong_password_or_an_invalid_address_is_refused(
    signed_in: Client, smtp: Inbox, fields: dict[str, Any], field: str
) -> None:
    response = request_change(signed_in, **fields)
    assert response.status_code == 400
    assert {attr for _, attr in error_codes(response)} == {field}
    mails.send_due_mail()
    assert not smtp.messages


@pytest.mark.parametrize("purpose, path", [("verify_email", "verify-email"), ("reset_password", "new-password")])
def test_a_link_is_expired_after_staff_changed_the_address(api: Client, user: User, purpose: str, path: str) -> None:
    code = link_for(user, purpose)
    User.objects.filter(pk=user.pk).update(email="elsewhere@example.org")
    password = {"password": "another horse battery"} if path == "new-password" else {}
    response = api.post(f"{AUTH}{path}/", {"token": code, **password})
    assert error_codes(response) == [("expired_token", "token")]


def test_an_address_with_pending_registrations_is_free_and_voids_them(
    api: Client, signed_in: Client, user: User, smtp: Inbox
) -> None:
    api.post(f"{AUTH}register/", {"email": NEW, "username": "ada", "password": PASSWORD})
    registration_code = mailed_code(smtp, NEW)
    assert request_change(signed_in).status_code == 202
    assert api.post(f"{AUTH}verify-email/", {"token": mailed_code(smtp, NEW)}).status_code == 200
    assert email_of(user) == NEW
    response = api.post(f"{AUTH}verify-email/", {"token": registration_code})
    assert error_codes(response) == [("expired_token", "token")]


def test_a_second_change_replaces_the_first(api: Client, signed_in: Client, smtp: Inbox) -> None:
    request_change(signed_in)
    first = mailed_code(smtp, NEW)
    request_change(signed_in, email="newer@example.org")
    assert error_codes(api.post(f"{AUTH}verify-email/", {"token": first})) == [("expired_token", "token")]
    assert api.post(f"{AUTH}verify-email/", {"token": mailed_code(smtp, "newer@example.org")}).status_code == 200


def test_a_change_costs_the_same_queries_for_every_address(signed_in: Client, django_assert_num_queries: Any) -> None:
    UserFactory(email="known@example.org")
    for email in ("known@example.org", "unknown@example.org"):
        with django_assert_num_queries(10):
            request_change(signed_in, email=email)
