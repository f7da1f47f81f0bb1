"""The audit log of imports, undos and exports: one record each, in the transaction of the action."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from config.audit.models import AuditRecord
from contacts.models import FileMetadata
from contacts.services import undo
from contacts.services.importing import import_due
from trends.models import ImportRun, InboxFile
from trends.services import imports

from ..conftest import Client
from ..contacts.workbooks import upload_of, xlsx
from ..notes.keep_archives import keep_note, zip_of
from ..places import ROOT

pytestmark = pytest.mark.django_db
CONTACTS, NOTES, TRENDS = "/api/v1/contacts/", "/api/v1/notes/", "/api/v1/trends/"
ROWS = [("Ada", "0170 1", "ada@example.org"), ("Bob", "0170 2", "bob@example.org")]


def records() -> list[tuple[str, Any]]:
    return list(AuditRecord.objects.exclude(kind="login").order_by("pk").values_list("kind", "details"))


def upload(client: Client) -> str:
    answer = client.post(f"{CONTACTS}uploads/", {"file": upload_of(xlsx(ROWS), "c.xlsx")}, format="multipart")
    assert answer.status_code == 202, answer.content
    import_due()
    return f"{CONTACTS}uploads/{answer.json()['id']}/"


def test_an_upload_its_undo_and_its_deletion_are_recorded_once(signed_in: Client, user: User) -> None:
    url = upload(signed_in)
    for _ in range(2):
        assert signed_in.post(f"{url}undo/").status_code == 200
    assert signed_in.delete(url).status_code == 204
    assert records() == [
        ("contacts_uploaded", {"rows": 2}),
        ("contacts_upload_undone", {"removed_contacts": 2, "removed_waiting": 0}),
        ("contacts_upload_deleted", None),
    ]
    people = AuditRecord.objects.filter(kind__startswith="contacts_").values_list("user", "actor").distinct()
    assert list(people.order_by()) == [(user.pk, user.pk)]


def test_an_undo_by_a_worker_is_recorded_when_it_is_requested(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = upload(signed_in)
    monkeypatch.setattr(undo, "AT_ONCE", 0)
    assert signed_in.post(f"{url}undo/").status_code == 202
    undo.run_due_undos()
    assert records()[1:] == [("contacts_upload_undone", {"rows": 2})]


def test_an_upload_that_staff_undo_concerns_its_owner(signed_in: Client, user: User, staff: User) -> None:
    upload(signed_in)
    signed_in.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    form = {"action": "undo_uploads", "_selected_action": [FileMetadata.objects.get().pk]}
    assert signed_in.post("/admin/contacts/filemetadata/", form, format="multipart").status_code == 302
    record = AuditRecord.objects.get(kind="contacts_upload_undone")
    assert (record.user, record.actor) == (user, staff)


def test_a_dry_run_a_bad_file_and_a_foreign_upload_leave_no_record(signed_in: Client, api: Any, staff: User) -> None:
    file = upload_of(xlsx(ROWS), "c.xlsx")
    assert signed_in.post(f"{CONTACTS}uploads/?dry_run=true", {"file": file}, format="multipart").status_code == 200
    bad = SimpleUploadedFile("c.xlsx", b"nothing")
    assert signed_in.post(f"{CONTACTS}uploads/", {"file": bad}, format="multipart").status_code == 400
    assert records() == []
    url = upload(signed_in)
    assert api.as_user(staff).post(f"{url}undo/").status_code == 404
    assert [kind for kind, _ in records()] == ["contacts_uploaded"]


def test_a_record_that_cannot_be_written_prevents_the_upload(
    signed_in: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("config.audit.record", fail)
    signed_in.raise_request_exception = False
    file = upload_of(xlsx(ROWS), "c.xlsx")
    assert signed_in.post(f"{CONTACTS}uploads/", {"file": file}, format="multipart").status_code == 500
    assert not FileMetadata.objects.exists()


def test_exports_are_recorded_with_their_format(signed_in: Client, api: Any, staff: User) -> None:
    for url in (f"{CONTACTS}export.csv", f"{CONTACTS}export.vcf"):
        signed_in.get(url)
    client = api.as_user(staff)
    for name in ("csv", "xlsx", "json"):
        assert client.get(f"{TRENDS}export.{name}").status_code == 200
    found = [(kind, details["format"]) for kind, details in records()]
    assert found[:2] == [("contacts_exported", "csv"), ("contacts_exported", "vcf")]
    assert found[2:] == [("trends_exported", name) for name in ("csv", "xlsx", "json")]
    assert signed_in.get(f"{TRENDS}export.csv").status_code == 403
    assert len(records()) == len(found), "a refused export is none"


def test_an_import_of_notes_and_their_export_are_recorded(signed_in: Client) -> None:
    archive = zip_of({"Takeout/Keep/a.json": keep_note(title="Secret title")})
    file = SimpleUploadedFile("keep.zip", archive, "application/zip")
    for _ in range(2):  # the repetition gets the stored answer
        file.seek(0)
        answer = signed_in.post(f"{NOTES}import/", {"file": file}, format="multipart", HTTP_IDEMPOTENCY_KEY="k")
        assert answer.status_code == 202, answer.content
    assert signed_in.get(f"{NOTES}export/").status_code == 200
    assert [kind for kind, _ in records()] == ["notes_imported", "notes_exported"]
    assert "Secret title" not in json.dumps(records())


def test_imports_of_trends_are_recorded_also_those_of_the_folder(
    api: Any, staff: User, settings: Any, tmp_path: Path
) -> None:
    content = next((ROOT / "tests" / "data").rglob("*.csv")).read_bytes()
    file = SimpleUploadedFile("trends.csv", content, "text/csv")
    assert api.as_user(staff).post(f"{TRENDS}imports/", {"file": file}, format="multipart").status_code == 202
    settings.TRENDS_INBOX.mkdir(parents=True, exist_ok=True)
    (settings.TRENDS_INBOX / "inbox.csv").write_bytes(content)
    imports.import_watched_folder()
    InboxFile.objects.update(seen_at="2020-01-01T00:00:00Z")
    imports.import_watched_folder()
    imports.import_watched_folder()
    assert ImportRun.objects.count() == 2
    assert records() == [
        ("trends_imported", {"origin": "upload", "mode": "add"}),
        ("trends_imported", {"origin": "inbox", "mode": "add"}),
    ]
    assert AuditRecord.objects.order_by("pk").last().actor is None
