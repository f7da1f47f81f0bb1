"""The watched folder: which files are imported, when, and that one bad file does not stop the others."""

import fcntl
import io
import os
import shutil
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models import F
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from accounts.models import User
from config.jobs import runner
from tests.conftest import Client
from trends.files import watched_folder
from trends.files.archive import BackupCopy
from trends.files.loading import encode_rows, insert_rows
from trends.models import ImportRun, InboxFile, RowError, Trend
from trends.services import import_runner, imports
from trends.services.revisions import open_revision

from .conftest import IMPORTS, Drop, Look, Send, names
from .factories import csv_bytes, sample, upload, values

pytestmark = pytest.mark.django_db


def test_the_folder_is_checked_every_two_minutes() -> None:
    task = PeriodicTask.objects.get(task="trends.tasks.import_inbox")
    assert (task.enabled, task.interval.every, task.interval.period) == (True, 120, "seconds")


def test_an_empty_or_missing_folder_is_accepted(look: Look, settings: Any) -> None:
    assert look() is None
    assert settings.TRENDS_INBOX.is_dir()


def test_only_regular_csv_files_are_imported(look: Look, drop: Drop, settings: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_bytes(sample("trends_sample.csv"))
    drop(b"text", "readme.txt")
    drop(b"text", ".hidden.csv")
    drop(b"text", "upload.csv.part")
    (settings.TRENDS_INBOX / "link.csv").symlink_to(outside)
    (settings.TRENDS_INBOX / "folder.csv").mkdir()
    os.mkfifo(settings.TRENDS_INBOX / "pipe.csv")
    left = names(settings.TRENDS_INBOX)
    drop(csv_bytes(values()), "UPPER.CSV")
    drop(csv_bytes(values()), "Mixed.Csv")
    look()
    assert names(settings.TRENDS_INBOX) == left
    assert sorted(ImportRun.objects.values_list("name", flat=True)) == ["Mixed.Csv", "UPPER.CSV"]
    assert Trend.objects.count() == 2


def seen_a_minute_ago() -> None:
    InboxFile.objects.update(seen_at=F("seen_at") - timedelta(minutes=1))


def test_a_new_file_is_not_imported_before_the_settle_time(drop: Drop, settings: Any) -> None:
    path = drop("trends_sample.csv")
    os.utime(path, (0, 0))  # cp -p and rsync -t set an old mtime
    assert settings.TRENDS_SETTLE == 10
    assert [imports.import_watched_folder() for _ in range(2)] == [0, 0]
    seen_a_minute_ago()
    assert imports.import_watched_folder() == 1
    assert not path.exists()


@pytest.mark.parametrize("days", [-36_500, -1, 1, 36_500])
def test_the_clock_of_the_file_system_does_not_matter(look: Look, drop: Drop, days: int) -> None:
    path = drop("trends_sample.csv")
    os.utime(path, (time.time() + days * 86_400,) * 2)
    assert look().created == 72


@pytest.mark.parametrize("change", [
    lambda path: path.open("ab").write(b"\n"),
    lambda path: os.utime(path, (1, 1)),
    lambda path: path.with_name("other.part").replace(path),
], ids=["longer", "touched", "replaced"])  # fmt: skip
def test_a_change_starts_the_settle_time_again(drop: Drop, change: Callable[[Path], Any]) -> None:
    path = drop("trends_sample.csv")
    shutil.copy(path, path.with_name("other.part"))
    imports.import_watched_folder()
    seen_a_minute_ago()
    change(path)
    assert imports.import_watched_folder() == 0
    seen_a_minute_ago()
    assert imports.import_watched_folder() == 1


def test_a_file_that_changes_while_it_is_claimed_stays_in_the_inbox(drop: Drop) -> None:
    path = drop("trends_sample.csv")
    [(found, state)] = watched_folder.scan_inbox().items()
    os.utime(path)
    assert watched_folder.claim(found, state) is None
    assert path.exists()


def test_a_settled_file_does_not_wait_for_the_next_look(drop: Drop) -> None:
    drop("trends_sample.csv")
    imports.import_watched_folder()
    assert imports.import_due() == 0
    seen_a_minute_ago()
    assert imports.import_due() == 1
    assert imports.import_due() == 0
    assert not InboxFile.objects.exists()


def test_a_file_that_is_open_for_writing_is_not_imported_yet(look: Look, drop: Drop) -> None:
    path = drop("trends_sample.csv")
    with path.open("ab"):
        assert look() is None
    assert look().created == 72


def test_a_file_that_is_open_for_reading_is_imported(look: Look, drop: Drop) -> None:
    path = drop("trends_sample.csv")
    with path.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert look().created == 72


def test_a_bad_file_does_not_stop_the_others(look: Look, drop: Drop, settings: Any) -> None:
    drop(b"no csv at all", "a.csv")
    drop("trends_over_limit.csv")
    drop("trends_sample.csv")
    look()
    assert names(settings.TRENDS_INBOX) == []
    assert dict(ImportRun.objects.values_list("name", "status")) == {
        "a.csv": "failed", "trends_over_limit.csv": "failed", "trends_sample.csv": "completed",
    }  # fmt: skip
    assert Trend.objects.count() == 72
    assert not any(watched_folder.claimed_files())


def test_two_files_of_one_name_have_different_names_in_quarantine(look: Look, drop: Drop, settings: Any) -> None:
    for _ in range(2):
        drop(b"no csv at all", "a.csv")
        look()
    assert len(names(settings.TRENDS_INBOX.parent / "quarantine")) == 4


@pytest.mark.parametrize("name", ["ü 🦉.csv", "a'b\";$(x).csv", "new\nline.csv", f"{'x' * 251}.csv", b"caf\xe9.csv"])
def test_a_file_may_have_any_name(look: Look, drop: Drop, settings: Any, name: str | bytes) -> None:
    for content in (sample("trends_sample.csv"), csv_bytes(values()), b"no csv"):
        settings.TRENDS_INBOX.mkdir(parents=True, exist_ok=True)
        path = os.path.join(os.fsencode(settings.TRENDS_INBOX), os.fsencode(name))
        with open(path, "wb") as file:
            file.write(content)
        look()
    assert names(settings.TRENDS_INBOX) == []
    assert sorted(ImportRun.objects.values_list("status", flat=True)) == ["completed", "completed", "failed"]
    assert len(names(settings.TRENDS_BACKUP)) == 2
    assert len(names(settings.TRENDS_INBOX.parent / "quarantine")) == 2


def test_a_file_left_in_the_work_folder_without_a_run_is_imported(look: Look, settings: Any) -> None:
    folder = settings.TRENDS_INBOX.parent / "work" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    (folder / "lost.csv").write_bytes(sample("trends_sample.csv"))
    run = look()
    assert (run.name, run.created) == ("lost.csv", 72)
    assert not folder.exists()


def test_the_leftover_file_of_a_finished_run_is_removed(look: Look, drop: Drop, settings: Any) -> None:
    drop("trends_sample.csv")
    run = look()
    folder = settings.TRENDS_INBOX.parent / "work" / run.token.hex
    folder.mkdir(parents=True)
    (folder / "trends_sample.csv").write_bytes(sample("trends_sample.csv"))
    look()
    assert not folder.exists()
    assert ImportRun.objects.count() == 1
    assert names(settings.TRENDS_BACKUP) == ["trends_sample.csv"]


def test_an_inbox_on_its_own_file_system_has_its_work_folder_inside(
    look: Look, drop: Drop, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings.TRENDS_INBOX.parent).mkdir(parents=True, exist_ok=True)
    inside = settings.TRENDS_INBOX / ".work"
    elsewhere = "/dev/shm/atrium-test-work"  # noqa: S108  a file system that is not the inbox's
    beside = settings.TRENDS_INBOX.parent / "work"
    os.makedirs(elsewhere, exist_ok=True)
    beside.symlink_to(elsewhere)
    drop("trends_sample.csv")
    [(path, state)] = watched_folder.scan_inbox().items()
    claimed = watched_folder.claim(path, state)
    assert claimed
    assert claimed.path.parent.parent == inside
    assert look().created == 72
    assert names(inside) == []


def test_a_file_that_changes_while_it_is_read_waits(look: Look, drop: Drop, monkeypatch: pytest.MonkeyPatch) -> None:
    drop("trends_sample.csv")
    sync = BackupCopy.sync

    def append_and_sync(copy: BackupCopy) -> None:
        with next(watched_folder.claimed_files()).path.open("ab") as late:
            late.write(b"\n")
        sync(copy)

    monkeypatch.setattr(BackupCopy, "sync", append_and_sync)
    run = look()
    assert (run.attempts, run.finished_at, run.error) == (0, None, "The file changed while it was read.")
    assert not Trend.objects.exists()


def test_after_five_failed_attempts_the_file_is_quarantined_and_nothing_is_stored(
    look: Look, drop: Drop, settings: Any
) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$;"
            "CREATE TRIGGER fail BEFORE INSERT ON trends_trend EXECUTE FUNCTION fail()"
        )
    drop("trends_messy.csv")
    for _ in range(5):
        run = look()
        ImportRun.objects.update(due_at=timezone.now())
    assert (run.status, run.attempts) == ("failed", 5)
    assert "broken" in run.error
    assert not Trend.objects.exists()
    quarantined = settings.TRENDS_INBOX.parent / "quarantine" / run.quarantine
    assert quarantined.read_bytes() == sample("trends_messy.csv")
    assert "broken" in quarantined.with_name(f"{quarantined.name}.report.txt").read_text()
    assert not any(watched_folder.claimed_files())


