"""Moving to another address."""

import pytest

from accounts.models import User

from ..factories import PASSWORD, UserFactory
from . import mails
from .steps import AUTH, codes, link_for, mailed_code

NEW = "new@example.org"


def ask(client, **fields):
    return client.post(f"{AUTH}change-email/", {"email": NEW, "password": PASSWORD, **fields})


def email_of(user):
    return User.objects.get(pk=user.pk).email


def test_the_address_changes_when_the_link_sent_to_the_new_one_is_used(api, signed_in, user, smtp):
    old = user.email
    assert ask(signed_in).status_code == 202
    assert email_of(user) == old
    mails.send_all()
    assert len(smtp.to(old)) == 1, "the old address hears of it before it happens"
    assert mails.code_in(smtp.to(old)[0]) == ""
    assert api.post(f"{AUTH}verify-email/", {"token": mailed_code(smtp, NEW)}).status_code == 200
    assert email_of(user) == NEW
    mails.send_all()
    assert len(smtp.to(old)) == 2, "and once it has"
    assert signed_in.get(f"{AUTH}profile/").json()["email"] == NEW


def test_links_of_the_old_address_are_worth_nothing_afterwards(api, signed_in, user, smtp):
    code = link_for(user, "reset_password")
    ask(signed_in)
    api.post(f"{AUTH}verify-email/", {"token": mailed_code(smtp, NEW)})
    answer = api.post(f"{AUTH}new-password/", {"token": code, "password": "another horse battery"})
    assert codes(answer) == [("expired_token", "token")]


def test_an_address_in_use_gets_the_same_answer_and_its_owner_a_notice(signed_in, user, smtp):
    UserFactory(email="known@example.org")
    free, known = ask(signed_in), ask(signed_in, email="Known@example.org")
    assert (free.status_code, free.content) == (known.status_code, known.content)
    mails.send_all()
    (notice,) = smtp.to("known@example.org")
    assert mails.code_in(notice) == ""


def test_an_address_taken_in_the_meantime_is_a_conflict_and_changes_nothing(api, signed_in, user, smtp):
    old = user.email
    ask(signed_in)
    code = mailed_code(smtp, NEW)
    UserFactory(email="NEW@example.org")
    answer = api.post(f"{AUTH}verify-email/", {"token": code})
    assert (answer.status_code, codes(answer)) == (409, [("email_taken", None)])
    assert email_of(user) == old


@pytest.mark.parametrize(
    "fields, field",
    [({"password": "wrong"}, "password"), ({"email": "nobody"}, "email"), ({"email": None}, "email")],
    ids=str,
)
def test_a_wrong_password_or_address_is_refused(signed_in, smtp, fields, field):
    answer = ask(signed_in, **fields)
    assert answer.status_code == 400
    assert {attr for _, attr in codes(answer)} == {field}
    mails.send_all()
    assert not smtp.messages


@pytest.mark.parametrize("purpose, path", [("verify_email", "verify-email"), ("reset_password", "new-password")])
def test_a_link_opens_nothing_once_staff_have_changed_the_address(api, user, purpose, path):
    code = link_for(user, purpose)
    User.objects.filter(pk=user.pk).update(email="elsewhere@example.org")
    answer = api.post(f"{AUTH}{path}/", {"token": code, "password": "another horse battery"})
    assert codes(answer) == [("expired_token", "token")]
