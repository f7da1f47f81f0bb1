"""Another password: by a mailed link, or by the present one; and what it ends."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client as Browser

from accounts.models import AccountLink, User

from ..factories import PASSWORD, UserFactory
from . import mails
from .steps import AUTH, bearer, codes, link_for, log_in, mailed_code

ANOTHER = "another horse battery staple"


def works(api, tokens):
    return type(api)().get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 200


def test_resetting_says_the_same_to_everybody_and_mails_only_accounts(api, smtp):
    UserFactory(email="known@example.org")
    UserFactory(email="gone@example.org", is_active=False)
    answers = [
        api.post(f"{AUTH}reset-password/", {"email": f"{who}@example.org"}) for who in ("Known", "gone", "nobody")
    ]
    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    mails.send_all()
    assert [message["To"] for message in smtp.messages] == ["known@example.org"]
    assert AccountLink.objects.count() == 1


def test_a_reset_costs_the_same_queries_for_a_known_and_an_unknown_address(api, user, django_assert_num_queries):
    api.post(f"{AUTH}reset-password/", {"email": "first@example.org"})
    for email in (user.email, "nobody@example.org"):
        with django_assert_num_queries(5):  # savepoint, lock, earlier links, the new one, release
            api.post(f"{AUTH}reset-password/", {"email": email})


def test_a_new_password_ends_every_session_and_spends_the_link(api, user, smtp):
    tokens = log_in(api, user)
    browser = Browser()
    browser.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    api.post(f"{AUTH}reset-password/", {"email": user.email})
    code = mailed_code(smtp, user.email)
    assert api.post(f"{AUTH}new-password/", {"token": code, "password": ANOTHER}).status_code == 204
    assert not works(api, tokens)
    assert api.post(f"{AUTH}token/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
    assert browser.get("/account/").status_code == 302
    again = api.post(f"{AUTH}new-password/", {"token": code, "password": "a third horse battery"})
    assert (again.status_code, codes(again)) == (400, [("expired_token", "token")])
    assert api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD}).status_code == 401
    log_in(api, user, ANOTHER)
    mails.send_all()
    assert any("was changed" in message["Subject"] for message in smtp.to(user.email))


def test_a_reset_confirms_the_address_that_it_was_mailed_to(api, smtp):
    user = UserFactory(email_verified_at=None)
    api.post(f"{AUTH}reset-password/", {"email": user.email})
    api.post(f"{AUTH}new-password/", {"token": mailed_code(smtp, user.email), "password": ANOTHER})
    log_in(api, user, ANOTHER)


def test_a_weak_password_leaves_the_link_good(api, user):
    code = link_for(user, "reset_password")
    weak = api.post(f"{AUTH}new-password/", {"token": code, "password": "12345678"})
    assert weak.status_code == 400
    assert {attr for _, attr in codes(weak)} == {"password"}
    assert api.post(f"{AUTH}new-password/", {"token": code, "password": ANOTHER}).status_code == 204


def test_only_the_latest_link_of_the_right_kind_and_in_time_sets_a_password(api, user, smtp):
    late = link_for(user, "reset_password", code="late", expires_at=Now() - timedelta(seconds=1))
    kind = link_for(user, "verify_email", code="kind")
    for token, code in ((late, "expired_token"), (kind, "invalid_token"), ("none", "invalid_token")):
        answer = api.post(f"{AUTH}new-password/", {"token": token, "password": ANOTHER})
        assert codes(answer) == [(code, "token")]
    api.post(f"{AUTH}reset-password/", {"email": user.email})
    first = mailed_code(smtp, user.email)
    api.post(f"{AUTH}reset-password/", {"email": user.email})
    assert codes(api.post(f"{AUTH}new-password/", {"token": first, "password": ANOTHER})) == [
        ("expired_token", "token")
    ]


def test_a_link_asked_for_before_the_password_was_changed_is_worth_nothing(api, user):
    code = link_for(user, "reset_password")
    api.credentials(**bearer(log_in(api, user)["access"]))
    api.post(f"{AUTH}change-password/", {"current_password": PASSWORD, "new_password": ANOTHER})
    assert api.post(f"{AUTH}new-password/", {"token": code, "password": "a third horse"}).status_code == 400


def test_a_deactivated_user_cannot_come_back_by_a_link(api, user):
    code = link_for(user, "reset_password")
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert api.post(f"{AUTH}new-password/", {"token": code, "password": ANOTHER}).status_code == 400


def test_changing_the_password_ends_every_other_session(api, user, smtp):
    mine, other = log_in(api, user), log_in(api, user)
    api.credentials(**bearer(mine["access"]))
    answer = api.post(f"{AUTH}change-password/", {"current_password": PASSWORD, "new_password": ANOTHER})
    assert answer.status_code == 204
    assert works(api, mine)
    assert not works(api, other)
    assert api.post(f"{AUTH}token/refresh/", {"refresh": mine["refresh"]}).status_code == 200
    mails.send_all()
    assert len(smtp.to(user.email)) == 1


def test_changing_the_password_by_cookie_keeps_the_cookie(user):
    browser, other = Browser(), Browser()
    for each in (browser, other):
        each.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    answer = browser.post(
        f"{AUTH}change-password/",
        {"current_password": PASSWORD, "new_password": ANOTHER},
        content_type="application/json",
    )
    assert answer.status_code == 204
    assert browser.get("/account/").status_code == 200
    assert [each["current"] for each in browser.get(f"{AUTH}sessions/").json()] == [True]
    assert other.get("/account/").status_code == 302


@pytest.mark.parametrize(
    "body, field",
    [
        ({"current_password": "wrong", "new_password": ANOTHER}, "current_password"),
        ({"current_password": PASSWORD, "new_password": "short"}, "new_password"),
        ({"current_password": PASSWORD, "new_password": "x" * 129}, "new_password"),
        ({"new_password": ANOTHER}, "current_password"),
        ({"current_password": PASSWORD}, "new_password"),
        ({"current_password": PASSWORD, "new_password": "with\x00nul byte"}, "new_password"),
    ],
    ids=lambda each: str(each)[:60],
)
def test_a_change_that_cannot_be_is_refused_by_field(signed_in, body, field):
    answer = signed_in.post(f"{AUTH}change-password/", body)
    assert answer.status_code == 400
    assert {attr for _, attr in codes(answer)} == {field}


def test_a_password_set_on_the_server_ends_the_sessions(api, user):
    tokens = log_in(api, user)
    user.set_password(ANOTHER)
    user.save()
    assert not works(api, tokens)


def by_the_present_one(api, user):
    api.as_user(user).post(f"{AUTH}change-password/", {"current_password": PASSWORD, "new_password": ANOTHER})


def by_a_link(api, user):
    api.post(f"{AUTH}new-password/", {"token": link_for(user, "reset_password"), "password": ANOTHER})


def on_the_server(api, user):
    user.set_password(ANOTHER)
    user.save()


@pytest.mark.parametrize("change", [by_the_present_one, by_a_link, on_the_server])
def test_a_new_password_ends_a_move_to_another_address_asked_for_under_the_old_one(api, user, change):
    code = link_for(user, "change_email", code="of-a-thief", email="thief@example.org")
    change(api, user)
    assert log_in(api, user, ANOTHER)
    assert codes(api.post(f"{AUTH}verify-email/", {"token": code})) == [("expired_token", "token")]
    assert User.objects.get(pk=user.pk).email == user.email


@pytest.mark.django_db(transaction=True)
def test_a_link_and_a_change_at_once_wait_for_each_other(api):
    user = UserFactory()
    code = link_for(user, "reset_password")
    bodies = [
        ("new-password", {"token": code, "password": ANOTHER}),
        ("change-password", {"current_password": PASSWORD, "new_password": ANOTHER}),
    ] * 6
    start, answers = threading.Barrier(len(bodies)), []

    def run(path, body):
        client = type(api)().as_user(user)
        start.wait()
        answers.append(client.post(f"{AUTH}{path}/", body).status_code)
        connection.close()

    threads = [threading.Thread(target=run, args=each) for each in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {204, 400, 401}
    assert 204 in answers
    log_in(api, user, ANOTHER)
