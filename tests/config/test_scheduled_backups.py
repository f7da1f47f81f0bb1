"""Backups on a schedule: made, verified, stored, restored and replaced."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyrage
import pytest
import time_machine
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models.functions import Now

from accounts.models import User
from config.models import Backup
from config.ops import backup, scheduled_backups
from tests.factories import UserFactory
from tests.notes.factories import make_note

from ..s3 import S3

pytestmark = pytest.mark.django_db(transaction=True)
NIGHTLY = "30 2 * * *"


@pytest.fixture(autouse=True)
def backups(settings: Any, tmp_path: Path) -> None:
    """A schedule, and a folder for the archives and for unfinished work."""
    settings.BACKUP_SCHEDULE, settings.BACKUP_KEEP, settings.BACKUP_RECIPIENTS = NIGHTLY, 2, []
    settings.ATRIUM_HOME = tmp_path / "home"
    options = {"location": tmp_path / "backups"}
    local = {"BACKEND": "config.storage.PrivateFileSystemStorage", "OPTIONS": options}
    settings.STORAGES = {**settings.STORAGES, "backups": local}


@pytest.fixture
def make() -> Callable[[], Backup]:
    """Make a backup as the worker does and return its row."""

    def make() -> Backup:
        row = Backup.objects.create()
        scheduled_backups.make_due()
        row.refresh_from_db()
        return row

    return make


def stored() -> list[str]:
    return sorted(storages["backups"].listdir("")[1])


def test_a_scheduled_backup_is_verified_stored_and_restores_rows_and_files(make: Callable[[], Backup]) -> None:
    make_note(UserFactory(username="ada"), title="before")
    default_storage.save("uploads/aa/one.xlsx", ContentFile(b"one"))
    row = make()
    assert (row.error, row.files, row.encrypted, stored()) == ("", 1, False, [row.name])
    assert row.done_at is not None
    assert row.verified_at is not None
    assert row.rows > 10
    assert row.size == storages["backups"].size(row.name)
    assert not Path(storages["backups"].path(row.name)).stat().st_mode & 0o077

    User.objects.all().delete()
    default_storage.delete("uploads/aa/one.xlsx")
    call_command("restore", row.name, "--yes")
    assert User.objects.get().username == "ada"
    assert default_storage.open("uploads/aa/one.xlsx").read() == b"one"


def test_an_encrypted_backup_restores_only_with_the_private_key(
    make: Callable[[], Backup], settings: Any, tmp_path: Path
) -> None:
    UserFactory(username="ada")
    identity = pyrage.x25519.Identity.generate()
    settings.BACKUP_RECIPIENTS = [str(identity.to_public())]
    row = make()
    assert row.name.endswith(".tar.age"), row.error
    assert row.encrypted
    assert Path(storages["backups"].path(row.name)).read_bytes().startswith(b"age-encryption.org/v1")
    own, other = tmp_path / "own.txt", tmp_path / "other.txt"
    own.write_text(f"# created: today\n{identity}\n")
    other.write_text(f"{pyrage.x25519.Identity.generate()}\n")

    with pytest.raises(CommandError, match="--identity"):
        call_command("restore", row.name, "--yes")
    with pytest.raises(CommandError, match="was not decrypted"):
        call_command("restore", row.name, "--yes", "--identity", other)
    User.objects.all().delete()
    call_command("restore", row.name, "--yes", "--identity", own)
    assert User.objects.get().username == "ada"


def test_backups_in_a_bucket_are_restored_by_name(make: Callable[[], Backup], settings: Any, s3: S3) -> None:
    UserFactory(username="ada")
    storage = s3.storage()
    storage["OPTIONS"] = {**storage["OPTIONS"], "location": "atrium-backups"}
    settings.STORAGES = {**settings.STORAGES, "backups": storage}
    row = make()
    assert s3.stored() == [f"atrium-backups/{row.name}"], row.error
    User.objects.all().delete()
    call_command("restore", row.name, "--yes")
    assert User.objects.get().username == "ada"


def test_only_the_newest_backups_are_stored(make: Callable[[], Backup], settings: Any) -> None:
    settings.BACKUP_VERIFY = False  # verified in the tests above
    first, second, third = make(), make(), make()
    assert stored() == sorted([second.name, third.name])
    first.refresh_from_db()
    assert first.deleted_at is not None


def test_a_backup_that_fails_replaces_none_and_leaves_no_files(
    make: Callable[[], Backup], settings: Any, tmp_path: Path
) -> None:
    settings.BACKUP_VERIFY = False
    good = [make().name, make().name]
    settings.BACKUP_RECIPIENTS = ["age1wrong"]
    row = make()
    assert "BACKUP_RECIPIENTS" in row.error
    assert stored() == sorted(good)
    assert not [path for path in (tmp_path / "home" / "tmp").rglob("*") if path.is_file()]


def test_a_copy_without_the_rows_of_a_table_is_not_verified(tmp_path: Path) -> None:
    UserFactory()
    backup.make(tmp_path / "first")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE forgotten AS SELECT 1 AS n")
    try:
        with pytest.raises(CommandError, match="forgotten empty or missing"):
            backup.verify(tmp_path / "first", scratch="atrium_backup_test")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE forgotten")
            cursor.execute("SELECT count(*) FROM pg_database WHERE datname = 'atrium_backup_test'")
            left = cursor.fetchone()
    assert left == (0,)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_worker_that_takes_over_leaves_one_archive(make: Callable[[], Backup], settings: Any, recorded: bool) -> None:
    settings.BACKUP_VERIFY = False
    row = make()
    Backup.objects.filter(pk=row.pk).update(done_at=None, due_at=Now(), cursor=1 if recorded else 0)
    scheduled_backups.make_due()
    row.refresh_from_db()
    assert row.done_at is not None
    assert stored() == [row.name]


def test_the_schedule_asks_for_the_first_backup_at_once_and_then_at_its_instants(settings: Any) -> None:
    settings.BACKUP_SCHEDULE = ""
    scheduled_backups.request_due()
    assert not Backup.objects.exists()

    settings.BACKUP_SCHEDULE = NIGHTLY
    for _ in range(2):  # the second finds the first unfinished
        scheduled_backups.request_due()
    row = Backup.objects.get()
    created = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    Backup.objects.filter(pk=row.pk).update(done_at=Now(), created_at=created)
    for hours, count in ((1, 1), (14, 1), (15, 2)):  # 13:00, 02:00 and 03:00
        with time_machine.travel(created + timedelta(hours=hours), tick=False):
            scheduled_backups.request_due()
        assert Backup.objects.count() == count, hours


def test_two_workers_at_once_request_one_backup() -> None:
    barrier = threading.Barrier(2)

    def request() -> None:
        barrier.wait()
        scheduled_backups.request_due()
        connection.close()

    threads = [threading.Thread(target=request) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Backup.objects.count() == 1


def test_the_check_reports_a_missing_failed_or_late_backup(settings: Any) -> None:
    settings.BACKUP_SCHEDULE = ""
    assert "not scheduled" in scheduled_backups.check()
    settings.BACKUP_SCHEDULE = NIGHTLY
    assert "none yet" in scheduled_backups.check()
    row = Backup.objects.create(done_at=Now(), verified_at=Now(), rows=12)
    assert "12 rows counted" in scheduled_backups.check()
    Backup.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(days=3))
    with pytest.raises(RuntimeError, match="are beat and a worker running"):
        scheduled_backups.check()
    Backup.objects.create(failed_at=Now(), error="The disk is full.")
    with pytest.raises(RuntimeError, match="The disk is full"):
        scheduled_backups.check()
