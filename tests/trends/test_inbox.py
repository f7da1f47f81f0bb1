"""The watched folder: which files are taken, when, and that no trouble with one touches another."""

import fcntl
import os
import time
import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from config import claims
from trends import folders, importing, loading, services
from trends.models import ImportRun, RowError, Trend

from .conftest import names
from .factories import csv_bytes, sample, values

pytestmark = pytest.mark.django_db


def test_beat_looks_every_two_minutes_by_itself():
    task = PeriodicTask.objects.get(task="trends.tasks.import_inbox")
    assert (task.enabled, task.interval.every, task.interval.period) == (True, 120, "seconds")


def test_an_empty_or_missing_folder_is_no_trouble(look, settings):
    assert look() is None
    assert settings.TRENDS_INBOX.is_dir()


def test_only_regular_csv_files_are_taken(look, drop, settings, tmp_path):
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


def test_a_file_that_has_just_changed_is_left_alone(look, drop, settings, wait_until):
    settings.TRENDS_SETTLE = 0.6
    path = drop("trends_sample.csv")
    os.utime(path, (0, 0))  # an old mtime, as cp -p and rsync -t leave it, says nothing
    assert look() is None
    assert path.exists()
    wait_until(lambda: look() is not None, timeout=10)
    assert not path.exists()


def test_a_file_from_the_future_is_taken_all_the_same(look, drop):
    path = drop("trends_sample.csv")
    os.utime(path, (time.time() + 86_400,) * 2)
    assert look().created == 72


def test_a_file_that_somebody_still_has_open_for_writing_is_left_alone(look, drop):
    path = drop("trends_sample.csv")
    with path.open("ab"):
        assert look() is None
    assert look().created == 72


def test_a_reader_does_not_keep_a_file_from_being_taken(look, drop):
    path = drop("trends_sample.csv")
    with path.open("rb") as reader:
        fcntl.flock(reader, fcntl.LOCK_SH)
        assert look().created == 72


def test_a_bad_file_does_not_keep_the_others(look, drop, settings):
    drop(b"no csv at all", "a.csv")
    drop("trends_over_limit.csv")
    drop("trends_sample.csv")
    look()
    assert names(settings.TRENDS_INBOX) == []
    assert dict(ImportRun.objects.values_list("name", "status")) == {
        "a.csv": "failed", "trends_over_limit.csv": "failed", "trends_sample.csv": "completed",
    }  # fmt: skip
    assert Trend.objects.count() == 72
    assert not any(folders.in_work())


def test_two_files_of_one_name_go_to_quarantine_under_names_of_their_own(look, drop, settings):
    for _ in range(2):
        drop(b"no csv at all", "a.csv")
        look()
    assert len(names(settings.TRENDS_INBOX.parent / "quarantine")) == 4


@pytest.mark.parametrize("name", ["ü 🦉.csv", "a'b\";$(x).csv", "new\nline.csv", f"{'x' * 251}.csv", b"caf\xe9.csv"])
def test_any_name_that_a_file_can_have(look, drop, settings, name):
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


def test_a_file_left_in_work_without_a_run_is_taken_up_again(look, settings):
    folder = settings.TRENDS_INBOX.parent / "work" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    (folder / "lost.csv").write_bytes(sample("trends_sample.csv"))
    run = look()
    assert (run.name, run.created) == ("lost.csv", 72)
    assert not folder.exists()


def test_a_run_that_is_done_only_has_its_file_removed(look, drop, settings):
    drop("trends_sample.csv")
    run = look()
    folder = settings.TRENDS_INBOX.parent / "work" / run.token.hex
    folder.mkdir(parents=True)
    (folder / "trends_sample.csv").write_bytes(sample("trends_sample.csv"))
    look()
    assert not folder.exists()
    assert ImportRun.objects.count() == 1
    assert names(settings.TRENDS_BACKUP) == ["trends_sample.csv"]


