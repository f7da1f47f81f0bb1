"""Undoing an upload: what it removes, what stays, and what the window remembers."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils.timezone import now

from contacts.models import Contact, FileMetadata, KeyGate, RejectedRow, UnprocessedContact, UploadUndo
from contacts.services import undo, uploads
from contacts.services.importing import import_due
from contacts.services.release import release_due
from tests.conftest import Client

from .conftest import URL, Send, code_of

WINDOW = timedelta(seconds=180)
ROWS = [("Ana", "5550001", ""), ("Bo", "5550001", ""), ("Cy", "no phone", ""), ("Di", "", "di@example.com")]


def undo_of(client: Client, upload: dict) -> dict:
    answer = client.post(f"{URL}uploads/{upload['id']}/undo/")
    assert answer.status_code == 200, answer.content
    return answer.json()


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave every undo of more than two rows to a worker."""
    monkeypatch.setattr(undo, "AT_ONCE", 2)


def test_undo_removes_contacts_and_waiting_rows_and_keeps_the_other_counts(signed_in: Client, imported: Send) -> None:
    kept = imported(signed_in, [("Eve", "5559999", "")])
    upload = imported(signed_in, ROWS)
    assert undo_of(signed_in, upload) == {"removed_contacts": 2, "removed_waiting": 1, "status": "undone"}
    shown = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    changed = {"status": "undone", "removed_contacts": 2, "removed_waiting": 1, "waiting": 0}
    assert shown == upload | changed
    assert [each["upload"] for each in signed_in.get(URL).json()["results"]] == [kept["id"]]
    assert not UnprocessedContact.objects.exists()
    assert RejectedRow.objects.count() == 1


def test_undo_again_removes_nothing_and_changes_nothing(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, ROWS)
    undo_of(signed_in, upload)
    first = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert undo_of(signed_in, upload) == {"removed_contacts": 0, "removed_waiting": 0, "status": "undone"}
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json() == first


def test_undo_does_not_bypass_the_window(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, ROWS)
    stored_at = KeyGate.objects.get(key="tel:5550001").stored_at
    assert stored_at is not None
    undo_of(signed_in, upload)
    again = imported(signed_in, [("Ana", "5550001", "")])
    assert (again["accepted"], again["deferred"]) == (0, 1)
    assert UnprocessedContact.objects.get().due_at == stored_at + WINDOW, "the slot of the removed waiting row is free"


def test_rows_of_others_keep_their_place_behind_a_removed_row(signed_in: Client, other: Client, imported: Send) -> None:
    first = imported(signed_in, ROWS[:2])
    imported(other, [("Other", "5550001", "")])
    due_at = UnprocessedContact.objects.get(name="Other").due_at
    undo_of(signed_in, first)
    assert UnprocessedContact.objects.get().due_at == due_at
    assert KeyGate.objects.get(key="tel:5550001").next_free_at == due_at + WINDOW


def test_a_key_that_was_never_stored_is_free_after_undo(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, [("A", "5550001", ""), ("B", "5550001", "b@example.com")])
    undo_of(signed_in, upload)
    assert imported(signed_in, [("B", "", "b@example.com")])["accepted"] == 1


def test_undo_while_the_upload_is_imported_is_409(signed_in: Client, send: Send) -> None:
    upload = send(signed_in, ROWS).json()
    answer = signed_in.post(f"{URL}uploads/{upload['id']}/undo/")
    assert (answer.status_code, code_of(answer)) == (409, "not_finished")
    import_due()
    assert Contact.objects.count() == 2


def test_a_failed_upload_can_be_undone_and_not_retried_afterwards(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, ROWS)
    FileMetadata.objects.update(done_at=None, failed_at=now())
    assert undo_of(signed_in, upload)["removed_contacts"] == 2
    answer = signed_in.post(f"{URL}uploads/{upload['id']}/retry/")
    assert (answer.status_code, code_of(answer)) == (409, "not_failed")


def test_undo_removes_corrected_contacts_too(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, [("Ana", "5550001", "")])
    contact = Contact.objects.get()
    assert signed_in.patch(f"{URL}{contact.pk}/", {"name": "Anna"}).status_code == 200
    assert undo_of(signed_in, upload)["removed_contacts"] == 1


