"""Imports of Google Keep archives."""

import io
import struct
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg2
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.db.models.functions import Now

from accounts.models import User
from config import storage
from config.models import DiscardedFile
from config.tasks import delete_expired_rows
from notes.models import Label, Membership, Note, NoteImport
from notes.services import imports
from notes.services.imports import import_archives
from notes.takeout import archive
from notes.tasks import import_notes
from tests.conftest import Client

from .keep_archives import TAKEOUT, keep_note, upload, zip_of

IMPORT, IMPORTS, NOTES = "/api/v1/notes/import/", "/api/v1/notes/imports/", "/api/v1/notes/"


# A run that ends after one step.
ONE_STEP: dict[str, Any] = {"limit": 1, "time_slice": 0}


def send(client: Client, content: bytes, **options: Any) -> Any:
    return client.post(IMPORT, {"file": upload(content)}, format="multipart", **options)


@pytest.fixture
def import_all(owner: Client) -> Callable[[Any], dict[str, Any]]:
    """Return a function that uploads an archive, runs the import and returns the report."""

    def run(files: Any) -> dict[str, Any]:
        answer = send(owner, files if isinstance(files, bytes) else zip_of(files))
        assert answer.status_code == 202, answer.content
        import_notes()
        return owner.get(f"{IMPORTS}{answer.json()['id']}/").json()

    return run


def test_old_imports_are_deleted_and_their_notes_stay(
    owner: Client, import_all: Callable[[Any], dict[str, Any]], settings: Any
) -> None:
    old = import_all(TAKEOUT)
    NoteImport.objects.update(done_at=Now() - timedelta(days=31))
    young = import_all(TAKEOUT)
    assert delete_expired_rows() == 0, "by default they stay"
    settings.IMPORT_DAYS = 30
    assert delete_expired_rows() == 1
    assert owner.get(f"{IMPORTS}{old['id']}/").status_code == 404
    assert owner.get(f"{IMPORTS}{young['id']}/").json()["duplicates"] == 3
    assert Note.objects.count() == 3


def test_all_properties_of_keep_notes_are_imported(owner: Client, import_all: Callable[[Any], dict[str, Any]]) -> None:
    report = import_all(TAKEOUT)
    assert report["status"] == "completed"
    counts = ("total", "processed", "created", "duplicates", "rejected", "ignored")
    assert [report[name] for name in counts] == [3, 3, 3, 0, 0, 4]
    notes = {note["title"]: note for note in owner.get(f"{NOTES}?state=all").json()["results"]}
    groceries, idea, old = notes["Groceries"], notes[""], notes["Old"]
    assert groceries["items"] == [{"text": "Oranges", "checked": False}, {"text": "Bread", "checked": True}]
    assert [label["name"] for label in groceries["labels"]] == ["Food", "Home"]
    assert (groceries["color"], groceries["pinned"], groceries["role"]) == ("yellow", True, "owner")
    assert groceries["created_at"] == "2023-07-22T04:26:40.654321Z"
    assert groceries["updated_at"] == "2023-11-14T22:13:20.123456Z"
    assert (idea["body"], idea["archived"]) == ("Build a house\nof five rooms", True)
    # A note trashed in Keep is in the trash here; labels that differ only in case are one label.
    assert old["trashed_at"] is not None
    assert old["labels"][0]["id"] == next(label["id"] for label in groceries["labels"] if label["name"] == "Home")
    assert [note["title"] for note in owner.get(f"{NOTES}?search=oranges").json()["results"]] == ["Groceries"]


def test_the_response_describes_the_queued_import(owner: Client) -> None:
    answer = send(owner, zip_of(TAKEOUT))
    row = answer.json()
    assert (row["status"], row["name"], row["created"], row["error"], row["problems"]) == (
        "queued",
        "takeout.zip",
        0,
        "",
        [],
    )
    assert row["links"]["self"].endswith(f"{IMPORTS}{row['id']}/")
    assert owner.get(row["links"]["self"]).json() == row
    assert owner.get(IMPORTS).json()["results"] == [row]


