"""Rows that are deleted when they are old, and the table in ``docs/operations.md`` that says what bounds each table."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from accounts.models import User
from accounts.services import deletion
from config import retention
from config.cache.generations import invalidate
from config.db.batches import delete_batch
from config.models import Backup, CacheGeneration, OutgoingMail
from config.tasks import delete_expired_rows

from ..places import ROOT
from .test_doctor import line_about

pytestmark = pytest.mark.django_db


def test_the_guide_says_what_bounds_every_table() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = text.partition("What bounds each table")[2].partition("\n## ")[0]
    explained = set(re.findall(r"`([a-z_]+_[a-z_]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE))))
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} | {"django_migrations"}
    assert explained == tables


def test_every_setting_of_days_is_in_the_guide() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    names = [name for name in dir(django_settings) if name.endswith("_DAYS")]
    assert len(names) >= 8
    assert [name for name in names if f"| `{name}` | {getattr(django_settings, name)}" not in text] == []


def test_every_service_of_the_list_exists_and_finds_nothing_in_an_empty_database() -> None:
    assert [import_string(name)() for name in django_settings.RETENTION] == [0] * len(django_settings.RETENTION)


def test_the_first_rows_are_deleted_in_batches() -> None:
    mails = [OutgoingMail.objects.create(to="ann@example.org", template="welcome") for _ in range(5)]
    assert delete_batch(OutgoingMail.objects.all(), size=2) == 2
    assert list(OutgoingMail.objects.order_by("pk")) == mails[2:]


def test_one_run_goes_on_until_nothing_is_left(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MAIL_DAYS = 7
    monkeypatch.setattr("config.mail.delete_batch", lambda rows: delete_batch(rows, size=2))
    for days in (6, 8, 8, 8, 8, 8):
        mail = OutgoingMail.objects.create(to="ann@example.org", template="welcome", done_at=Now())
        OutgoingMail.objects.filter(pk=mail.pk).update(created_at=Now() - timedelta(days=days))
    assert delete_expired_rows() == 5
    assert OutgoingMail.objects.count() == 1


def test_a_run_stops_in_time_and_the_next_one_continues(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "TIME_LIMIT", 0)
    mail = OutgoingMail.objects.create(to="ann@example.org", template="welcome", done_at=Now())
    OutgoingMail.objects.filter(pk=mail.pk).update(created_at=Now() - timedelta(days=31))
    assert delete_expired_rows() == 0
    monkeypatch.setattr(retention, "TIME_LIMIT", 60)
    assert delete_expired_rows() == 1


def test_an_error_of_one_table_does_not_keep_the_others(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise OSError("no")

    monkeypatch.setattr("config.mail.delete_expired", broken)
    Backup.objects.create(failed_at=Now() - timedelta(days=366))
    with pytest.raises(RuntimeError, match=r"failed: config\.mail\.delete_expired"):
        delete_expired_rows()
    assert Backup.objects.count() == 0


def test_the_log_of_the_admin_and_old_backups_end_with_the_audit_log(staff: User, settings: Any) -> None:
    settings.AUDIT_DAYS = 10
    for days in (9, 11):
        entry = LogEntry.objects.create(user=staff, action_flag=CHANGE, object_repr=f"{days} days")
        LogEntry.objects.filter(pk=entry.pk).update(action_time=Now() - timedelta(days=days))
        Backup.objects.create(name=f"{days}", done_at=Now(), deleted_at=Now() - timedelta(days=days))
    stored = Backup.objects.create(name="stored", done_at=Now() - timedelta(days=11))
    assert delete_expired_rows() == 2
    assert [str(entry.object_repr) for entry in LogEntry.objects.all()] == ["9 days"]
    assert {row.name for row in Backup.objects.all()} == {"9", stored.name}


@pytest.mark.django_db(transaction=True)
def test_the_generations_of_a_deleted_account_are_deleted(user: User) -> None:
    invalidate(f"notes:{user.pk}", f"contacts:{user.pk}", "trends")
    deletion.remove_user(user)
    assert list(CacheGeneration.objects.values_list("scope", flat=True)) == ["trends"]


def test_the_largest_tables_are_named() -> None:
    tables = ", ".join(connection.introspection.django_table_names(only_existing=True, include_views=False))
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")  # they keep the size that the rows of earlier tests needed
        cursor.execute("CREATE TABLE large AS SELECT n, repeat('x', 100) FROM generate_series(1, 100000) n")
    assert re.search(r"ok table sizes the largest: large 1\d MB, \w+ \d+ \w+, \w+", line_about("table sizes"))
