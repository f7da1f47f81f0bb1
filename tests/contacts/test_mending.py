"""What crashes and outages of the storage leave behind is finished or removed, and files go with their rows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from accounts import export
from config import logs, storage
from config.models import DiscardedFile
from config.storage import PrivateFileSystemStorage
from contacts import importing, locks, services
from contacts.models import Contact, FileMetadata, RejectedRow, UnprocessedContact
from tests.factories import UserFactory

from .conftest import URL
from .sheets import xlsx

ROWS = [("Ana", "+37491123456", "ana@example.com"), ("Ben", "", "ben@example.com")]


def files(settings: Any) -> list[Path]:
    return [path for path in Path(settings.FILES_DIR).rglob("*") if path.is_file()]


class Crash(Exception):
    """Stands for the end of the web process."""


def crash(*args: Any, **kwargs: Any) -> None:
    raise Crash


@pytest.fixture
def elsewhere(db: None) -> Iterator[Any]:
    """Another session of Postgres: another process's."""
    other = psycopg2.connect("postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**connection.settings_dict))
    other.autocommit = True
    with other.cursor() as cursor:
        yield cursor
    other.close()


def test_an_upload_that_crashed_after_its_file_was_stored_is_finished(
    signed_in: Any, send: Callable, monkeypatch: Any
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(services, "_acknowledge", crash)
        assert send(signed_in, ROWS).status_code == 500
    assert signed_in.get(f"{URL}uploads/").json()["results"] == []
    assert services.mend_half_uploaded() == 1
    assert importing.import_due() == 1
    assert [each["status"] for each in signed_in.get(f"{URL}uploads/").json()["results"]] == ["completed"]


@pytest.mark.parametrize("written", [b"", b"half"])
def test_an_upload_that_crashed_before_its_file_was_whole_is_removed(
    signed_in: Any, send: Callable, monkeypatch: Any, settings: Any, written: bytes
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(services, "_keep", crash)
        assert send(signed_in, ROWS).status_code == 500
    if written:
        default_storage.save(FileMetadata.objects.get().key, ContentFile(written))
    assert services.mend_half_uploaded() == 1
    assert not FileMetadata.objects.exists()
    storage.discard_due()
    assert files(settings) == []


def test_an_upload_at_work_is_left_alone(signed_in: Any, send: Callable, monkeypatch: Any, elsewhere: Any) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(services, "_acknowledge", crash)
        send(signed_in, ROWS)
    upload = FileMetadata.objects.get()
    elsewhere.execute("SELECT pg_advisory_lock(%s, %s)", [locks._FILE, upload.pk])
    assert services.mend_half_uploaded() == 0
    elsewhere.execute("SELECT pg_advisory_unlock_all()")
    assert services.mend_half_uploaded() == 1


def test_a_repeated_request_finishes_what_the_first_one_left(signed_in: Any, send: Callable, monkeypatch: Any) -> None:
    content, key = xlsx(ROWS), {"Idempotency-Key": "k-1"}
    with monkeypatch.context() as patched:
        patched.setattr(services, "_acknowledge", crash)
        assert send(signed_in, content, **key).status_code == 500
    assert send(signed_in, content, **key).status_code == 202
    with monkeypatch.context() as patched:
        patched.setattr(services, "_keep", crash)
        assert send(signed_in, content, **{"Idempotency-Key": "k-2"}).status_code == 500
    assert send(signed_in, content, **{"Idempotency-Key": "k-2"}).status_code == 202
    assert FileMetadata.objects.exclude(stored_at=None).count() == 2


def test_a_storage_that_refuses_is_503_and_leaves_nothing(
    signed_in: Any, send: Callable, monkeypatch: Any, settings: Any
) -> None:
    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(PrivateFileSystemStorage, "_save", full)
        answer = send(signed_in, ROWS)
    assert (answer.status_code, "Retry-After" in answer) == (503, True)
    assert not FileMetadata.objects.exists()


def test_a_file_whose_original_is_gone_says_so(signed_in: Any, send: Callable, caplog: Any) -> None:
    caplog.set_level("ERROR")
    upload = send(signed_in, ROWS).json()
    default_storage.delete(FileMetadata.objects.get().key)
    importing.import_due()
    failed = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "original_missing")
    (line,) = [each.msg for each in caplog.records if each.msg["event"] == "upload_failed"]
    assert "original_missing" in logs.hide_secrets(None, "", dict(line)).values(), "the log says why too"


def test_a_file_that_ends_its_worker_each_time_fails_after_five_attempts(
    signed_in: Any, send: Callable, monkeypatch: Any
) -> None:
    upload = send(signed_in, ROWS).json()
    with monkeypatch.context() as patched:
        patched.setattr(importing, "_work", crash)
        for _ in range(importing.MAX_ATTEMPTS):
            with pytest.raises(Crash):
                importing.import_due()
    assert importing.import_due() == 0
    failed = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "unreadable")


def test_two_workers_never_read_one_file(signed_in: Any, send: Callable, elsewhere: Any) -> None:
    send(signed_in, ROWS)
    elsewhere.execute("SELECT pg_advisory_lock(%s, %s)", [locks._FILE, FileMetadata.objects.get().pk])
    assert importing.import_due() == 0
    elsewhere.execute("SELECT pg_advisory_unlock_all()")
    assert importing.import_due() == 1


def test_an_account_takes_its_contacts_uploads_and_files_along(
    user: Any, signed_in: Any, api: Any, imported: Callable, settings: Any
) -> None:
    imported(signed_in, "contacts_messy.xlsx")
    imported(api.as_user(UserFactory()), [("Cem", "5550001", "")])
    with transaction.atomic():
        user.delete()
    assert (Contact.objects.count(), UnprocessedContact.objects.count(), RejectedRow.objects.count()) == (1, 0, 0)
    assert storage.discard_due() == 1
    assert len(files(settings)) == 1
    assert not DiscardedFile.objects.exists()


def test_a_file_whose_storage_is_away_is_removed_later(
    user: Any, signed_in: Any, imported: Callable, settings: Any, monkeypatch: Any
) -> None:
    imported(signed_in, ROWS)
    user.delete()

    def away(*args: Any) -> None:
        raise OSError("away")

    with monkeypatch.context() as patched:
        patched.setattr(PrivateFileSystemStorage, "delete", away)
        assert storage.discard_due() == 0
    DiscardedFile.objects.update(due_at="2020-01-01T00:00:00Z")
    assert storage.discard_due() == 1
    assert files(settings) == []


def test_the_export_of_an_account_holds_all_of_it(user: Any, signed_in: Any, imported: Callable) -> None:
    imported(signed_in, "contacts_messy.xlsx")
    part = export.document(user)["contacts"]
    assert (len(part["contacts"]), len(part["waiting"])) == (7, 2)
    assert [row["code"] for row in part["uploads"][0]["rejected_rows"]] == [
        "no_phone_or_email", "email_invalid", "phone_invalid", "name_too_long",
    ]  # fmt: skip


def test_keys_may_be_used_again_after_a_day(signed_in: Any, send: Callable) -> None:
    content = xlsx(ROWS)
    send(signed_in, content, **{"Idempotency-Key": "k-1"})
    assert services.forget_idempotency_keys() == 0
    FileMetadata.objects.update(created_at="2020-01-01T00:00:00Z")
    assert services.forget_idempotency_keys() == 1
    assert send(signed_in, xlsx(ROWS[:1]), **{"Idempotency-Key": "k-1"}).status_code == 202


@pytest.mark.django_db(transaction=True)
def test_files_that_waited_in_the_former_table_of_this_app_are_removed_too(settings: Any) -> None:
    def migrate(*targets: tuple[str, str]) -> None:
        MigrationExecutor(connection).migrate(list(targets))

    migrate(("contacts", "0001_initial"))
    try:
        default_storage.save("uploads/aa/old.xlsx", ContentFile(b"old"))
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO contacts_discardedfile (key, attempts, error) VALUES ('uploads/aa/old.xlsx', 3, 'away')"
            )
    finally:
        migrate(*MigrationExecutor(connection).loader.graph.leaf_nodes("contacts"))
    assert storage.discard_due() == 1
    assert files(settings) == []
