"""Uploads that ended more than ``IMPORT_DAYS`` ago."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from config import storage
from config.tasks import delete_expired_rows
from contacts.models import Contact, FileMetadata, RejectedRow
from tests.conftest import Client

from .conftest import URL, Send

GOOD, BAD = ("Ana", "37491123456", "ana@example.com"), ("Nobody", "x", "y")


def grow_old(upload: dict, days: int = 31) -> str:
    """Make an upload look ``days`` older; returns the key of its file."""
    row = FileMetadata.objects.get(pk=upload["id"])
    FileMetadata.objects.filter(pk=row.pk).update(done_at=Now() - timedelta(days=days))
    return row.key


def test_an_old_upload_ends_with_its_file_and_rejected_rows_and_its_contacts_stay(
    signed_in: Client, imported: Send, settings: Any
) -> None:
    settings.IMPORT_DAYS = 30
    old, young = imported(signed_in, [GOOD, BAD]), imported(signed_in, [BAD])
    key = grow_old(old)
    grow_old(young, days=29)
    delete_expired_rows()
    storage.discard_due()
    assert [each["id"] for each in signed_in.get(f"{URL}uploads/").json()["results"]] == [young["id"]]
    assert signed_in.get(f"{URL}uploads/{old['id']}/").status_code == 404
    assert not default_storage.exists(key)
    assert [row.upload_id for row in RejectedRow.objects.all()] == [young["id"]]
    assert Contact.objects.get().name == "Ana"
    delete_expired_rows()
    assert FileMetadata.objects.count() == 2, "the empty row of the contact's upload stays"


def test_uploads_stay_by_default(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, [BAD])
    grow_old(upload, days=4000)
    assert delete_expired_rows() == 0
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json()["rejected"] == 1


@pytest.mark.parametrize("change", [{"done_at": None}, {"undo_requested_at": Now()}])
def test_an_upload_that_is_processed_or_undone_waits(
    signed_in: Client, imported: Send, settings: Any, change: dict
) -> None:
    settings.IMPORT_DAYS = 30
    upload = imported(signed_in, [BAD])
    grow_old(upload)
    FileMetadata.objects.filter(pk=upload["id"]).update(**change)
    assert delete_expired_rows() == 0
    assert FileMetadata.objects.count() == 1
