"""Personal access tokens: creation, use, revocation, and access tokens for this site's pages."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test import Client as DjangoClient
from django.utils import timezone

from accounts import personal_tokens, tokens
from accounts.models import PersonalToken, User, UserSession
from accounts.services import delete_expired
from config.audit.models import AuditRecord

from ..conftest import Client
from ..factories import PASSWORD, UserFactory
from .helpers import AUTH, NEW_PASSWORD, bearer, error_codes, link_for, log_in

TOKENS = f"{AUTH}tokens/"
NOTES = "/api/v1/notes/"


def create(client: Client, *scopes: str, **fields: Any) -> dict[str, Any]:
    response = client.post(TOKENS, {"name": "script", "scopes": scopes or ["notes:write"], **fields})
    assert response.status_code == 201, response.content
    return response.json()


@pytest.fixture
def script(signed_in: Client) -> Client:
    """A client with a token of ``user`` that may write notes and read the account."""
    client = Client()
    client.credentials(**bearer(create(signed_in, "notes:write", "account:read")["token"]))
    return client


def works(client: Client) -> bool:
    return client.get(NOTES).status_code == 200


def test_a_token_is_shown_once_and_stored_as_a_hash(signed_in: Client, user: User) -> None:
    created = create(signed_in, "notes:read", "notes:read", expires_at="2099-01-01T00:00:00+02:00")
    raw = created["token"]
    assert re.fullmatch(r"atr_[0-9A-Za-z]{36}", raw)
    assert created["prefix"] == raw[:8]
    assert (created["scopes"], created["expires_at"]) == (["notes:read"], "2098-12-31T22:00:00Z")
    (listed,) = signed_in.get(TOKENS).json()
    assert listed == {name: value for name, value in created.items() if name != "token"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT t::text FROM accounts_personaltoken t")
        assert raw not in cursor.fetchone()[0]
    assert raw not in str(signed_in.get(f"{AUTH}export/").json())


def test_the_checksum_is_githubs_and_a_mistyped_token_costs_no_query(
    api: Client, django_assert_num_queries: Any
) -> None:
    assert personal_tokens.checksum("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ") == "0mLq17"  # a token that GitHub has published
    raw = personal_tokens.new_token()
    assert personal_tokens.is_well_formed(raw)
    wrong = raw[:-1] + ("0" if raw[-1] != "0" else "1")
    for bad in (wrong, raw[:-1], "atr_", f"{raw}\x00", raw.replace("atr_", "atr_é")):
        with django_assert_num_queries(0):
            assert api.get(NOTES, **bearer(bad)).status_code == 401


def test_a_read_with_a_token_takes_one_query_like_one_with_an_access_token(
    script: Client, signed_in: Client, django_assert_num_queries: Any
) -> None:
    script.post(NOTES, {"title": "a"})
    for client in (signed_in, script):
        assert works(client)
        with django_assert_num_queries(1):
            assert client.get(NOTES).json()["results"][0]["title"] == "a"
    script.post(NOTES, {"title": "b"})
    assert script.get(NOTES).json()["results"][0]["title"] == "b", "a write invalidates what the token reads"


def test_the_last_use_is_stored_once_a_minute(script: Client, django_assert_num_queries: Any) -> None:
    client = {"REMOTE_ADDR": "198.51.100.7"}
    script.get(NOTES, **client)
    row = PersonalToken.objects.get()
    assert row.last_used_ip == "198.51.100.7"
    with django_assert_num_queries(1):
        script.get(NOTES, REMOTE_ADDR="198.51.100.8")
    PersonalToken.objects.update(last_used_at=Now() - timedelta(seconds=61))
    script.get(NOTES, REMOTE_ADDR="198.51.100.8")
    row.refresh_from_db()
    assert row.last_used_ip == "198.51.100.8"
    assert timezone.now() - row.last_used_at < timedelta(seconds=30)


def test_a_revoked_token_is_refused_from_the_next_request_on(script: Client, signed_in: Client) -> None:
    assert works(script)
    (listed,) = signed_in.get(TOKENS).json()
    assert signed_in.delete(f"{TOKENS}{listed['id']}/").status_code == 204
    assert script.get(NOTES).status_code == 401
    assert signed_in.delete(f"{TOKENS}{listed['id']}/").status_code == 404
    assert works(signed_in)


def test_a_token_of_another_user_cannot_be_revoked(script: Client, api: Client) -> None:
    stranger = api.as_user(UserFactory())
    assert stranger.delete(f"{TOKENS}{PersonalToken.objects.get().pk}/").status_code == 404
    assert stranger.get(TOKENS).json() == []
    assert works(script)


def test_an_expired_token_is_refused_and_deleted_later(script: Client) -> None:
    PersonalToken.objects.update(expires_at=Now() + timedelta(minutes=1))
    assert works(script)
    PersonalToken.objects.update(expires_at=Now())
    assert script.get(NOTES).status_code == 401
    PersonalToken.objects.update(expires_at=Now() - timedelta(days=91))
    delete_expired()
    assert not PersonalToken.objects.exists()


def deactivate(user: User, admin: DjangoClient) -> None:
    admin.post("/admin/accounts/user/", {"action": "deactivate", "_selected_action": [user.pk]})
    User.objects.filter(pk=user.pk).update(is_active=True)  # activating the account again does not bring them back


def reset_password(user: User, admin: DjangoClient) -> None:
    code = link_for(user, "reset_password")
    response = Client().post(f"{AUTH}new-password/", {"token": code, "password": NEW_PASSWORD})
    assert response.status_code == 204


def set_password_in_the_admin(user: User, admin: DjangoClient) -> None:
    form = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    assert admin.post(f"/admin/accounts/user/{user.pk}/password/", form).status_code == 302


def delete_account(user: User, admin: DjangoClient) -> None:
    assert Client().as_user(user).delete(f"{AUTH}account/", {"password": PASSWORD}).status_code == 204


@pytest.mark.parametrize("change", [deactivate, reset_password, set_password_in_the_admin, delete_account])
def test_tokens_end_with_the_account_and_with_a_password_that_is_reset(
    change: Callable[[User, DjangoClient], None], script: Client, user: User, staff: User
) -> None:
    admin = DjangoClient()
    admin.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    assert works(script)
    change(user, admin)
    assert script.get(NOTES).status_code == 401
    assert not PersonalToken.objects.exists()


def test_a_token_of_a_deactivated_user_is_refused_at_once(script: Client, user: User) -> None:
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert script.get(NOTES).status_code == 401


def test_changing_the_password_keeps_tokens(script: Client, signed_in: Client) -> None:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert signed_in.post(f"{AUTH}change-password/", body).status_code == 204
    assert works(script)


def test_creating_needs_a_recent_sign_in_and_a_refresh_is_none(api: Client, user: User) -> None:
    signed_in = log_in(api, user)
    old = Now() - timedelta(minutes=16)
    UserSession.objects.update(authenticated_at=old)
    body = {"name": "script", "scopes": ["notes:read"]}
    refreshed = api.post(f"{AUTH}token/refresh/", {"refresh": signed_in["refresh"]}).json()
    response = api.post(TOKENS, body, **bearer(refreshed["access"]))
    assert (response.status_code, error_codes(response)) == (403, [("reauthentication_required", None)])
    assert not PersonalToken.objects.exists()
    assert api.post(TOKENS, body, **bearer(log_in(api, user)["access"])).status_code == 201
    # Sessions of earlier versions do not have the time.
    UserSession.objects.update(authenticated_at=None, created_at=old)
    assert api.post(TOKENS, body, **bearer(refreshed["access"])).status_code == 403


def test_a_token_cannot_create_or_list_tokens(script: Client) -> None:
    for response in (script.get(TOKENS), script.post(TOKENS, {"name": "x", "scopes": ["notes:read"]})):
        assert (response.status_code, error_codes(response)) == (403, [("session_required", None)])


@pytest.mark.parametrize(
    "change, error",
    [
        ({"name": ""}, ("blank", "name")),
        ({"name": "x" * 101}, ("max_length", "name")),
        ({"name": 5}, ("invalid", "name")),
        ({"scopes": []}, ("min_length", "scopes")),
        ({"scopes": ["notes:delete"]}, ("invalid_choice", "scopes.0")),
        ({"scopes": "notes:read"}, ("not_a_list", "scopes")),
        ({"expires_at": "2020-01-01T00:00:00Z"}, ("in_the_past", "expires_at")),
        ({"expires_at": "2099-01-01T00:00:00"}, ("offset_required", "expires_at")),
        ({"user": 1}, ("unknown_field", "user")),
    ],
)
def test_invalid_input_is_refused(signed_in: Client, change: dict[str, Any], error: tuple[str, str]) -> None:
    response = signed_in.post(TOKENS, {"name": "script", "scopes": ["notes:read"], **change})
    assert (response.status_code, error_codes(response)) == (400, [error])


def test_a_user_has_at_most_a_hundred_tokens(signed_in: Client, user: User) -> None:
    PersonalToken.objects.bulk_create(
        PersonalToken(user=user, name="x", scopes=["notes:read"], prefix="atr_", token_hash=str(n)) for n in range(100)
    )
    response = signed_in.post(TOKENS, {"name": "script", "scopes": ["notes:read"]})
    assert (response.status_code, error_codes(response)) == (409, [("too_many_tokens", None)])


def test_an_idempotency_key_and_the_users_throttle_work_with_a_token(
    script: Client, signed_in: Client, settings: Any
) -> None:
    first = script.post(NOTES, {"title": "a"}, HTTP_IDEMPOTENCY_KEY="k").json()
    again = script.post(NOTES, {"title": "a"}, HTTP_IDEMPOTENCY_KEY="k")
    assert (again.json()["id"], again["Idempotent-Replayed"]) == (first["id"], "true")
    settings.THROTTLE_USER = "3/min"
    statuses = [client.get(NOTES).status_code for client in (script, signed_in, script, signed_in)]
    assert statuses == [200, 200, 200, 429], "all clients of an account count together"


def test_a_token_is_masked_in_the_logs(script: Client, api: Client, caplog: Any) -> None:
    raw = personal_tokens.new_token()
    assert api.get(f"{NOTES}?token={raw}").json()["errors"][0]["code"] == "token_in_url"
    assert raw not in caplog.text


def test_creation_use_and_revocation_are_recorded_without_the_token(script: Client, signed_in: Client) -> None:
    row = PersonalToken.objects.get()
    created = AuditRecord.objects.get(kind="token_created")
    assert created.target == f"accounts.personaltoken {row.pk}"
    assert created.details == {"name": "script", "scopes": ["account:read", "notes:write"], "expires_at": None}
    signed_in.delete(f"{TOKENS}{row.pk}/")
    assert AuditRecord.objects.get(kind="token_revoked").details == {"name": "script"}


def test_a_page_of_this_site_gets_an_access_token_that_ends_with_its_session(
    cookie_client: DjangoClient, api: Client
) -> None:
    answer = cookie_client.post(f"{AUTH}token/from-session/", content_type="application/json")
    assert answer.status_code == 200
    assert answer.json().keys() == {"access", "expires_in"}
    assert answer.json()["expires_in"] == 600
    access = answer.json()["access"]
    assert api.get(NOTES, **bearer(access)).status_code == 200
    assert api.post(f"{AUTH}token/verify/", {"token": access}).json()["type"] == "access"
    cookie_client.post("/logout/")
    assert api.get(NOTES, **bearer(access)).status_code == 401
    assert cookie_client.post(f"{AUTH}token/from-session/", content_type="application/json").status_code == 401


def test_an_access_token_for_a_page_needs_cookie_and_csrf_token(signed_in: Client, user: User) -> None:
    assert signed_in.post(f"{AUTH}token/from-session/").status_code == 401, "a bearer token is not a cookie"
    strict = DjangoClient(enforce_csrf_checks=True)
    strict.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    assert strict.post(f"{AUTH}token/from-session/").status_code == 403


def test_an_access_token_for_a_page_does_not_outlive_its_session(cookie_client: DjangoClient) -> None:
    UserSession.objects.update(expires_at=timezone.now() + timedelta(seconds=90))
    answer = cookie_client.post(f"{AUTH}token/from-session/", content_type="application/json").json()
    assert 60 < answer["expires_in"] <= 90
    assert tokens.decode_access(answer["access"])["exp"] <= timezone.now().timestamp() + 90


def test_staff_can_revoke_tokens_and_see_no_hash(script: Client, staff: User) -> None:
    admin = DjangoClient()
    admin.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    row = PersonalToken.objects.get()
    page = admin.get(f"/admin/accounts/personaltoken/{row.pk}/change/").content.decode()
    assert row.prefix in page
    assert row.token_hash not in page
    admin.post("/admin/accounts/personaltoken/", {"action": "revoke", "_selected_action": [str(row.pk)]})
    assert script.get(NOTES).status_code == 401
