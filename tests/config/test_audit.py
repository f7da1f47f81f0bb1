"""The audit log: what is recorded, that nobody can change it, retention, and its page in the admin."""

import ast
import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test import Client

from accounts.activity import TEXTS
from accounts.backends import BACKEND
from accounts.models import User
from accounts.services import deletion
from config import audit
from config.audit.models import AuditRecord
from config.tasks import delete_expired_rows

from ..factories import PASSWORD, UserFactory
from ..places import ROOT

AUTH = "/api/v1/auth/"


@pytest.fixture
def admin_client(staff: User) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(staff, backend=BACKEND)
    return client


def latest() -> AuditRecord:
    return AuditRecord.objects.order_by("-pk")[0]


def kinds() -> list[str]:
    return list(AuditRecord.objects.order_by("pk").values_list("kind", flat=True))


def refused(change: Any) -> bool:
    try:
        with transaction.atomic():
            change()
    except IntegrityError as error:
        return "append-only" in str(error)
    return False


def test_a_record_has_who_where_and_with_which_session(api: Any, user: User) -> None:
    client = {"REMOTE_ADDR": "198.51.100.7", "HTTP_USER_AGENT": "Firefox", "HTTP_X_REQUEST_ID": "request-1"}
    signed_in = api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD}, **client).json()
    record = latest()
    assert (record.kind, record.user, record.actor) == ("login", user, user)
    assert (record.ip, record.user_agent, record.request_id) == ("198.51.100.7", "Firefox", "request-1")
    api.get(f"{AUTH}export/", HTTP_AUTHORIZATION=f"Bearer {signed_in['access']}")
    assert (latest().kind, latest().credential) == ("data_exported", record.target)


def test_a_failed_sign_in_is_recorded_for_known_and_unknown_accounts(api: Any, user: User) -> None:
    for login in (user.username, "nobody"):
        api.post(f"{AUTH}login/", {"username": login, "password": "wrong horse"})
    assert list(AuditRecord.objects.order_by("pk").values_list("kind", "user", "actor")) == [
        ("login_failed", user.pk, None),
        ("login_failed", None, None),
    ]


def test_an_action_that_is_rolled_back_leaves_no_record(user: User) -> None:
    with transaction.atomic():
        audit.record("login", user=user)
        transaction.set_rollback(True)
    assert kinds() == []


def test_secrets_and_impossible_texts_are_not_stored(user: User) -> None:
    details = {"password": "x", "text": "a\x00\ud800", "url": "/r/code-of-a-link/", "n": 1}
    audit.record("test", user=user, details=details)
    assert latest().details == {"password": "***", "text": "a?", "url": "/r/***/", "n": 1}


def test_records_cannot_be_changed_or_deleted(user: User) -> None:
    audit.record("login", user=user, details={"session": "tokens"})
    rows = AuditRecord.objects.all()
    for change in (
        {"kind": "other"}, {"at": Now()}, {"target": "x"}, {"details": {"a": 1}}, {"ip": "192.0.2.1"},
        {"user_agent": "other"}, {"user": UserFactory()}, {"actor": user}, {"request_id": "x"},
    ):  # fmt: skip
        assert refused(lambda change=change: rows.update(**change)), change
    assert refused(lambda: rows._raw_delete("default"))
    with connection.cursor() as cursor:
        assert refused(lambda: cursor.execute("DELETE FROM config_auditrecord"))
    assert (latest().kind, latest().details) == ("login", {"session": "tokens"})


def test_the_retention_job_deletes_only_old_records(user: User, settings: Any) -> None:
    settings.AUDIT_DAYS = 30
    AuditRecord.objects.create(kind="old", at=Now() - timedelta(days=31))
    AuditRecord.objects.create(kind="new", at=Now() - timedelta(days=29))
    assert delete_expired_rows() == 1
    assert kinds() == ["new"]
    assert refused(lambda: AuditRecord.objects.all()._raw_delete("default")), "the permission ended with the job"


def test_records_survive_the_account_without_personal_data(user: User, staff: User) -> None:
    other = {"ip": "192.0.2.1", "user_agent": "Firefox"}
    AuditRecord.objects.create(kind="own", user=user, actor=user, details={"old_email": user.email}, **other)
    AuditRecord.objects.create(kind="by staff", user=user, actor=staff, details={"changes": 1}, **other)
    AuditRecord.objects.create(kind="of others", user=staff, actor=user, details={"changes": 1}, **other)
    deletion.remove_user(user)
    rows = AuditRecord.objects.order_by("pk").values_list("kind", "user", "actor", "ip", "user_agent", "details")
    assert list(rows) == [
        ("own", None, None, None, "", None),
        ("by staff", None, staff.pk, "192.0.2.1", "Firefox", None),
        ("of others", staff.pk, None, None, "", {"changes": 1}),
        ("account_deleted", None, None, None, "", None),
    ]


