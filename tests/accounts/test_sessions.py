"""Signed-in devices: seen, ended one by one, all at once, and by what makes them untrustworthy."""

import pytest
from django.contrib.sessions.models import Session
from django.test import Client as Browser

from accounts.models import UserSession

from ..factories import PASSWORD, UserFactory
from .steps import AUTH, bearer, log_in


@pytest.fixture
def browser(user):
    """A browser in which ``user`` is signed in by cookie."""
    browser = Browser(HTTP_USER_AGENT="Firefox", raise_request_exception=False)
    assert browser.post("/login/", {"login": user.email, "password": PASSWORD}).status_code == 302
    return browser


def works(api, tokens):
    return type(api)().get(f"{AUTH}profile/", **bearer(tokens["access"])).status_code == 200


def test_devices_are_listed_with_the_current_one_marked(api, user, browser):
    phone = log_in(api, user, HTTP_USER_AGENT="Phone", REMOTE_ADDR="192.0.2.7")
    listed = api.get(f"{AUTH}sessions/", **bearer(phone["access"])).json()
    assert [(each["user_agent"], each["current"]) for each in listed] == [("Phone", True), ("Firefox", False)]
    assert set(listed[0]) == {"id", "created_at", "last_used_at", "ip", "user_agent", "current"}
    assert listed[0]["ip"] == "192.0.2.7"
    by_cookie = browser.get(f"{AUTH}sessions/").json()
    assert {each["user_agent"] for each in by_cookie if each["current"]} == {"Firefox"}


def test_ending_a_device_ends_its_tokens_at_once(api, user):
    mine, lost = log_in(api, user), log_in(api, user, HTTP_USER_AGENT="Lost")
    api.credentials(**bearer(mine["access"]))
    lost_id = next(each["id"] for each in api.get(f"{AUTH}sessions/").json() if each["user_agent"] == "Lost")
    assert api.delete(f"{AUTH}sessions/{lost_id}/").status_code == 204
    assert api.delete(f"{AUTH}sessions/{lost_id}/").status_code == 404
    assert len(api.get(f"{AUTH}sessions/").json()) == 1
    assert api.post(f"{AUTH}token/refresh/", {"refresh": lost["refresh"]}).status_code == 401
    assert not works(api, lost)
    assert works(api, mine)


def test_ending_a_device_ends_its_cookie_too(api, user, browser):
    api.credentials(**bearer(log_in(api, user)["access"]))
    cookie_id = next(each["id"] for each in api.get(f"{AUTH}sessions/").json() if not each["current"])
    assert browser.get("/account/").status_code == 200
    assert api.delete(f"{AUTH}sessions/{cookie_id}/").status_code == 204
    assert browser.get("/account/").status_code == 302
    assert not Session.objects.exists()


def test_a_stranger_can_neither_see_nor_end_a_device(api, user):
    tokens = log_in(api, user)
    session = UserSession.objects.get(user=user)
    stranger = api.as_user(UserFactory())
    assert str(session.pk) not in stranger.get(f"{AUTH}sessions/").content.decode()
    assert stranger.delete(f"{AUTH}sessions/{session.pk}/").status_code == 404
    assert works(api, tokens)


def test_logging_out_everywhere_ends_every_token_and_every_cookie(api, user, browser):
    tokens = [log_in(api, user) for _ in range(3)]
    other = UserFactory()
    others = log_in(api, other)
    assert api.post(f"{AUTH}logout-all/", **bearer(tokens[0]["access"])).status_code == 204
    assert not any(works(api, each) for each in tokens)
    assert browser.get("/account/").status_code == 302
    assert works(api, others)


def test_logging_out_everywhere_by_cookie_ends_the_cookie_itself(api, user, browser):
    tokens = log_in(api, user)
    token = browser.get("/account/").context["csrf_token"]
    answer = browser.post(f"{AUTH}logout-all/", HTTP_X_CSRFTOKEN=str(token))
    assert answer.status_code == 204
    assert browser.get("/account/").status_code == 302
    assert not works(api, tokens)


def test_signing_out_of_the_site_takes_the_device_off_the_list(api, user, browser):
    browser.post("/logout/")
    assert not UserSession.objects.live().filter(user=user).exists()


def test_deactivating_ends_sessions_for_good(api, user, browser):
    tokens = log_in(api, user)
    user.is_active = False
    user.save()
    assert not works(api, tokens)
    user.is_active = True
    user.save()
    assert not works(api, tokens), "a session that has ended does not come back"
    assert browser.get("/account/").status_code == 302


def test_a_cookie_needs_csrf_and_a_token_does_not(api, user):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    answer = browser.patch(f"{AUTH}profile/", {"first_name": "x"}, content_type="application/json")
    assert answer.status_code == 403
    assert answer.json()["type"] == "client_error"


def test_the_use_of_a_cookie_is_noted_now_and_then(user, browser, django_assert_num_queries):
    before = UserSession.objects.get(user=user).last_used_at
    browser.get(f"{AUTH}profile/")
    assert UserSession.objects.get(user=user).last_used_at > before
    with django_assert_num_queries(3):  # the cookie's session, its user, the profile: nothing is noted so soon again
        browser.get(f"{AUTH}profile/")


def test_the_list_costs_the_same_for_one_device_and_for_many(api, user, django_assert_num_queries):
    api.credentials(**bearer(log_in(api, user)["access"]))
    for _ in range(5):
        log_in(api, user)
    with django_assert_num_queries(2):
        assert len(api.get(f"{AUTH}sessions/").json()) == 6
