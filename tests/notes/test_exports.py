"""The export as Keep's JSON and Markdown, and the notes part of the data export."""

import io
import json
import zipfile
from typing import Any

import pytest
from django.db import OperationalError

from accounts.models import User
from notes.models import Note
from notes.takeout.export import FORMATS
from notes.tasks import import_notes
from tests.conftest import Client

from .factories import LabelFactory, make_note, share
from .keep_archives import upload

EXPORT, NOTES = "/api/v1/notes/export/", "/api/v1/notes/"


def archive_of(answer: Any) -> zipfile.ZipFile:
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert "atrium-notes-" in answer["Content-Disposition"]
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


@pytest.fixture
def written(user: User) -> Note:
    label = LabelFactory(owner=user, name='Home "sweet"')
    return make_note(
        user,
        title="../../etc/passwd: a plan?",
        body="=cmd|' /C calc'!A0\n# not our heading",
        items=[{"text": "one\ntwo", "checked": True}, {"text": "three", "checked": False}],
        color="#ffcc00",
        label_ids=[label.pk],
    )


def test_a_json_export_can_be_imported_again(owner: Client, user: User, stranger: Client, written: Note) -> None:
    make_note(user, title="plain", body="text")
    owner.post(f"{NOTES}{written.pk}/pin/")
    answer = owner.get(f"{EXPORT}?format=json")
    content = b"".join(answer.streaming_content)
    for client in (stranger, owner):
        assert client.post(f"{NOTES}import/", {"file": upload(content)}, format="multipart").status_code == 202
    import_notes()
    theirs = {note["title"]: note for note in stranger.get(NOTES).json()["results"]}
    mine = {note["title"]: note for note in owner.get(NOTES).json()["results"]}
    assert theirs.keys() == mine.keys()
    for title, note in theirs.items():
        for name in ("body", "items", "color", "pinned", "created_at", "updated_at"):
            assert note[name] == mine[title][name], (title, name)
        assert [x["name"] for x in note["labels"]] == [x["name"] for x in mine[title]["labels"]]
    # An import into the same account creates no duplicates.
    assert Note.objects.filter(owner=user).count() == 2


def test_file_names_are_safe_and_the_format_is_keeps(owner: Client, written: Note) -> None:
    archive = archive_of(owner.get(EXPORT))
    (name,) = archive.namelist()
    assert name == f"Takeout/Keep/etc passwd a plan {written.pk}.json"
    note = json.loads(archive.read(name))
    assert note["listContent"][0] == {"text": "one\ntwo", "isChecked": True}
    assert note["labels"] == [{"name": 'Home "sweet"'}]
    assert note["isTrashed"] is note["isArchived"] is note["isPinned"] is False


def test_markdown_has_front_matter_heading_and_task_list(owner: Client, written: Note) -> None:
    archive = archive_of(owner.get(f"{EXPORT}?format=markdown"))
    (name,) = archive.namelist()
    head, _, text = archive.read(name).decode().removeprefix("---\n").partition("\n---\n")
    assert name.endswith(f" {written.pk}.md")
    assert 'color: "#ffcc00"' in head
    assert '  - "Home \\"sweet\\""' in head
    assert text.splitlines()[1] == "# ../../etc/passwd: a plan?"
    assert text.endswith("- [x] one two\n- [ ] three\n")


def test_only_own_notes_are_exported_including_trashed_ones(
    owner: Client, api: Client, user: User, viewer_user: User, note: Note
) -> None:
    owner.post(f"{NOTES}{note.pk}/trash/")
    theirs = make_note(viewer_user, title="theirs")
    share(theirs, user)
    archive = archive_of(owner.get(EXPORT))
    assert len(archive.namelist()) == 1
    assert json.loads(archive.read(archive.namelist()[0]))["isTrashed"] is True
    assert api.get(EXPORT).status_code == 401


def test_the_file_is_complete_before_the_response_begins(owner: Client, written: Note) -> None:
    answer = owner.get(EXPORT)
    content = b"".join(answer.streaming_content)
    assert int(answer["Content-Length"]) == len(content)
    assert answer["Cache-Control"] == "private, no-store"
    assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None


def test_an_error_during_the_export_is_not_a_truncated_zip(
    owner: Client, written: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(note: Any) -> bytes:
        raise OperationalError("the server closed the connection unexpectedly")

    monkeypatch.setitem(FORMATS, "json", (".json", fail))
    assert owner.get(EXPORT).status_code == 503


def test_an_export_needs_few_queries(owner: Client, user: User, django_assert_num_queries: Any) -> None:
    Note.objects.all().delete()
    for n in range(5):
        make_note(user, title=f"same title {n % 2}")
    with django_assert_num_queries(4):
        archive = archive_of(owner.get(EXPORT))
    assert len(set(archive.namelist())) == 5


def test_an_export_without_notes_is_an_empty_zip_and_an_unknown_format_is_400(owner: Client) -> None:
    assert archive_of(owner.get(EXPORT)).namelist() == []
    assert owner.get(f"{EXPORT}?format=pdf").status_code == 400


def test_the_data_export_contains_the_notes(owner: Client, written: Note, user: User) -> None:
    owner.put(f"{NOTES}{written.pk}/reminder/", {"remind_at": "2100-01-01T00:00:00Z"})
    part = owner.get("/api/v1/auth/export/").json()["notes"]
    assert part["notes"][0]["title"] == written.title
    assert part["labels"] == ['Home "sweet"']
    assert part["reminders"][0]["remind_at"].startswith("2100-01-01T00:00:00")
