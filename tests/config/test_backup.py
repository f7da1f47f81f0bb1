"""Backups, made and restored with Postgres' own programs."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from config import backup
from config.embedded import binaries
from config.embedded.binaries import OLDEST_POSTGRES
from config.embedded.postgres import DATABASE, USER, Postgres
from tests.factories import UserFactory
from tests.notes.factories import make_note

NOTES = "/api/v1/notes/"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "backups" / "first"


@pytest.fixture
def owner(api, transactional_db):
    return api.as_user(UserFactory(username="ada"))


def titles(client):
    return {note["title"] for note in client.get(NOTES).json()["results"]}


def test_a_restore_brings_rows_and_files_back_and_nothing_else(owner, folder, settings):
    make_note(User.objects.get(), title="before")
    default_storage.save("uploads/aa/one.xlsx", ContentFile(b"one"))
    call_command("backup", folder)
    assert json.loads((folder / "about.json").read_text())["files"] == 1
    assert owner.post(NOTES, {"title": "after"}).status_code == 201
    assert titles(owner) == {"before", "after"}
    default_storage.delete("uploads/aa/one.xlsx")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE of_a_later_version (person bigint REFERENCES accounts_user)")
    call_command("restore", folder, "--yes")
    assert titles(owner) == {"before"}
    assert default_storage.open("uploads/aa/one.xlsx").read() == b"one"
    assert "of_a_later_version" not in connection.introspection.table_names()
    call_command("migrate", verbosity=0)
    # A write moves the generation to where it was before the restore: the bytes kept under it then must be gone.
    assert owner.post(NOTES, {"title": "again"}).status_code == 201
    assert titles(owner) == {"before", "again"}


def test_a_file_that_goes_while_a_backup_is_made_is_in_it_if_a_row_of_the_picture_needs_it(
    owner, folder, settings, monkeypatch
):
    default_storage.save("uploads/aa/one.xlsx", ContentFile(b"one"))
    (settings.FILES_DIR / "uploads" / "gone").symlink_to("nowhere")  # listed, and not there when it is to be copied
    dump = backup._dump

    def dump_and_go_on(file):
        dump(file)
        default_storage.delete("uploads/aa/one.xlsx")
        default_storage.save("uploads/bb/two.xlsx", ContentFile(b"two"))

    monkeypatch.setattr(backup, "_dump", dump_and_go_on)
    call_command("backup", folder)
    files = folder / "files"
    assert {str(path.relative_to(files)) for path in files.rglob("*.*")} == {
        "uploads/aa/one.xlsx",
        "uploads/bb/two.xlsx",
    }


def test_a_backup_that_cannot_be_written_says_so_and_leaves_nothing(owner, folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="No backup was made: .*Not a directory"):
        call_command("backup", tmp_path / "file" / "first")
    monkeypatch.setattr(backup, "_environment", lambda: {**os.environ, "PGHOST": "127.0.0.1", "PGPORT": "1"})
    with pytest.raises(CommandError, match="pg_dump failed"):
        call_command("backup", folder)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("fault", ["cut short", "no dump", "refused by the database"])
def test_a_restore_that_fails_changes_nothing(owner, folder, fault, monkeypatch):
    make_note(User.objects.get(), title="before")
    call_command("backup", folder)
    make_note(User.objects.get(), title="after")
    dump = folder / "database.dump"
    if fault == "cut short":
        dump.write_bytes(dump.read_bytes()[:-3000])
    elif fault == "no dump":
        dump.write_bytes(b"hello")
    else:
        environment = {**backup._environment(), "PGDATABASE": "nowhere"}
        monkeypatch.setattr(backup, "_environment", lambda: environment)
    with pytest.raises(CommandError, match=r"Nothing was restored: (pg_restore|psql): "):
        call_command("restore", folder, "--yes")
    assert titles(owner) == {"before", "after"}


def older_postgres() -> Path | None:
    """The programs of a server that does not know all that pg_restore sets, where this machine has some."""
    folders = [folder for folder in binaries.DEBIAN.glob("*/bin") if OLDEST_POSTGRES <= binaries.version(folder) < 17]
    return folders[0] if folders else None


@pytest.mark.skipif(older_postgres() is None, reason="this machine has no Postgres of before 17")
def test_a_backup_made_of_a_newer_server_is_restored_into_an_older_one(owner, folder, tmp_path, monkeypatch):
    make_note(User.objects.get(), title="before")
    call_command("backup", folder)
    monkeypatch.setattr(binaries, "postgres", older_postgres)
    server = Postgres(tmp_path / "older", durable=False)
    server.prepare()
    with subprocess.Popen(server.command(), env=server.environment(), stderr=subprocess.DEVNULL) as process:
        try:
            server.wait_until_ready()
            there = {"PGPORT": str(server.port), "PGUSER": USER, "PGPASSWORD": server.password, "PGDATABASE": DATABASE}
            monkeypatch.setattr(backup, "_environment", lambda: {**os.environ, "PGHOST": "127.0.0.1", **there})
            call_command("restore", folder, "--yes")
            asked = [backup.tool("psql"), "--no-psqlrc", "-Atc", "SELECT title FROM notes_note"]
            said = subprocess.run(asked, env=backup._environment(), capture_output=True, text=True)
            assert said.stdout == "before\n", said.stderr
        finally:
            process.send_signal(signal.SIGINT)


def test_a_backup_has_a_folder_of_its_own(folder, monkeypatch):
    folder.mkdir(parents=True)
    with pytest.raises(CommandError, match="exists already"):
        call_command("backup", folder)
    with pytest.raises(CommandError, match=r"is not a backup of Atrium"):
        call_command("restore", folder, "--yes")
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    with pytest.raises(CommandError, match=r"Nothing was changed"):
        call_command("restore", folder)


def test_a_backup_is_one_picture_readable_by_its_owner_alone(owner, folder):
    call_command("backup", folder)
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.parent.iterdir()] == ["first"]
    with transaction.atomic():
        assert User.objects.count() == 1
