"""Signed-in devices: the list, and everything that ends sessions."""

from typing import Any

from django.contrib.sessions.models import Session
from django.test import Client as DjangoClient

from accounts.models import User, UserSession

from ..conftest import Client
from ..factories import UserFactory
from .helpers import AUTH, bearer, cookie_client_for, log_in, token_works


def test_the_list_marks_the_current_device(api: Client, user: User, cookie_client: DjangoClient) -> None:
    phone = log_in(api, user, HTTP_USER_AGENT="Phone", REMOTE_ADDR="192.0.2.7")
    listed = api.get(f"{AUTH}sessions/", **bearer(phone["access"])).json()
    assert [(each["user_agent"], each["current"]) for each in listed] == [("Phone", True), ("Firefox", False)]
    assert set(listed[0]) == {"id", "created_at", "last_used_at", "ip", "user_agent", "current"}
    assert listed[0]["ip"] == "192.0.2.7"
    by_cookie = cookie_client.get(f"{AUTH}sessions/").json()
    assert {each["user_agent"] for each in by_cookie if each["current"]} == {"Firefox"}


def test_ending_a_session_ends_its_tokens_immediately(api: Client, user: User) -> None:
    mine, lost = log_in(api, user), log_in(api, user, HTTP_USER_AGENT="Lost")
    api.credentials(**bearer(mine["access"]))
    lost_id = next(each["id"] for each in api.get(f"{AUTH}sessions/").json() if each["user_agent"] == "Lost")
    assert api.delete(f"{AUTH}sessions/{lost_id}/").status_code == 204
    assert api.delete(f"{AUTH}sessions/{lost_id}/").status_code == 404
    assert len(api.get(f"{AUTH}sessions/").json()) == 1
    assert api.post(f"{AUTH}token/refresh/", {"refresh": lost["refresh"]}).status_code == 401
    assert not token_works(api, lost)
    assert token_works(api, mine)


def test_ending_a_session_ends_its_cookie(api: Client, user: User, cookie_client: DjangoClient) -> None:
    api.credentials(**bearer(log_in(api, user)["access"]))
    cookie_id = next(each["id"] for each in api.get(f"{AUTH}sessions/").json() if not each["current"])
    assert cookie_client.get("/account/").status_code == 200
    assert api.delete(f"{AUTH}sessions/{cookie_id}/").status_code == 204
    assert cookie_client.get("/account/").status_code == 302
    assert not Session.objects.exists()


def test_a_stranger_can_neither_see_nor_end_a_session(api: Client, user: User) -> None:
    tokens = log_in(api, user)
    session = UserSession.objects.get(user=user)
    stranger = api.as_user(UserFactory())
    assert str(session.pk) not in stranger.get(f"{AUTH}sessions/").content.decode()
    assert stranger.delete(f"{AUTH}sessions/{session.pk}/").status_code == 404
    assert token_works(api, tokens)


def test_logout_all_ends_every_token_and_every_cookie(api: Client, user: User, cookie_client: DjangoClient) -> None:
    tokens = [log_in(api, user) for _ in range(3)]
    other = UserFactory()
    others = log_in(api, other)
    assert api.post(f"{AUTH}logout-all/", **bearer(tokens[0]["access"])).status_code == 204
    assert not any(token_works(api, each) for each in tokens)
    assert cookie_client.get("/account/").status_code == 302
    assert token_works(api, others)


def test_logout_all_with_a_cookie_ends_that_cookie(api: Client, user: User, cookie_client: DjangoClient) -> None:
    tokens = log_in(api, user)
    token = cookie_client.get("/account/").context["csrf_token"]
    response = cookie_client.post(f"{AUTH}logout-all/", content_type="application/json", HTTP_X_CSRFTOKEN=str(token))
    assert response.status_code == 204
    assert cookie_client.get("/account/").status_code == 302
    assert not token_works(api, tokens)


def test_signing_out_of_the_pages_removes_the_device_from_the_list(
    api: Client, user: User, cookie_client: DjangoClient
) -> None:
    cookie_client.post("/logout/")
    assert not UserSession.objects.live().filter(user=user).exists()


def test_deactivation_ends_sessions_permanently(api: Client, user: User, cookie_client: DjangoClient) -> None:
    tokens = log_in(api, user)
    user.is_active = False
    user.save()
    assert not token_works(api, tokens)
    user.is_active = True
    user.save()
    assert not token_works(api, tokens), "an ended session stays ended"
    assert cookie_client.get("/account/").status_code == 302


def test_a_cookie_requires_csrf(api: Client, user: User) -> None:
    browser = cookie_client_for(user, enforce_csrf_checks=True)
    response = browser.patch(f"{AUTH}profile/", {"first_name": "x"}, content_type="application/json")
    assert response.status_code == 403
    assert response.json()["type"] == "client_error"


def test_the_use_of_a_cookie_is_stored_at_intervals(
    user: User, cookie_client: DjangoClient, django_assert_num_queries: Any
) -> None:
    before = UserSession.objects.get(user=user).last_used_at
    cookie_client.get(f"{AUTH}profile/")
    assert UserSession.objects.get(user=user).last_used_at > before
    with django_assert_num_queries(3):  # session, user and profile, without an update
        cookie_client.get(f"{AUTH}profile/")


def test_the_list_costs_two_queries_for_any_number_of_devices(
    api: Client, user: User, django_assert_num_queries: Any
) -> None:
    api.credentials(**bearer(log_in(api, user)["access"]))
    for _ in range(5):
        log_in(api, user)
    with django_assert_num_queries(2):
        assert len(api.get(f"{AUTH}sessions/").json()) == 6