def test_a_backup_folder_that_cannot_be_written_delays_the_import(look: Look, drop: Drop, settings: Any) -> None:
    settings.TRENDS_BACKUP.parent.mkdir(parents=True, exist_ok=True)
    settings.TRENDS_BACKUP.write_text("a file where the folder should be")
    drop("trends_sample.csv")
    run = look()
    assert (run.finished_at, run.attempts) == (None, 0)
    assert run.error.startswith("The backup folder cannot be written:")
    assert not Trend.objects.exists()
    settings.TRENDS_BACKUP.unlink()
    ImportRun.objects.update(due_at=timezone.now())
    assert look().created == 72


def test_a_run_whose_file_is_lost_fails_after_an_hour(look: Look, drop: Drop, settings: Any) -> None:
    drop("trends_sample.csv")
    imports.import_watched_folder()
    seen_a_minute_ago()
    imports.import_watched_folder()
    watched_folder.remove(next(watched_folder.claimed_files()))
    assert look().finished_at is None
    ImportRun.objects.update(created_at=timezone.now() - timedelta(hours=2), due_at=timezone.now())
    run = look()
    assert (run.status, run.error) == ("failed", "The file is gone from the work folder.")


def test_an_upload_waits_while_the_storage_is_unavailable(
    send: Send, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(name: str) -> None:
        raise OSError("no route")

    monkeypatch.setattr(default_storage, "open", unavailable, raising=False)
    run = send(sample("trends_sample.csv"))
    assert (run["finished_at"], run["error"]) == (None, "The storage does not respond: no route")
    monkeypatch.undo()
    ImportRun.objects.update(due_at=timezone.now())
    import_runner.import_waiting()
    assert ImportRun.objects.get().created == 72


def test_a_worker_killed_after_storing_the_rows_leaves_them_stored_once(
    look: Look, drop: Drop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(run: ImportRun, **fields: Any) -> None:
        raise KeyboardInterrupt

    drop("trends_messy.csv")
    with monkeypatch.context() as killed:
        killed.setattr(ImportRun, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            look()
    assert Trend.objects.count() == 57
    ImportRun.objects.update(due_at=timezone.now())
    run = look()
    assert (run.status, run.created, run.duplicates, run.rejected) == ("completed_with_errors", 57, 1, 4)
    assert RowError.objects.count() == 4
    assert not any(watched_folder.claimed_files())


@pytest.mark.thorough
def test_progress_is_visible_and_an_interrupted_import_continues(send: Send, api: Client, staff: User) -> None:
    rows = [values(steepl="X" if n in (10, 7_000) else "T") for n in range(12_000)]
    client = api.as_user(staff)
    url = client.post(IMPORTS, {"file": upload(csv_bytes(*rows))}, format="multipart").json()["links"]["self"]
    progress: list[Any] = []
    while not progress or progress[-1][0] == "processing":
        runner.run_steps(ImportRun.objects.all(), import_runner.steps, time_slice=0)
        run = client.get(url).json()
        progress.append((run["status"], run["total_rows"], run["created"], run["rejected"]))
    assert progress == [
        ("processing", 5_000, 0, 1),
        ("processing", 10_000, 0, 2),
        ("processing", 12_000, 0, 2),
        ("processing", 12_000, 11_998, 2),
        ("completed_with_errors", 12_000, 11_998, 2),
    ]
    assert [error["line"] for error in run["errors"]] == [12, 7_002]


def test_storing_the_rows_may_take_longer_than_the_statement_timeout() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;"
            "CREATE TRIGGER slow BEFORE INSERT ON trends_trend EXECUTE FUNCTION slow();"
            "SET LOCAL statement_timeout = '500ms'"
        )
    file = io.BytesIO()
    encode_rows([("AI", "Agents", "", "", "", "", "Low", "S", "", "")], file)
    run = ImportRun.objects.create(origin="upload", name="slow.csv")
    assert insert_rows(file, revision=open_revision(run=run)) == 1
