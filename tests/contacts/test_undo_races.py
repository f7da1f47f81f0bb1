"""Undo at the same time as another undo, a release, a retry, an erasure or a deletion: one final state."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils.timezone import now
from rest_framework.exceptions import APIException

from contacts.models import Contact, FileMetadata, KeyGate, UnprocessedContact
from contacts.services import contacts, undo, uploads
from contacts.services.release import release_due
from tests.conftest import Client

from .conftest import Send

WINDOW = timedelta(seconds=180)
ROWS = [(f"n{n}", f"55500{n % 40:02}", "") for n in range(80)]

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run ``calls`` in threads that start together; return what each has returned, or the API error it raised."""
    start = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            start.wait(timeout=10)
            return call()
        except APIException as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.fixture
def upload(signed_in: Client, imported: Send) -> FileMetadata:
    """An upload with 40 contacts and 40 waiting rows that are due."""
    stored = FileMetadata.objects.get(pk=imported(signed_in, ROWS)["id"])
    UnprocessedContact.objects.update(due_at=F("due_at") - WINDOW)
    KeyGate.objects.update(stored_at=F("stored_at") - WINDOW, next_free_at=F("next_free_at") - WINDOW)
    return stored


def assert_all_removed(upload: FileMetadata, *, erased: int = 0) -> None:
    assert not Contact.objects.exists()
    assert not UnprocessedContact.objects.exists()
    upload.refresh_from_db()
    assert upload.status == "undone"
    assert upload.removed_contacts + upload.removed_waiting + erased == len(ROWS)


def test_two_undos_remove_every_row_once(upload: FileMetadata) -> None:
    results = at_once(*[lambda: undo.undo_upload(upload=upload)] * 3)
    assert sorted(each.removed_contacts + each.removed_waiting for each in results) == [0, 0, len(ROWS)]
    assert_all_removed(upload)


def test_an_undo_and_a_release(upload: FileMetadata) -> None:
    at_once(lambda: undo.undo_upload(upload=upload), release_due, release_due)
    assert_all_removed(upload)


def test_an_undo_and_erasures(upload: FileMetadata) -> None:
    owner = upload.owner
    ids = list(Contact.objects.values_list("pk", flat=True))
    waiting = list(UnprocessedContact.objects.values_list("pk", flat=True))
    _, *erased = at_once(
        lambda: undo.undo_upload(upload=upload),
        lambda: contacts.delete_contacts(owner=owner, ids=ids[::-1]),
        lambda: contacts.delete_waiting_rows(owner=owner, ids=waiting[::2]),
    )
    assert_all_removed(upload, erased=sum(erased))


def test_an_undo_and_a_retry_of_a_failed_upload(upload: FileMetadata) -> None:
    FileMetadata.objects.update(done_at=None, failed_at=now())
    undone, retried = at_once(lambda: undo.undo_upload(upload=upload), lambda: uploads.retry_upload(upload=upload))
    upload.refresh_from_db()
    if isinstance(undone, APIException):
        assert (undone.get_codes(), upload.status) == ("not_finished", "queued")
        assert Contact.objects.count() + UnprocessedContact.objects.count() == len(ROWS)
    else:
        assert retried.get_codes() == "not_failed"
        assert_all_removed(upload)


def test_an_undo_and_a_deletion(upload: FileMetadata) -> None:
    undone, deleted = at_once(lambda: undo.undo_upload(upload=upload), lambda: uploads.delete_upload(upload=upload))
    assert deleted is None
    if isinstance(undone, APIException):
        assert undone.get_codes() == "not_found"
        assert Contact.objects.count() + UnprocessedContact.objects.count() == len(ROWS)
    else:
        assert not Contact.objects.exists()
        assert not FileMetadata.objects.exists()


def test_several_workers_at_one_large_undo(upload: FileMetadata, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "AT_ONCE", 10)
    undo.undo_upload(upload=upload)
    at_once(*[lambda: undo.run_due_undos(batch_rows=7)] * 3, release_due)
    assert_all_removed(upload)