def test_a_second_import_creates_no_duplicates_even_after_an_edit(
    owner: Client, import_all: Callable[[Any], dict[str, Any]]
) -> None:
    import_all(TAKEOUT)
    edited = Note.objects.get(title="Groceries")
    owner.patch(f"{NOTES}{edited.pk}/", {"title": "Shopping"})
    again = import_all(TAKEOUT)
    assert (again["created"], again["duplicates"]) == (0, 3)
    more = import_all({**TAKEOUT, "Takeout/Keep/New.json": keep_note(title="New")})
    assert (more["created"], more["duplicates"]) == (1, 3)
    assert Note.objects.count() == Membership.objects.count() == 4


def test_equal_notes_in_one_archive_are_imported_once(import_all: Callable[[Any], dict[str, Any]]) -> None:
    note = keep_note(title="once")
    assert import_all({"a.json": note, "b.json": note})["duplicates"] == 1
    assert Note.objects.count() == 1


def test_two_users_can_import_the_same_archive(
    owner: Client, stranger: Client, import_all: Callable[[Any], dict[str, Any]]
) -> None:
    import_all(TAKEOUT)
    send(stranger, zip_of(TAKEOUT))
    import_notes()
    assert Note.objects.count() == 6


def test_invalid_notes_are_reported_and_valid_ones_imported(import_all: Callable[[Any], dict[str, Any]]) -> None:
    report = import_all(
        {
            "Keep/good.json": keep_note(title="good"),
            "Keep/broken.json": b'{"title": ',
            "Keep/list.json": b"[]",
            "Keep/other.json": {"name": "not a note"},
            "Keep/long.json": keep_note(title="x" * 1001),
            "Keep/items.json": keep_note(listContent=[{"text": "x", "isChecked": False}] * 1001),
            "Keep/types.json": keep_note(title=["x"]),
            "Keep/never.json": keep_note(createdTimestampUsec=10**18),
            "Keep/marks.json": keep_note(title="e" + "\u0301" * 31),
            "Keep/label.json": keep_note(labels=[{"name": "e" + "\u0301" * 60_000}]),
            "Keep/large.json": b" " * 9 * 2**20,
            "Keep/script.sh": b"rm -rf /",
            "Keep/inner.zip": zip_of(TAKEOUT),
        }
    )
    assert report["status"] == "completed_with_errors"
    assert (report["total"], report["processed"], report["created"], report["rejected"]) == (11, 11, 1, 10)
    codes = {problem["file"].removeprefix("Keep/"): problem["code"] for problem in report["problems"]}
    assert codes == {
        "marks.json": "too_many_marks", "label.json": "too_many_marks", "broken.json": "not_json",
        "large.json": "too_large",
        "list.json": "not_a_note", "other.json": "not_a_note", "long.json": "too_long", "items.json": "too_long",
        "types.json": "invalid", "never.json": "invalid",
    }  # fmt: skip
    assert Note.objects.get().title == "good"


def test_invalid_values_are_replaced_and_the_note_imported(
    owner: Client, import_all: Callable[[Any], dict[str, Any]]
) -> None:
    odd = keep_note(title="a\x00b", color="OCTARINE", labels=[{"name": " "}, {"name": 5}, "x", {"name": "y" * 300}])
    del odd["createdTimestampUsec"]
    report = import_all({"odd.json": odd, "bom.json": b"\xef\xbb\xbf" + b'{"textContent": "bom"}'})
    assert report["created"] == 2
    note = next(note for note in owner.get(NOTES).json()["results"] if note["title"] == "ab")
    assert (note["color"], note["created_at"]) == ("default", note["updated_at"])
    assert [label["name"] for label in note["labels"]] == ["y" * 100]


def huge_header(content: bytes) -> bytes:
    """Return the archive with a central directory that claims 3 GB for its first file."""
    at = content.rfind(b"PK\x01\x02")
    return content[: at + 24] + struct.pack("<L", 3 * 2**30) + content[at + 28 :]


