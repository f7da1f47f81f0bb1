"""Personal access tokens and activity on the account page."""

import re
from datetime import timedelta

import pytest
from django.db.models.functions import Now
from django.test import Client as DjangoClient

from accounts.backends import BACKEND
from accounts.models import PersonalToken, User, UserSession
from accounts.pages.activity import PAGE_SIZE
from config.audit.models import AuditRecord

from ..conftest import Client
from ..factories import UserFactory
from .helpers import bearer, cookie_client_for

pytestmark = pytest.mark.django_db
CREATE = {"name": "Backup", "scopes": ["notes:read"], "valid_days": "30"}


def create(client: DjangoClient, **fields: object) -> str:
    page = client.post("/account/tokens/", CREATE | fields)
    assert page.status_code == 200, page.content
    return re.findall(r"atr_\w{36}", page.content.decode())[0]


def test_a_token_is_shown_once_works_and_is_revoked(cookie_client: DjangoClient, user: User) -> None:
    raw = create(cookie_client)
    api = Client()
    api.credentials(**bearer(raw))
    assert api.get("/api/v1/notes/").status_code == 200
    token = PersonalToken.objects.get()
    assert timedelta(days=29) < token.expires_at - token.created_at < timedelta(days=31)
    page = cookie_client.get("/account/").content.decode()
    assert raw not in page
    assert "Last used" in page
    assert cookie_client.post(f"/account/tokens/{token.pk}/revoke/").status_code == 302
    assert api.get("/api/v1/notes/").status_code == 401
    assert cookie_client.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    assert [event.kind for event in AuditRecord.objects.about(user)[:2]] == ["token_revoked", "token_created"]


def test_a_token_may_never_expire(cookie_client: DjangoClient) -> None:
    create(cookie_client, valid_days="0")
    assert PersonalToken.objects.get().expires_at is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""}, {"name": "a\x00"}, {"name": "x" * 101}, {"scopes": []}, {"scopes": ["notes:erase"]},
        {"scopes": ["trends:write"]}, {"valid_days": "1e9"}, {"valid_days": ""},
    ],
)  # fmt: skip
def test_invalid_input_creates_nothing_and_opens_the_form(cookie_client: DjangoClient, wrong: dict) -> None:
    page = cookie_client.post("/account/tokens/", CREATE | wrong)
    assert page.status_code == 400
    assert "<details open>" in page.content.decode()
    assert not PersonalToken.objects.exists()


def test_staff_may_choose_the_scope_of_staff(staff: User) -> None:
    create(cookie_client_for(staff), scopes=["trends:write"])
    assert PersonalToken.objects.get().scopes == ["trends:write"]


def test_creating_needs_a_recent_sign_in_and_revoking_none(cookie_client: DjangoClient) -> None:
    create(cookie_client)
    UserSession.objects.update(authenticated_at=Now() - timedelta(hours=1))
    refused = cookie_client.post("/account/tokens/", CREATE)
    assert refused["Location"] == "/account/reauthenticate/?next=%2Faccount%2F%23tokens"
    assert 'action="/account/tokens/"' not in cookie_client.get("/account/").content.decode()
    token = PersonalToken.objects.get()
    assert cookie_client.post(f"/account/tokens/{token.pk}/revoke/").status_code == 302
    assert not PersonalToken.objects.exists()


def test_a_stranger_sees_and_revokes_nothing(cookie_client: DjangoClient) -> None:
    create(cookie_client, name="Of the owner")
    token = PersonalToken.objects.get()
    stranger = cookie_client_for(UserFactory())
    for path in ("/account/", "/account/activity/"):
        assert b"Of the owner" not in stranger.get(path).content
    assert stranger.post(f"/account/tokens/{token.pk}/revoke/").status_code == 404
    assert PersonalToken.objects.filter(pk=token.pk).exists()


def test_signed_out_everything_leads_to_the_sign_in(client: DjangoClient, user: User) -> None:
    for path in ("/account/tokens/", "/account/tokens/0191e7a2-0000-7000-8000-000000000000/revoke/"):
        assert client.post(path, CREATE)["Location"].startswith("/login/")
    assert client.get("/account/activity/")["Location"].startswith("/login/")
    assert not PersonalToken.objects.exists()


def test_a_form_of_another_site_is_refused(user: User) -> None:
    client = DjangoClient(enforce_csrf_checks=True)
    client.force_login(user, backend=BACKEND)
    assert client.post("/account/tokens/", CREATE).status_code == 403


def test_activity_is_paged_newest_first_without_addresses_of_staff(
    cookie_client: DjangoClient, user: User, staff: User
) -> None:
    AuditRecord.objects.create(kind="admin_changed", user=user, actor=staff, ip="192.0.2.9", user_agent="curl/8")
    for number in range(PAGE_SIZE):
        AuditRecord.objects.create(kind="login_failed", user=user, ip=f"192.0.2.{100 + number}")
    first = cookie_client.get("/account/activity/").content.decode()
    shown = re.findall(r"192\.0\.2\.\d+", first)
    assert shown == [f"192.0.2.{100 + number}" for number in reversed(range(PAGE_SIZE))]
    older = cookie_client.get("/account/activity/" + re.findall(r"\?before=\d+", first)[0]).content.decode()
    assert "Changed in the admin" in older
    assert "by somebody else" in older
    assert "192.0.2.9" not in older
    assert "192.0.2.1" not in older
    summary = cookie_client.get("/account/").content.decode()
    assert summary.count("Failed sign-in") == 5


@pytest.mark.parametrize("before", ["x", "-1", "9" * 19, "9" * 40, "²", "\x00"])
def test_an_impossible_page_of_activity_is_not_found(cookie_client: DjangoClient, before: str) -> None:
    assert cookie_client.get("/account/activity/", {"before": before}).status_code == 404


def test_a_name_in_an_event_is_escaped(cookie_client: DjangoClient) -> None:
    create(cookie_client, name="<script>x</script>")
    assert b"<script>x" not in cookie_client.get("/account/activity/").content
