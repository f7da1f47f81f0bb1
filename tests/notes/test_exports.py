"""One's own notes out: as Keep's JSON, as Markdown, and in the account's export."""

import io
import json
import zipfile

import pytest

from notes.models import Note
from notes.tasks import import_notes

from .archives import upload
from .factories import LabelFactory, make_note, share

EXPORT, NOTES = "/api/v1/notes/export/", "/api/v1/notes/"


def archive_of(answer):
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    assert "atrium-notes-" in answer["Content-Disposition"]
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


@pytest.fixture
def written(user):
    label = LabelFactory(owner=user, name='Home "sweet"')
    return make_note(
        user,
        title="../../etc/passwd: a plan?",
        body="=cmd|' /C calc'!A0\n# not a heading of ours",
        items=[{"text": "one\ntwo", "checked": True}, {"text": "three", "checked": False}],
        color="#ffcc00",
        label_ids=[label.pk],
    )


def test_what_is_exported_as_json_is_imported_again(owner, user, stranger, written):
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
    # Brought back to where it came from, nothing is doubled.
    assert Note.objects.filter(owner=user).count() == 2


def test_file_names_lead_nowhere_and_the_format_is_keeps(owner, written):
    archive = archive_of(owner.get(EXPORT))
    (name,) = archive.namelist()
    assert name == f"Takeout/Keep/etc passwd a plan {written.pk}.json"
    note = json.loads(archive.read(name))
    assert note["listContent"][0] == {"text": "one\ntwo", "isChecked": True}
    assert note["labels"] == [{"name": 'Home "sweet"'}]
    assert note["isTrashed"] is note["isArchived"] is note["isPinned"] is False


def test_markdown_reads_well(owner, written):
    archive = archive_of(owner.get(f"{EXPORT}?format=markdown"))
    (name,) = archive.namelist()
    head, _, text = archive.read(name).decode().removeprefix("---\n").partition("\n---\n")
    assert name.endswith(f" {written.pk}.md")
    assert 'color: "#ffcc00"' in head
    assert '  - "Home \\"sweet\\""' in head
    assert text.splitlines()[1] == "# ../../etc/passwd: a plan?"
    assert text.endswith("- [x] one two\n- [ ] three\n")


def test_only_ones_own_notes_are_exported_trashed_ones_too(owner, api, user, viewer_user, note):
    owner.post(f"{NOTES}{note.pk}/trash/")
    theirs = make_note(viewer_user, title="theirs")
    share(theirs, user)
    assert len(archive_of(owner.get(EXPORT)).namelist()) == 1
    assert (
        json.loads(archive_of(owner.get(EXPORT)).read(archive_of(owner.get(EXPORT)).namelist()[0]))["isTrashed"] is True
    )
    assert api.get(EXPORT).status_code == 401


def test_many_notes_stream_in_few_queries(owner, user, django_assert_num_queries):
    Note.objects.all().delete()
    for n in range(5):
        make_note(user, title=f"same title {n % 2}")
    with django_assert_num_queries(3):
        archive = archive_of(owner.get(EXPORT))
    assert len(set(archive.namelist())) == 5


def test_nothing_to_export_is_an_empty_archive_and_an_unknown_format_is_400(owner):
    assert archive_of(owner.get(EXPORT)).namelist() == []
    assert owner.get(f"{EXPORT}?format=pdf").status_code == 400


def test_the_accounts_export_holds_them(owner, written, user):
    owner.put(f"{NOTES}{written.pk}/reminder/", {"remind_at": "2100-01-01T00:00:00Z"})
    part = owner.get("/api/v1/auth/export/").json()["notes"]
    assert part["notes"][0]["title"] == written.title
    assert part["labels"] == ['Home "sweet"']
    assert part["reminders"][0]["remind_at"].startswith("2100-01-01T00:00:00")