def overlapping() -> bytes:
    """Return an archive whose 50 entries share the same bytes."""
    content = zip_of({"a.json": keep_note(title="x" * 900)})
    start = content.rfind(b"PK\x01\x02")
    end = content.rfind(b"PK\x05\x06")
    entry = content[start:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, 50 * len(entry), start, 0)
    return content[:start] + entry * 50 + tail


def deflate64() -> bytes:
    """Return an archive as Windows Explorer writes large ones, with a compression that Python cannot read."""
    content = bytearray(zip_of({"Keep/a.json": keep_note(title="x")}))
    content[content.rfind(b"PK\x01\x02") + 10] = content[8] = 9
    return bytes(content)


def encrypted() -> bytes:
    content = bytearray(zip_of({"a.json": keep_note(title="x")}))
    at = content.rfind(b"PK\x01\x02")
    content[at + 8] |= 1
    return bytes(content)


BAD = {
    "nothing": (b"", "not_zip"),
    "text": (b"hello, this is no zip", "not_zip"),
    "cut short": (zip_of(TAKEOUT)[:-30], "not_zip"),
    "an xlsx of nothing": (zip_of({"xl/workbook.xml": b"<x/>"}), "no_notes"),
    "no file": (zip_of({}), "no_notes"),
    "absolute": (zip_of({"/etc/passwd.json": keep_note()}), "unsafe_file"),
    "upwards": (zip_of({"Keep/../../x.json": keep_note()}), "unsafe_file"),
    "upwards, the other way": (zip_of({"Keep\\..\\..\\x.json": keep_note()}), "unsafe_file"),
    "a drive": (zip_of({"C:\\x.json": keep_note()}), "unsafe_file"),
    "a .tgz": (b"\x1f\x8b\x08" + b"x" * 100, "not_zip"),
    "a single note": (orjson.dumps(keep_note()), "not_zip"),
    "Deflate64": (deflate64(), "unsupported_compression"),
    "overlapping": (overlapping(), "unsafe_file"),
    "encrypted": (encrypted(), "encrypted"),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_unsafe_or_invalid_archive_is_400(owner: Client, kind: str) -> None:
    content, code = BAD[kind]
    answer = send(owner, content)
    assert answer.status_code == 400, answer.content
    (error,) = answer.json()["errors"]
    assert (error["attr"], error["code"]) == ("file", code)
    assert not NoteImport.objects.exists()


@pytest.mark.parametrize("limits", [{"max_directory": 100}, {"max_entries": 6}])
def test_an_archive_with_too_many_files_is_refused(limits: dict[str, int]) -> None:
    with pytest.raises(archive.BadArchive) as error:
        archive.open_archive(io.BytesIO(zip_of(TAKEOUT)), **limits)
    assert error.value.code == "unsafe_file"


def test_a_file_larger_than_its_header_says_is_reported(import_all: Callable[[Any], dict[str, Any]]) -> None:
    content = bytearray(zip_of({"large.json": b" " * 9 * 2**20, "good.json": keep_note(title="good")}))
    at = content.find(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", 100)
    report = import_all(bytes(content))
    assert (report["created"], report["rejected"]) == (1, 1)
    assert report["problems"][0]["file"] == "large.json"


HARD = Path(__file__).parent.parent / "data" / "keep"


@pytest.mark.parametrize("name, counts, codes", [
    ("01-link-only-note-annotations.zip", (1, 1, 0, 0), []),
    ("02-image-only-note.zip", (1, 1, 0, 1), ["attachments_left_out"]),
    ("04-mac-finder-rezip.zip", (1, 1, 0, 3), []),
    ("06-two-entries-of-one-name.zip", (2, 2, 0, 0), []),
    ("12-checklist-of-600-items.zip", (1, 1, 0, 0), []),
    ("20-lone-surrogate.zip", (1, 1, 0, 0), []),
    ("31-label-60000-combining-marks-4s-in-worker.zip", (1, 0, 1, 0), ["too_many_marks"]),
])  # fmt: skip
def test_archives_from_real_takeouts(
    import_all: Callable[[Any], dict[str, Any]], name: str, counts: tuple[int, ...], codes: list[str]
) -> None:
    report = import_all((HARD / name).read_bytes())
    assert report["status"] == ("completed_with_errors" if report["rejected"] else "completed")
    assert tuple(report[each] for each in ("total", "created", "rejected", "ignored")) == counts
    assert report["processed"] == report["total"]
    assert [problem["code"] for problem in report["problems"]] == codes


def test_lone_surrogates_are_replaced(import_all: Callable[[Any], dict[str, Any]]) -> None:
    content = b'{"title": "cut \\ud83d", "textContent": "\\ud83c\\udf89 \\udc00", "labels": [{"name": "a\\ud800"}]}'
    assert import_all({"Keep/s.json": content})["created"] == 1
    note = Note.objects.get()
    assert (note.title, note.body) == ("cut \ufffd", "🎉 \ufffd")
    assert Label.objects.get().name == "a\ufffd"


def test_links_are_appended_to_the_body_once(import_all: Callable[[Any], dict[str, Any]]) -> None:
    link = {"source": "WEBLINK", "title": "A  page", "url": "https://example.org/a", "description": "x"}
    known = {"source": "WEBLINK", "title": "Known", "url": "https://example.org/known"}
    text = "see https://example.org/known"
    annotations = [link, link, known, {"title": "no address"}, "x", {"url": 5}]
    import_all({"Keep/a.json": keep_note(textContent=text, annotations=annotations)})
    assert Note.objects.get().body == f"{text}\n\nA page\nhttps://example.org/a"


@pytest.mark.parametrize(
    "text, is_appended",
    [
        ("https://example.org/ab", True),
        ("https://example.org/a/b", True),
        ("https://example.org/a?page=2", True),
        ("https://example.org/a-b.", True),
        ("http://other.example/?to=https://example.org/a", True),
        ("https://example.org/ab and https://example.org/a", False),
        ("(https://example.org/a).", False),
        ("https://example.org/a, then\nmore", False),
    ],
)
def test_a_link_is_appended_unless_the_body_contains_its_whole_address(
    import_all: Callable[[Any], dict[str, Any]], text: str, is_appended: bool
) -> None:
    import_all({"Keep/a.json": keep_note(textContent=text, annotations=[{"url": "https://example.org/a"}])})
    assert Note.objects.get().body == (f"{text}\n\nhttps://example.org/a" if is_appended else text)


def test_what_is_left_out_of_a_note_is_a_problem_but_no_error(import_all: Callable[[Any], dict[str, Any]]) -> None:
    report = import_all({
        "Keep/voice.json": keep_note(attachments=[{"filePath": "a.3gp", "mimetype": "audio/3gpp"}]),
        "Keep/bold.json": keep_note(textContent="b", textContentHtml='<p><span style="font-weight:700">b</span></p>'),
        "Keep/item.json": keep_note(
            listContent=[{"text": "b", "isChecked": False, "textHtml": "<p><u>b</u></p>"}], title="items"
        ),
        "Keep/shared.json": keep_note(title="s", sharees=[{"isOwner": True}, {"isOwner": False, "email": "a@b.org"}]),
        "Keep/plain.json": keep_note(title="p", textContentHtml='<p style="font-weight:400;font-style:normal">p</p>'),
        "Keep/long.json": keep_note(
            title="l", textContent="x" * 99_990, annotations=[{"url": "https://example.org/too-long"}]
        ),
    })  # fmt: skip
    assert (report["status"], report["created"], report["rejected"]) == ("completed", 6, 0)
    assert {problem["file"].removeprefix("Keep/"): problem["code"] for problem in report["problems"]} == {
        "voice.json": "attachments_left_out", "bold.json": "formatting_left_out", "item.json": "formatting_left_out",
        "shared.json": "collaborators_left_out", "long.json": "links_left_out",
    }  # fmt: skip


def test_texts_of_an_archive_in_a_problem_can_be_stored(import_all: Callable[[Any], dict[str, Any]]) -> None:
    note = '{"title": "m", "isTrashed": false, "attachments": [{"mimetype": "image/\\ud800\\u0000"}]}'
    report = import_all({"Keep/m.json": note})
    assert (report["status"], report["created"]) == ("completed", 1)
    assert "(image/\ufffd\ufffd)" in report["problems"][0]["detail"]


def test_files_of_other_products_and_media_are_ignored(import_all: Callable[[Any], dict[str, Any]]) -> None:
    report = import_all({
        "Takeout/Google Keep/a.json": keep_note(title="a"), "Takeout/Google Keep/a.heic": b"x",
        "Takeout/Google Keep/drawing.xyz": b"x", "Takeout/Google Keep/inner.zip": zip_of(TAKEOUT), "Takeout/x.sh": b"",
        "Takeout/Chrome/Bookmarks.json": b"{",
        "Takeout/Location History/Records.json": b'[{"x": "' + b"y" * 9 * 2**20 + b'"}]',
        "Takeout/bomb.bin": b"\0" * 20 * 2**20, "._a.json": b"\0",
        "__MACOSX/Takeout/Google Keep/._a.json": b"\0",
    })  # fmt: skip
    assert (report["status"], report["total"], report["created"], report["ignored"]) == ("completed", 1, 1, 9)
    assert report["problems"] == []


def test_without_a_folder_of_keep_only_notes_are_imported(import_all: Callable[[Any], dict[str, Any]]) -> None:
    report = import_all({
        "a.json": keep_note(title="a"), "watch-history.json": b"[]", "me.json": {"name": "x"},
        "Records.json": b" " * 9 * 2**20,
    })  # fmt: skip
    assert (report["status"], report["total"], report["processed"], report["ignored"]) == ("completed", 1, 1, 3)


def test_an_archive_in_which_no_file_is_a_note_fails_with_a_reason(import_all: Callable[[Any], dict[str, Any]]) -> None:
    report = import_all({"a.json": b"[]"})
    assert report["status"] == "failed"
    assert "no notes" in report["error"]


@pytest.mark.parametrize("kind", ["a .tgz", "a single note", "Deflate64", "text"])
def test_the_error_of_an_unsuitable_file_names_the_right_export(owner: Client, kind: str) -> None:
    detail = send(owner, BAD[kind][0]).json()["errors"][0]["detail"]
    assert "Takeout" in detail
    assert ".zip" in detail


def test_a_note_changed_in_keep_is_updated_by_the_next_import(
    owner: Client, user: User, import_all: Callable[[Any], dict[str, Any]]
) -> None:
    import_all({"Keep/a.json": keep_note(title="a", textContent="one", labels=[{"name": "x"}])})
    note = Note.objects.get()
    owner.post(f"{NOTES}{note.pk}/pin/")
    changed = keep_note(title="a", textContent="two", labels=[{"name": "x"}, {"name": "y"}], userEditedTimestampUsec=5)
    report = import_all({"Keep/a.json": changed})
    assert [report[name] for name in ("created", "updated", "duplicates", "rejected")] == [0, 1, 0, 0]
    shown = owner.get(f"{NOTES}{note.pk}/").json()
    assert (shown["body"], shown["version"], shown["pinned"]) == ("two", 2, True)
    assert [label["name"] for label in shown["labels"]] == ["x", "y"]
    assert shown["updated_at"] == "1970-01-01T00:00:00.000005Z"
    again = import_all({"Keep/a.json": changed})
    assert [again[name] for name in ("created", "updated", "duplicates")] == [0, 0, 1]
    third = import_all({"Keep/a.json": keep_note(title="a", textContent="three")})
    assert third["updated"] == 1
    assert Note.objects.get().body == "three"


def test_a_note_edited_here_is_not_updated_by_an_import(
    owner: Client, import_all: Callable[[Any], dict[str, Any]]
) -> None:
    import_all({"Keep/a.json": keep_note(title="a", textContent="one")})
    owner.patch(f"{NOTES}{Note.objects.get().pk}/", {"body": "mine"})
    report = import_all({"Keep/a.json": keep_note(title="a", textContent="two")})
    assert [report[name] for name in ("created", "updated", "duplicates")] == [0, 0, 1]
    assert report["problems"][0]["code"] == "edited_here"
    assert report["status"] == "completed"
    assert Note.objects.get().body == "mine"


@pytest.mark.parametrize("limit", [{"NOTES_MAX_PER_USER": 3}, {"NOTES_MAX_BYTES_PER_USER": 330}])
def test_notes_beyond_the_quota_are_rejected(
    import_all: Callable[[Any], dict[str, Any]], note: Note, settings: Any, limit: dict[str, int]
) -> None:
    for name, value in limit.items():
        setattr(settings, name, value)
    report = import_all({f"Keep/{n}.json": keep_note(title=str(n), textContent="x" * 140) for n in range(4)})
    assert (report["status"], report["created"], report["rejected"]) == ("completed_with_errors", 2, 2)
    assert {problem["code"] for problem in report["problems"]} == {"quota_exceeded"}
    assert Note.objects.count() == 3


def test_two_notes_of_the_same_moment_are_not_taken_for_each_other(import_all: Callable[[Any], dict[str, Any]]) -> None:
    import_all({"Keep/a.json": keep_note(title="a"), "Keep/b.json": keep_note(title="b")})
    report = import_all({"Keep/a.json": keep_note(title="a"), "Keep/b.json": keep_note(title="c")})
    assert (report["duplicates"], report["updated"], report["created"]) == (1, 1, 0)
    both = import_all({"Keep/a.json": keep_note(title="x"), "Keep/b.json": keep_note(title="y")})
    assert (both["updated"], both["created"]) == (0, 2)


def test_an_archive_that_is_too_large_is_413_and_a_missing_file_400(owner: Client, settings: Any) -> None:
    assert owner.post(IMPORT, {}, format="multipart").status_code == 400
    assert owner.post(IMPORT, {"file": "text"}, format="multipart").status_code == 400
    assert owner.post(IMPORT, {"file": "text"}, format="json").status_code == 415
    settings.NOTES_IMPORT_MAX_MB = 0
    assert send(owner, zip_of(TAKEOUT)).status_code == 413


def test_the_list_of_imports_is_read_only(owner: Client) -> None:
    answer = owner.post(IMPORTS, {"file": upload(zip_of(TAKEOUT))}, format="multipart")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_an_import_is_private(api: Client, owner: Client, stranger: Client) -> None:
    pk = send(owner, zip_of(TAKEOUT)).json()["id"]
    assert stranger.get(f"{IMPORTS}{pk}/").status_code == 404
    assert stranger.get(IMPORTS).json()["results"] == []
    assert api.get(f"{IMPORTS}{pk}/").status_code == api.get(IMPORTS).status_code == 401
    assert send(api, zip_of(TAKEOUT)).status_code == 401
    assert owner.get(f"{IMPORTS}{'9' * 30}/").status_code == 404


def stored_archives(settings: Any) -> list[Path]:
    return list(settings.FILES_DIR.rglob("*.zip"))


def test_the_archive_is_removed_after_the_import(owner: Client, settings: Any) -> None:
    send(owner, zip_of(TAKEOUT))
    assert storage.discard_due() == 0
    assert default_storage.exists(NoteImport.objects.get().file)
    import_notes()
    assert storage.discard_due() == 1
    assert stored_archives(settings) == []


def test_the_archive_of_a_failed_request_is_removed_within_an_hour(
    owner: Client, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OperationalError("the server closed the connection unexpectedly")

    with monkeypatch.context() as broken:
        broken.setattr(imports, "enqueue", fail)
        assert send(owner, zip_of(TAKEOUT)).status_code == 503
    assert (NoteImport.objects.count(), len(stored_archives(settings))) == (0, 1)
    DiscardedFile.objects.update(due_at=Now())
    assert storage.discard_due() == 1
    assert stored_archives(settings) == []


def test_refused_and_repeated_requests_leave_no_file(owner: Client, settings: Any) -> None:
    send(owner, b"no zip")
    for _ in range(2):
        send(owner, zip_of(TAKEOUT), headers={"Idempotency-Key": "one"})
    DiscardedFile.objects.update(due_at=Now())
    storage.discard_due()
    assert [str(path).endswith(NoteImport.objects.get().file) for path in stored_archives(settings)] == [True]


def test_deleting_an_account_removes_its_archives(owner: Client, user: User, settings: Any) -> None:
    send(owner, zip_of(TAKEOUT))
    import_notes()
    send(owner, zip_of({"a.json": keep_note()}))
    user.delete()
    storage.discard_due()
    assert stored_archives(settings) == []


def test_a_full_disk_is_503_and_stores_nothing(owner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.PrivateFileSystemStorage, "_save", full)
    answer = send(owner, zip_of(TAKEOUT))
    assert (answer.status_code, "Retry-After" in answer) == (503, True)
    assert not NoteImport.objects.exists()


def test_an_import_whose_archive_is_missing_fails_with_a_reason(owner: Client) -> None:
    send(owner, zip_of(TAKEOUT))
    default_storage.delete(NoteImport.objects.get().file)
    import_notes()
    (row,) = owner.get(IMPORTS).json()["results"]
    assert (row["status"], row["error"]) == ("failed", "The archive is no longer in the storage.")
    assert row["finished_at"] is not None


def test_progress_is_visible_and_no_step_runs_twice(owner: Client) -> None:
    send(owner, zip_of({f"{n}.json": keep_note(title=str(n)) for n in range(5)}))
    seen = []
    for _ in range(4):
        import_archives(**ONE_STEP, step=2)
        (row,) = owner.get(IMPORTS).json()["results"]
        seen.append((row["status"], row["processed"], row["created"]))
    assert seen == [("processing", 2, 2), ("processing", 4, 4), ("processing", 5, 5), ("completed", 5, 5)]
    assert Note.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_a_step_does_not_wait_for_a_locked_user(owner: Client, user: User) -> None:
    """The deletion of an account locks the user and waits for the import, so waiting here would be a deadlock."""
    send(owner, zip_of(TAKEOUT))
    holder = psycopg2.connect(**connection.get_connection_params())
    try:
        with holder.cursor() as cursor:
            cursor.execute("SELECT FROM accounts_user WHERE id = %s FOR UPDATE", [user.pk])
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        assert import_notes() == 0
    finally:
        holder.close()
        connection.close()
    row = NoteImport.objects.get()
    assert (row.attempts, row.processed) == (0, 0), "a postponed step is not counted as an attempt"
    NoteImport.objects.update(due_at=Now())
    assert import_notes() == 1
    assert owner.get(NOTES).json()["results"]


def test_a_step_has_a_limit_of_unpacked_bytes(owner: Client) -> None:
    notes = {f"{n}.json": keep_note(title=str(n), textContent="x" * 9_000) for n in range(7)}
    send(owner, zip_of({**notes, "2a.json": b"{" * 9_000}))
    seen = []
    for _ in range(4):
        import_archives(**ONE_STEP, step_bytes=20_000)
        (row,) = owner.get(IMPORTS).json()["results"]
        seen.append((row["status"], row["processed"], row["created"], row["rejected"]))
    end = "completed_with_errors"
    assert seen == [("processing", 3, 3, 0), ("processing", 6, 5, 1), ("processing", 8, 7, 1), (end, 8, 7, 1)]


def test_a_repeated_request_gets_the_first_response(owner: Client) -> None:
    content = zip_of(TAKEOUT)
    first = send(owner, content, headers={"Idempotency-Key": "one"})
    again = send(owner, content, headers={"Idempotency-Key": "one"})
    assert first.json() == again.json()
    assert NoteImport.objects.count() == 1
    assert send(owner, zip_of({"a.json": keep_note()}), headers={"Idempotency-Key": "one"}).status_code == 422


def test_a_step_needs_few_queries(owner: Client, django_assert_max_num_queries: Any) -> None:
    labels = [{"name": f"label {n}"} for n in range(20)]
    send(owner, zip_of({f"{n}.json": keep_note(title=str(n), labels=labels) for n in range(120)}))
    with django_assert_max_num_queries(36):
        import_notes()
    assert Note.objects.count() == 120
    assert Membership.labels.through.objects.count() == 2400


def test_the_standard_library_opens_the_overlapping_archive(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(overlapping())
    assert len(zipfile.ZipFile(path).infolist()) == 50