def test_activity_has_only_ones_own_events_and_no_address_of_staff(api: Any, user: User, staff: User) -> None:
    AuditRecord.objects.create(kind="admin_changed", user=user, actor=staff, ip="192.0.2.9", details={"changes": []})
    AuditRecord.objects.create(kind="login", user=staff, actor=staff, ip="192.0.2.9")
    AuditRecord.objects.create(kind="login_failed", user=user, ip="192.0.2.1", user_agent="curl")
    page = api.as_user(user).get(f"{AUTH}activity/").json()
    assert [(row["kind"], row["ip"], row["user_agent"]) for row in page["results"]] == [
        ("login_failed", "192.0.2.1", "curl"),
        ("admin_changed", None, None),
    ]
    assert page["results"][1]["detail"] == {"changes": []}


def test_changes_in_the_admin_are_recorded_once_with_the_person_concerned(admin_client: Client, staff: User) -> None:
    person = UserFactory()
    before = AuditRecord.objects.count()
    form = {"username": person.username, "email": person.email, "first_name": "Ada", "last_name": ""}
    assert admin_client.post(f"/admin/accounts/user/{person.pk}/change/", form).status_code == 302
    assert AuditRecord.objects.count() == before + 1
    record = latest()
    assert (record.kind, record.actor, record.user) == ("admin_changed", staff, person)
    assert "First name" in str(record.details)
    assert "Ada" not in str(record.details)


def test_actions_and_deletions_in_the_admin_are_recorded_once(admin_client: Client) -> None:
    people = [UserFactory(), UserFactory()]
    ids = [str(person.pk) for person in people]
    before = AuditRecord.objects.count()
    admin_client.post("/admin/accounts/user/", {"action": "deactivate", "_selected_action": ids})
    assert (latest().kind, latest().details) == (
        "admin_action",
        {"model": "accounts.user", "action": "deactivate", "ids": ids},
    )
    admin_client.post("/admin/accounts/user/", {"action": "delete_selected", "_selected_action": ids, "post": "yes"})
    assert AuditRecord.objects.count() == before + 2 + len(people), "one for each account, and one for the action"
    deleted = AuditRecord.objects.filter(kind="admin_deleted").get()
    assert sorted(deleted.details["ids"]) == sorted(ids)
    assert not User.objects.filter(pk__in=ids).exists()


def test_the_csv_of_the_admin_is_safe_in_a_spreadsheet(admin_client: Client, user: User) -> None:
    record = AuditRecord.objects.create(kind="login", user=user, user_agent="=HYPERLINK(1)", details={"a": "=1"})
    response = admin_client.post(
        "/admin/config/auditrecord/", {"action": "export_csv", "_selected_action": [record.pk]}
    )
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert len(rows) == 1
    assert (rows[0]["user"], rows[0]["user_agent"], rows[0]["details"]) == (
        user.username,
        "'=HYPERLINK(1)",
        '{"a":"=1"}',
    )
    assert latest().details["action"] == "export_csv"


def test_the_list_of_the_admin_filters_and_offers_no_change(admin_client: Client, user: User) -> None:
    record = AuditRecord.objects.create(kind="login_failed", user=user)
    page = admin_client.get("/admin/config/auditrecord/?kind=login_failed").content.decode()
    assert user.username in page
    assert user.username not in admin_client.get("/admin/config/auditrecord/?kind=logout").content.decode()
    assert admin_client.post(f"/admin/config/auditrecord/{record.pk}/delete/", {"post": "yes"}).status_code == 403


def test_every_kind_is_documented_and_has_a_text_for_its_user() -> None:
    found = set()
    for app in ("accounts", "notes", "messaging", "contacts", "trends", "config"):
        for path in (ROOT / app).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("audit.record"):
                    assert isinstance(node.args[0], ast.Constant), f"{path}: write the kind as a literal"
                    found.add(node.args[0].value)
    assert found >= {"login", "admin_changed"}
    assert found - set(TEXTS) == set()
    assert found - set(re.findall(r"`(\w+)`", (ROOT / "docs" / "audit.md").read_text())) == set()
