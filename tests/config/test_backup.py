"""Backup and restore with the client programs of Postgres."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from accounts.models import User
from config.ops import backup
from config.ops.launcher import binaries
from config.ops.launcher.binaries import OLDEST_POSTGRES
from config.ops.launcher.postgres import DATABASE, USER, Postgres
from tests.conftest import Client
from tests.factories import UserFactory
from tests.notes.factories import make_note

NOTES = "/api/v1/notes/"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups" / "first"


@pytest.fixture
def owner(api: Client, transactional_db: None) -> Client:
    return api.as_user(UserFactory(username="ada"))


def titles(client: Client) -> set[str]:
    return {note["title"] for note in client.get(NOTES).json()["results"]}


@contextmanager
def database(**values: object) -> Iterator[None]:
    """Let the commands connect to another database."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setitem(connection.settings_dict, name, value)
        yield


def test_a_restore_replaces_all_rows_and_restores_the_files(owner: Client, folder: Path) -> None:
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
    # This write sets the generation to its value before the restore; the responses cached under it must be gone.
    assert owner.post(NOTES, {"title": "again"}).status_code == 201
    assert titles(owner) == {"before", "again"}


def test_files_that_change_during_a_backup_are_included_if_the_snapshot_needs_them(
    owner: Client, folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    default_storage.save("uploads/aa/one.xlsx", ContentFile(b"one"))
    (settings.FILES_DIR / "uploads" / "gone").symlink_to("nowhere")  # listed, but missing when it is copied
    dump = backup.dump_database

    def dump_and_change_files(file: Path) -> None:
        dump(file)
        default_storage.delete("uploads/aa/one.xlsx")
        default_storage.save("uploads/bb/two.xlsx", ContentFile(b"two"))

    monkeypatch.setattr(backup, "dump_database", dump_and_change_files)
    call_command("backup", folder)
    files = folder / "files"
    assert {str(path.relative_to(files)) for path in files.rglob("*.*")} == {
        "uploads/aa/one.xlsx",
        "uploads/bb/two.xlsx",
    }


def test_a_failed_backup_reports_the_reason_and_leaves_no_files(owner: Client, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="No backup was made: .*Not a directory"):
        call_command("backup", tmp_path / "file" / "first")
    with database(HOST="127.0.0.1", PORT=1), pytest.raises(CommandError, match="pg_dump failed"):
        call_command("backup", folder)
    assert list(folder.parent.iterdir()) == []


@pytest.mark.parametrize("fault", ["truncated", "not a dump", "database does not exist"])
def test_a_failed_restore_changes_nothing(owner: Client, folder: Path, fault: str) -> None:
    make_note(User.objects.get(), title="before")
    call_command("backup", folder)
    make_note(User.objects.get(), title="after")
    dump = folder / "database.dump"
    if fault == "truncated":
        dump.write_bytes(dump.read_bytes()[:-3000])
    elif fault == "not a dump":
        dump.write_bytes(b"hello")
    name = "nowhere" if fault == "database does not exist" else connection.settings_dict["NAME"]
    with database(NAME=name), pytest.raises(CommandError, match=r"Nothing was restored: (pg_restore|psql): "):
        call_command("restore", folder, "--yes")
    assert titles(owner) == {"before", "after"}


def older_postgres() -> Path | None:
    """Return the programs of a Postgres before 17, if this machine has one."""
    folders = [folder for folder in binaries.DEBIAN.glob("*/bin") if OLDEST_POSTGRES <= binaries.version(folder) < 17]
    return folders[0] if folders else None


@pytest.mark.skipif(older_postgres() is None, reason="no Postgres before 17 on this machine")
def test_a_backup_of_a_newer_server_is_restored_to_an_older_one(
    owner: Client, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_note(User.objects.get(), title="before")
    call_command("backup", folder)
    monkeypatch.setattr(binaries, "postgres", older_postgres)
    server = Postgres(tmp_path / "older", durable=False)
    server.prepare()
    with subprocess.Popen(server.command(), env=server.environment(), stderr=subprocess.DEVNULL) as process:
        try:
            server.wait_until_ready()
            with database(HOST="127.0.0.1", PORT=server.port, USER=USER, PASSWORD=server.password, NAME=DATABASE):
                call_command("restore", folder, "--yes")
                query = [backup.tool("psql"), "--no-psqlrc", "-Atc", "SELECT title FROM notes_note"]
                done = subprocess.run(query, env=backup.environment(), capture_output=True, text=True)
            assert done.stdout == "before\n", done.stderr
        finally:
            process.send_signal(signal.SIGINT)


def test_existing_and_unknown_folders_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True)
    with pytest.raises(CommandError, match="already exists"):
        call_command("backup", folder)
    with pytest.raises(CommandError, match=r"is not a backup of Atrium"):
        call_command("restore", folder, "--yes")
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    with pytest.raises(CommandError, match=r"Nothing was changed"):
        call_command("restore", folder)


def test_only_the_owner_can_read_a_backup(owner: Client, folder: Path) -> None:
    call_command("backup", folder)
    assert folder.stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.parent.iterdir()] == ["first"]
    with transaction.atomic():
        assert User.objects.count() == 1
