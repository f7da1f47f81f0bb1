"""What crashes and outages leave behind is recovered or removed, and files are removed with their rows."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models.functions import Now
from django.db.models.signals import post_save, pre_save

from accounts import personal_data
from accounts.models import User
from config import logs, storage
from config.jobs import runner
from config.models import DiscardedFile
from contacts.models import Contact, FileMetadata, RejectedRow, UnprocessedContact
from contacts.services.importing import import_due
from contacts.services.uploads import delete_expired_idempotency_keys
from tests.conftest import Client
from tests.factories import UserFactory

from .conftest import URL, Send
from .workbooks import xlsx

ROWS = [("Ana", "+37491123456", "ana@example.com"), ("Ben", "", "ben@example.com")]
LONG_AGO = "2020-01-01T00:00:00Z"


def files(settings: Any) -> list[Path]:
    return [path for path in Path(settings.FILES_DIR).rglob("*") if path.is_file()]


@pytest.fixture
def storage_away(settings: Any, tmp_path: Path) -> Callable[[], AbstractContextManager[None]]:
    """Make every access to the storage fail within ``with storage_away():``."""
    (tmp_path / "not-a-folder").touch()

    @contextmanager
    def away() -> Iterator[None]:
        working = settings.STORAGES
        location = {"location": tmp_path / "not-a-folder" / "files"}
        settings.STORAGES = {**working, "default": {**working["default"], "OPTIONS": location}}
        yield
        settings.STORAGES = working

    return away


@pytest.fixture
def at_save() -> Iterator[Callable]:
    """Call a function when an upload is saved: ``at_save(signal, function)``."""
    connected: list[tuple] = []

    def connect(signal: Any, function: Callable[[], None]) -> None:
        def receiver(**_: Any) -> None:
            function()

        signal.connect(receiver, sender=FileMetadata)
        connected.append((signal, receiver))

    yield connect
    for signal, receiver in connected:
        signal.disconnect(receiver, sender=FileMetadata)


def test_a_request_that_crashes_after_storing_its_file_leaves_neither_row_nor_file(
    signed_in: Client, send: Send, settings: Any, at_save: Callable
) -> None:
    crashes = [KeyError("crash")]

    def crash() -> None:
        if crashes:
            raise crashes.pop()

    at_save(post_save, crash)
    content, key = xlsx(ROWS), {"Idempotency-Key": "k-1"}
    assert send(signed_in, content, **key).status_code == 500
    assert signed_in.get(f"{URL}uploads/").json()["results"] == []
    assert len(files(settings)) == 1
    DiscardedFile.objects.update(due_at=LONG_AGO)
    assert storage.discard_due() == 1
    assert files(settings) == []
    answer = send(signed_in, content, **key)
    assert (answer.status_code, "Idempotent-Replayed" in answer) == (202, False)


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_with_one_key_create_one_upload(signed_in: Client, send: Send, at_save: Callable) -> None:
    content, key, answers = xlsx(ROWS), {"Idempotency-Key": "k-1"}, []

    def repeat() -> None:
        answers.append(send(signed_in, content, **key))
        connections.close_all()

    def meanwhile() -> None:
        if threading.current_thread() is threading.main_thread():
            thread = threading.Thread(target=repeat)
            thread.start()
            thread.join()

    at_save(pre_save, meanwhile)
    answers.append(send(signed_in, content, **key))
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    assert ["Idempotent-Replayed" in answer for answer in answers] == [False, True]
    assert FileMetadata.objects.count() == 1


def test_a_storage_that_refuses_a_file_is_503_and_no_upload_is_created(
    signed_in: Client, send: Send, storage_away: Callable
) -> None:
    with storage_away():
        answer = send(signed_in, ROWS)
    assert (answer.status_code, "Retry-After" in answer) == (503, True)
    assert not FileMetadata.objects.exists()


def test_an_import_without_its_original_fails_with_a_reason(signed_in: Client, send: Send, caplog: Any) -> None:
    caplog.set_level("ERROR")
    upload = send(signed_in, ROWS).json()
    default_storage.delete(FileMetadata.objects.get().key)
    import_due()
    failed = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "original_missing")
    (line,) = [each.msg for each in caplog.records if each.msg["event"] == "job_failed"]
    assert failed["error"]["detail"] in logs.mask_secrets(None, "", dict(line)).values()


def test_an_import_waits_while_the_storage_is_away(signed_in: Client, send: Send, storage_away: Callable) -> None:
    upload = send(signed_in, ROWS).json()
    with storage_away():
        assert import_due() == 0
    waiting = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (waiting["status"], waiting["error"], FileMetadata.objects.get().attempts) == ("processing", None, 0)
    FileMetadata.objects.update(due_at=LONG_AGO)
    assert import_due() == 1


def test_a_file_that_crashes_its_worker_at_each_attempt_fails(signed_in: Client, send: Send) -> None:
    upload = send(signed_in, ROWS).json()
    FileMetadata.objects.update(attempts=runner.MAX_ATTEMPTS)
    assert import_due() == 0
    failed = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "unreadable")


def test_two_workers_never_import_one_file(signed_in: Client, send: Send) -> None:
    send(signed_in, ROWS)
    FileMetadata.objects.update(due_at=Now() + timedelta(seconds=10))  # the lease of the other worker
    assert import_due() == 0


def test_deleting_an_account_deletes_its_contacts_uploads_and_files(
    user: User, signed_in: Client, api: Client, imported: Send, settings: Any
) -> None:
    imported(signed_in, "contacts_messy.xlsx")
    imported(api.as_user(UserFactory()), [("Cem", "5550001", "")])
    with transaction.atomic():
        user.delete()
    assert (Contact.objects.count(), UnprocessedContact.objects.count(), RejectedRow.objects.count()) == (1, 0, 0)
    assert storage.discard_due() == 1
    assert len(files(settings)) == 1
    assert not DiscardedFile.objects.exists()


def test_a_file_is_removed_once_the_storage_is_back(
    user: User, signed_in: Client, imported: Send, settings: Any, storage_away: Callable
) -> None:
    imported(signed_in, ROWS)
    user.delete()
    with storage_away():
        assert storage.discard_due() == 0
    DiscardedFile.objects.update(due_at=LONG_AGO)
    assert storage.discard_due() == 1
    assert files(settings) == []


def test_the_data_export_of_an_account_is_complete(user: User, signed_in: Client, imported: Send) -> None:
    imported(signed_in, "contacts_messy.xlsx")
    part = personal_data.document(user)["contacts"]
    assert (len(part["contacts"]), len(part["waiting"])) == (7, 2)
    assert [row["code"] for row in part["uploads"][0]["rejected_rows"]] == [
        "no_phone_or_email", "email_invalid", "phone_invalid", "name_too_long",
    ]  # fmt: skip


def test_idempotency_keys_expire_after_a_day(signed_in: Client, send: Send) -> None:
    send(signed_in, xlsx(ROWS), **{"Idempotency-Key": "k-1"})
    assert delete_expired_idempotency_keys() == 0
    FileMetadata.objects.update(created_at=LONG_AGO)
    assert delete_expired_idempotency_keys() == 1
    assert send(signed_in, xlsx(ROWS[:1]), **{"Idempotency-Key": "k-1"}).status_code == 202


@contextmanager
def migrated_back_to(name: str) -> Iterator[Any]:
    """Yield a cursor on a database that is migrated back to ``name``; migrate it forward again at the end."""
    MigrationExecutor(connection).migrate([("contacts", name)])
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        MigrationExecutor(connection).migrate(MigrationExecutor(connection).loader.graph.leaf_nodes("contacts"))


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_removes_the_files_that_waited_in_the_former_table(settings: Any) -> None:
    with migrated_back_to("0001_initial") as cursor:
        default_storage.save("uploads/aa/old.xlsx", ContentFile(b"old"))
        cursor.execute(
            "INSERT INTO contacts_discardedfile (key, attempts, error) VALUES ('uploads/aa/old.xlsx', 3, 'away')"
        )
    assert storage.discard_due() == 1
    assert files(settings) == []


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_keeps_uploads_and_removes_those_that_were_never_acknowledged(user: User, settings: Any) -> None:
    with migrated_back_to("0002_files_to_discard") as cursor:
        for name, stored, done in (("done", LONG_AGO, LONG_AGO), ("waiting", LONG_AGO, None), ("half", None, None)):
            default_storage.save(f"uploads/aa/{name}.xlsx", ContentFile(b"old"))
            cursor.execute(
                "INSERT INTO contacts_filemetadata (owner_id, name, size, sha256, key, idempotency_key, error, "
                "error_code, stored_at, done_at, total_rows, attempts, accepted, deferred, rejected, cursor, epoch) "
                "VALUES (%s, %s, 1, '', %s, '', '', '', %s, %s, 0, 0, 0, 0, 0, 0, 0)",
                [user.pk, name, f"uploads/aa/{name}.xlsx", stored, done],
            )
    assert dict(FileMetadata.objects.values_list("name", "status")) == {"done": "completed", "waiting": "queued"}
    assert FileMetadata.objects.get(name="done").finished_at
    assert storage.discard_due() == 1
    assert sorted(path.name for path in files(settings)) == ["done.xlsx", "waiting.xlsx"]


@pytest.mark.django_db(transaction=True)
def test_an_upgrade_repairs_phone_keys_that_were_read_wrongly(signed_in: Client, imported: Send) -> None:
    numbers = {
        "15551234567.0": ("155512345670", "15551234567"),
        "+0049151234567.0": ("491512345670", "49151234567"),
        "5555581\n5552698": ("55555815552698", "5555581"),
        "5555582\n": ("5555582", "5555582"),
        "12.34.56": ("123456", "123456"),
        "5.0": ("50", "50"),
        "\u200b15551234567.0\ufeff": ("155512345670", "15551234567"),
        "１５５５１２３４５６７．０": ("155512345670", "15551234567"),
        "5555583\x0b5552698": ("55555835552698", "5555583"),
        "5555584/5552698": ("55555845552698", "5555584"),
        "5555585\t5552698": ("55555855552698", "5555585"),
        "030·1234567 ": ("0301234567", "0301234567"),
        "0037491/1234567": ("374911234567", "374911234567"),
        "030.1234567": ("0301234567", "0301234567"),
    }
    imported(signed_in, [(str(n), str(6_660_000 + n), "") for n in range(len(numbers))])
    with migrated_back_to("0003_import_job"):
        for n, (text, (before, _)) in enumerate(numbers.items()):
            Contact.objects.filter(name=str(n)).update(phone_number=text, phone_key=before)
    found = dict(Contact.objects.values_list("phone_number", "phone_key"))
    assert found == {text: after for text, (_, after) in numbers.items()}