def test_rows_that_were_released_meanwhile_are_removed_as_contacts(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, ROWS)
    UnprocessedContact.objects.update(due_at=F("due_at") - WINDOW)
    KeyGate.objects.update(stored_at=F("stored_at") - WINDOW)
    assert release_due() == 1
    assert undo_of(signed_in, upload) == {"removed_contacts": 3, "removed_waiting": 0, "status": "undone"}
    assert release_due() == 0
    assert not Contact.objects.exists()


@pytest.mark.usefixtures("few_at_once")
def test_a_worker_undoes_a_large_upload_in_batches(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, ROWS)
    for _ in range(2):
        answer = signed_in.post(f"{URL}uploads/{upload['id']}/undo/")
        assert (answer.status_code, answer.json()["status"]) == (202, "undoing")
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json()["status"] == "undoing"
    assert code_of(signed_in.delete(f"{URL}uploads/{upload['id']}/")) == "not_finished"
    assert undo.run_due_undos(batch_rows=1) == 4
    shown = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (shown["status"], shown["removed_contacts"], shown["removed_waiting"]) == ("undone", 2, 1)
    assert not Contact.objects.exists()
    assert undo_of(signed_in, upload)["removed_contacts"] == 0


@pytest.mark.usefixtures("few_at_once")
def test_an_undo_that_failed_can_be_requested_again(
    signed_in: Client, imported: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = imported(signed_in, ROWS)
    signed_in.post(f"{URL}uploads/{upload['id']}/undo/")
    UploadUndo.objects.update(attempts=5)
    undo.run_due_undos()
    assert UploadUndo.objects.get().failed_at
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json()["status"] == "completed_with_errors"
    assert signed_in.post(f"{URL}uploads/{upload['id']}/undo/").status_code == 202
    undo.run_due_undos()
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json()["status"] == "undone"


def test_a_deleted_upload_leaves_its_contacts_without_it(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, ROWS)
    again = imported(signed_in, ROWS)
    stored = FileMetadata.objects.get(pk=upload["id"])
    url = f"{URL}uploads/{upload['id']}/"
    assert signed_in.delete(url).status_code == 204
    assert signed_in.delete(url).status_code == 404
    for path in ("", "errors/", "original/", "errors.xlsx"):
        assert signed_in.get(f"{url}{path}").status_code == 404, path
    for path in ("undo/", "retry/"):
        assert signed_in.post(f"{url}{path}").status_code == 404, path
    assert not stored.rejected_rows.exists()
    assert [each["id"] for each in signed_in.get(f"{URL}uploads/").json()["results"]] == [again["id"]]
    assert signed_in.get(f"{URL}uploads/{again['id']}/").json()["duplicate_of"] is None
    assert {each["upload"] for each in signed_in.get(URL).json()["results"]} == {None}
    waiting = signed_in.get(f"{URL}unprocessed/").json()["results"]
    assert sorted({each["upload"] for each in waiting}, key=str) == [again["id"], None]
    assert signed_in.get(f"{URL}?upload={upload['id']}").json()["results"] == []


def test_waiting_rows_of_a_deleted_upload_are_still_released(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, ROWS)
    assert signed_in.delete(f"{URL}uploads/{upload['id']}/").status_code == 204
    UnprocessedContact.objects.update(due_at=F("due_at") - WINDOW)
    KeyGate.objects.update(stored_at=F("stored_at") - WINDOW)
    assert release_due() == 1
    assert Contact.objects.filter(name="Bo").exists()


def test_nothing_remains_of_a_deleted_upload_once_its_last_contact_is_gone(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, [("Ana", "5550001", "")])
    assert signed_in.delete(f"{URL}uploads/{upload['id']}/").status_code == 204
    assert uploads.delete_emptied_uploads() == 0
    Contact.objects.all().delete()
    assert uploads.delete_emptied_uploads() == 1
    assert not FileMetadata.objects.exists()


def test_an_upload_without_contacts_is_deleted_at_once(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, ROWS)
    undo_of(signed_in, upload)
    assert signed_in.delete(f"{URL}uploads/{upload['id']}/").status_code == 204
    assert not FileMetadata.objects.exists()


def test_an_upload_is_not_deleted_while_it_is_imported(signed_in: Client, send: Send) -> None:
    upload = send(signed_in, ROWS).json()
    answer = signed_in.delete(f"{URL}uploads/{upload['id']}/")
    assert (answer.status_code, code_of(answer)) == (409, "not_finished")