def test_where_beside_is_another_file_system_the_work_folder_is_inside(look, drop, settings, monkeypatch):
    (settings.TRENDS_INBOX.parent).mkdir(parents=True, exist_ok=True)
    inside = settings.TRENDS_INBOX / ".work"
    elsewhere = "/dev/shm/atrium-test-work"  # noqa: S108  a file system that is not the inbox's
    beside = settings.TRENDS_INBOX.parent / "work"
    os.makedirs(elsewhere, exist_ok=True)
    beside.symlink_to(elsewhere)
    drop("trends_sample.csv")
    taken = folders.take_settled()
    assert [found.path.parent.parent for found in taken] == [inside]
    assert look().created == 72
    assert names(inside) == []


def test_a_file_that_is_written_to_while_it_is_read_waits(look, drop, monkeypatch):
    drop("trends_sample.csv")
    transfer = importing._transfer

    def slowly(source, target):
        told = transfer(source, target)
        with open(source.name, "ab") as late:
            late.write(b"\n")
        return told

    monkeypatch.setattr(importing, "_transfer", slowly)
    run = look()
    assert (run.status, run.error) == ("processing", "The file was written to while it was read.") or run.attempts == 0
    assert not Trend.objects.exists()


def test_after_three_failures_the_file_is_in_quarantine_and_nothing_is_stored(look, drop, settings, monkeypatch):
    def trouble(*args):
        raise RuntimeError("no luck")

    monkeypatch.setattr(loading, "_insert", trouble)
    monkeypatch.setattr(claims, "backoff", lambda attempts: timedelta(0))
    drop("trends_messy.csv")
    run = look()
    run.refresh_from_db()
    assert (run.status, run.attempts) == ("failed", 3)
    assert run.error == "RuntimeError: no luck"
    assert not Trend.objects.exists()
    assert not RowError.objects.exists()
    kept = settings.TRENDS_INBOX.parent / "quarantine" / run.quarantine
    assert kept.read_bytes() == sample("trends_messy.csv")
    assert "no luck" in kept.with_name(f"{kept.name}.report.txt").read_text()
    assert not any(folders.in_work())


def test_a_backup_folder_that_cannot_be_written_only_delays(look, drop, settings):
    settings.TRENDS_BACKUP.parent.mkdir(parents=True, exist_ok=True)
    settings.TRENDS_BACKUP.write_text("a file where the folder should be")
    drop("trends_sample.csv")
    run = look()
    assert (run.status, run.attempts) == ("queued", 0)
    assert run.error.startswith("The backup folder cannot be written:")
    assert not Trend.objects.exists()
    settings.TRENDS_BACKUP.unlink()
    ImportRun.objects.update(due_at=timezone.now())
    assert look().created == 72


def test_a_file_that_is_gone_from_work_ends_its_run_after_an_hour(look, drop, settings):
    drop("trends_sample.csv")
    services.look_into_inbox()
    folders.remove(next(folders.in_work()))
    assert look().status == "queued"
    ImportRun.objects.update(created_at=timezone.now() - timedelta(hours=2), due_at=timezone.now())
    run = look()
    assert (run.status, run.error) == ("failed", "The file is gone from the work folder.")


def test_an_upload_waits_while_the_storage_is_away(send, settings, monkeypatch):
    from django.core.files.storage import default_storage

    def away(name):
        raise OSError("no route")

    monkeypatch.setattr(default_storage, "open", away, raising=False)
    run = send(sample("trends_sample.csv"))
    assert (run["status"], run["error"]) == ("queued", "The storage does not answer: no route")
    monkeypatch.undo()
    ImportRun.objects.update(due_at=timezone.now())
    importing.import_waiting()
    assert ImportRun.objects.get().created == 72


def test_an_import_is_one_commit(look, drop, monkeypatch):
    seen = []
    finish = ImportRun.finish

    def at_the_end(run, **fields):
        seen.append(transaction.get_connection().in_atomic_block)
        finish(run, **fields)
        raise KeyboardInterrupt

    monkeypatch.setattr(ImportRun, "finish", at_the_end)
    drop("trends_sample.csv")
    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        look()
    assert seen == [True]
    assert not Trend.objects.exists()
