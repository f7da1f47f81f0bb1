"""Google Keep's archives in."""

import struct
import zipfile

import psycopg2
import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.db.models.functions import Now

from config import storage
from config.models import DiscardedFile
from notes import archives as archive_rules
from notes.models import Membership, Note, NoteImport
from notes.services import importing
from notes.tasks import import_notes

from .archives import TAKEOUT, keep_note, upload, zip_of

IMPORT, IMPORTS, NOTES = "/api/v1/notes/import/", "/api/v1/notes/imports/", "/api/v1/notes/"


def send(client, content, **options):
    return client.post(IMPORT, {"file": upload(content)}, format="multipart", **options)


@pytest.fixture
def import_all(owner):
    """Send an archive, have it read, and get the report."""

    def run(files):
        answer = send(owner, files if isinstance(files, bytes) else zip_of(files))
        assert answer.status_code == 202, answer.content
        import_notes()
        return owner.get(f"{IMPORTS}{answer.json()['id']}/").json()

    return run


def test_an_archive_becomes_notes_with_all_that_keep_knew(owner, import_all):
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
    # Trashed there, it has its seven days here; and a label of the same name in another case is the same label.
    assert old["trashed_at"] is not None
    assert old["labels"][0]["id"] == next(label["id"] for label in groceries["labels"] if label["name"] == "Home")
    assert [note["title"] for note in owner.get(f"{NOTES}?search=oranges").json()["results"]] == ["Groceries"]


def test_the_answer_says_what_will_happen_and_where_to_look(owner):
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


def test_twice_imported_is_not_doubled_not_even_after_an_edit(owner, import_all):
    import_all(TAKEOUT)
    edited = Note.objects.get(title="Groceries")
    owner.patch(f"{NOTES}{edited.pk}/", {"title": "Shopping"})
    again = import_all(TAKEOUT)
    assert (again["created"], again["duplicates"]) == (0, 3)
    more = import_all({**TAKEOUT, "Takeout/Keep/New.json": keep_note(title="New")})
    assert (more["created"], more["duplicates"]) == (1, 3)
    assert Note.objects.count() == Membership.objects.count() == 4


def test_the_same_note_twice_in_one_archive_is_one(import_all):
    note = keep_note(title="once")
    assert import_all({"a.json": note, "b.json": note})["duplicates"] == 1
    assert Note.objects.count() == 1


def test_two_people_import_the_same_archive(owner, stranger, import_all):
    import_all(TAKEOUT)
    send(stranger, zip_of(TAKEOUT))
    import_notes()
    assert Note.objects.count() == 6


def test_bad_notes_are_reported_and_the_good_ones_kept(import_all):
    report = import_all(
        {
            "Keep/good.json": keep_note(title="good"),
            "Keep/broken.json": b'{"title": ',
            "Keep/list.json": b"[]",
            "Keep/other.json": {"name": "not a note"},
            "Keep/long.json": keep_note(title="x" * 1001),
            "Keep/items.json": keep_note(listContent=[{"text": "x", "isChecked": False}] * 501),
            "Keep/types.json": keep_note(title=["x"]),
            "Keep/never.json": keep_note(createdTimestampUsec=10**18),
            "Keep/surrogate.json": b'{"textContent": "\\ud800"}',
            "Keep/script.sh": b"rm -rf /",
            "Keep/inner.zip": zip_of(TAKEOUT),
        }
    )
    assert report["status"] == "completed_with_errors"
    assert (report["total"], report["processed"], report["created"], report["rejected"]) == (9, 9, 1, 10)
    codes = {problem["file"].removeprefix("Keep/"): problem["code"] for problem in report["problems"]}
    assert codes == {
        "script.sh": "stray_file", "inner.zip": "stray_file", "broken.json": "not_json", "surrogate.json": "not_json",
        "list.json": "not_a_note", "other.json": "not_a_note", "long.json": "too_long", "items.json": "too_long",
        "types.json": "invalid", "never.json": "invalid",
    }  # fmt: skip
    assert Note.objects.get().title == "good"


def test_odd_values_do_not_cost_the_note(owner, import_all):
    odd = keep_note(title="a\x00b", color="OCTARINE", labels=[{"name": " "}, {"name": 5}, "x", {"name": "y" * 300}])
    del odd["createdTimestampUsec"]
    report = import_all({"odd.json": odd, "bom.json": b"\xef\xbb\xbf" + b'{"textContent": "bom"}'})
    assert report["created"] == 2
    note = next(note for note in owner.get(NOTES).json()["results"] if note["title"] == "ab")
    assert (note["color"], note["created_at"]) == ("default", note["updated_at"])
    assert [label["name"] for label in note["labels"]] == ["y" * 100]


def huge_header(content):
    """The archive with a table of contents that claims another size of its first file."""
    at = content.rfind(b"PK\x01\x02")
    return content[: at + 24] + struct.pack("<L", 3 * 2**30) + content[at + 28 :]


def overlapping():
    """Two entries of the table of contents over the same bytes: the small beginning of a very large file."""
    content = zip_of({"a.json": keep_note(title="x" * 900)})
    start = content.rfind(b"PK\x01\x02")
    end = content.rfind(b"PK\x05\x06")
    entry = content[start:end]
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 50, 50, 50 * len(entry), start, 0)
    return content[:start] + entry * 50 + tail


def encrypted():
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
    "a bomb": (zip_of({"Keep/a.json": b" " * 5 * 2**20}), "unsafe_file"),
    "a bomb beside notes": (zip_of({"a.json": keep_note(), "b.bin": b"\0" * 20 * 2**20}), "unsafe_file"),
    "a header of 3 GB": (huge_header(zip_of({"a.json": keep_note()})), "unsafe_file"),
    "overlapping": (overlapping(), "unsafe_file"),
    "encrypted": (encrypted(), "encrypted"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_honest_archive_is_refused_at_once(owner, kind):
    content, code = BAD[kind]
    answer = send(owner, content)
    assert answer.status_code == 400, answer.content
    (error,) = answer.json()["errors"]
    assert (error["attr"], error["code"]) == ("file", code)
    assert not NoteImport.objects.exists()


def test_a_long_table_of_contents_is_not_even_opened(owner, monkeypatch):
    monkeypatch.setattr(archive_rules, "MAX_DIRECTORY", 100)
    assert send(owner, zip_of(TAKEOUT)).json()["errors"][0]["code"] == "unsafe_file"
    monkeypatch.undo()
    monkeypatch.setattr(archive_rules, "MAX_ENTRIES", 6)
    assert send(owner, zip_of(TAKEOUT)).json()["errors"][0]["code"] == "unsafe_file"


def test_a_file_that_unpacks_to_more_than_it_says_is_reported(import_all):
    """The table of contents says little; what counts is what comes out."""
    content = bytearray(zip_of({"liar.json": b" " * 6 * 2**20, "good.json": keep_note(title="good")}))
    at = content.find(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<L", 100)
    report = import_all(bytes(content))
    assert (report["created"], report["rejected"]) == (1, 1)
    assert report["problems"][0]["file"] == "liar.json"


def test_too_large_is_413_and_no_file_is_400(owner, settings):
    assert owner.post(IMPORT, {}, format="multipart").status_code == 400
    assert owner.post(IMPORT, {"file": "text"}, format="multipart").status_code == 400
    assert owner.post(IMPORT, {"file": "text"}, format="json").status_code == 415
    settings.NOTES_IMPORT_MAX_MB = 0
    assert send(owner, zip_of(TAKEOUT)).status_code == 413


def test_the_list_of_imports_is_for_reading(owner):
    answer = owner.post(IMPORTS, {"file": upload(zip_of(TAKEOUT))}, format="multipart")
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD, OPTIONS")


def test_an_import_is_seen_by_nobody_else(api, owner, stranger):
    pk = send(owner, zip_of(TAKEOUT)).json()["id"]
    assert stranger.get(f"{IMPORTS}{pk}/").status_code == 404
    assert stranger.get(IMPORTS).json()["results"] == []
    assert api.get(f"{IMPORTS}{pk}/").status_code == api.get(IMPORTS).status_code == 401
    assert send(api, zip_of(TAKEOUT)).status_code == 401
    assert owner.get(f"{IMPORTS}{'9' * 30}/").status_code == 404


def archives_in(settings):
    return list(settings.FILES_DIR.rglob("*.zip"))


def test_the_archive_leaves_the_storage_once_it_is_read(owner, settings):
    send(owner, zip_of(TAKEOUT))
    assert storage.discard_due() == 0
    assert default_storage.exists(NoteImport.objects.get().file)
    import_notes()
    assert storage.discard_due() == 1
    assert archives_in(settings) == []


def test_an_archive_whose_request_fails_after_storing_it_is_removed_within_the_hour(owner, settings, monkeypatch):
    def fail(*_):
        raise OperationalError("the server closed the connection unexpectedly")

    with monkeypatch.context() as broken:
        broken.setattr(importing, "wake", fail)
        assert send(owner, zip_of(TAKEOUT)).status_code == 503
    assert (NoteImport.objects.count(), len(archives_in(settings))) == (0, 1)
    DiscardedFile.objects.update(due_at=Now())
    assert storage.discard_due() == 1
    assert archives_in(settings) == []


def test_a_refused_archive_and_a_repeated_request_leave_no_file(owner, settings):
    send(owner, b"no zip")
    for _ in range(2):
        send(owner, zip_of(TAKEOUT), headers={"Idempotency-Key": "one"})
    DiscardedFile.objects.update(due_at=Now())
    storage.discard_due()
    assert [str(path).endswith(NoteImport.objects.get().file) for path in archives_in(settings)] == [True]


def test_an_account_takes_its_unread_archives_along(owner, user, settings):
    send(owner, zip_of(TAKEOUT))
    import_notes()
    send(owner, zip_of({"a.json": keep_note()}))
    user.delete()
    storage.discard_due()
    assert archives_in(settings) == []


def test_a_full_disk_is_503_and_leaves_nothing(owner, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.PrivateFileSystemStorage, "_save", full)
    answer = send(owner, zip_of(TAKEOUT))
    assert (answer.status_code, "Retry-After" in answer) == (503, True)
    assert not NoteImport.objects.exists()


def test_an_archive_that_is_gone_ends_the_import_with_the_reason(owner):
    send(owner, zip_of(TAKEOUT))
    default_storage.delete(NoteImport.objects.get().file)
    import_notes()
    (row,) = owner.get(IMPORTS).json()["results"]
    assert (row["status"], row["error"]) == ("failed", "The archive is no longer in the storage.")
    assert row["finished_at"] is not None


def test_the_counts_move_and_a_step_is_never_done_twice(owner, monkeypatch):
    monkeypatch.setattr(importing, "STEP", 2)
    send(owner, zip_of({f"{n}.json": keep_note(title=str(n)) for n in range(5)}))
    seen = []
    for _ in range(4):
        importing.work_on_imports(limit=1)
        (row,) = owner.get(IMPORTS).json()["results"]
        seen.append((row["status"], row["processed"], row["created"]))
    assert seen == [("processing", 2, 2), ("processing", 4, 4), ("completed", 5, 5), ("completed", 5, 5)]
    assert Note.objects.count() == 5


@pytest.mark.django_db(transaction=True)
def test_a_step_does_not_wait_for_a_person_who_is_leaving_or_changing(owner, user):
    """The deletion of the account holds the person and waits for the import: waiting for the person is a circle."""
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
    assert (row.attempts, row.processed) == (0, 0), "waiting costs no attempt"
    NoteImport.objects.update(due_at=Now())
    assert import_notes() == 1
    assert owner.get(NOTES).json()["results"]


def test_a_step_ends_where_its_notes_become_many_bytes(owner, monkeypatch):
    """Some hundred kilobytes of archive unpack to as much as a worker must not hold at once."""
    monkeypatch.setattr(importing, "STEP_BYTES", 20_000)
    notes = {f"{n}.json": keep_note(title=str(n), textContent="x" * 9_000) for n in range(7)}
    send(owner, zip_of({**notes, "2a.json": b"{" * 9_000}))
    seen = []
    for _ in range(4):
        importing.work_on_imports(limit=1)
        (row,) = owner.get(IMPORTS).json()["results"]
        seen.append((row["status"], row["processed"], row["created"], row["rejected"]))
    end = "completed_with_errors"
    assert seen == [("processing", 3, 3, 0), ("processing", 6, 5, 1), (end, 8, 7, 1), (end, 8, 7, 1)]


def test_a_repeated_request_gets_the_first_answer(owner):
    content = zip_of(TAKEOUT)
    first = send(owner, content, headers={"Idempotency-Key": "one"})
    again = send(owner, content, headers={"Idempotency-Key": "one"})
    assert first.json() == again.json()
    assert NoteImport.objects.count() == 1
    assert send(owner, zip_of({"a.json": keep_note()}), headers={"Idempotency-Key": "one"}).status_code == 422


def test_an_import_takes_few_queries_a_step(owner, django_assert_max_num_queries):
    labels = [{"name": f"label {n}"} for n in range(20)]
    send(owner, zip_of({f"{n}.json": keep_note(title=str(n), labels=labels) for n in range(120)}))
    with django_assert_max_num_queries(30):
        import_notes()
    assert Note.objects.count() == 120
    assert Membership.labels.through.objects.count() == 2400


def test_the_archive_s_own_zip_module_agrees(tmp_path):
    """``overlapping`` is a zip that the standard library opens: the refusal is ours."""
    path = tmp_path / "x.zip"
    path.write_bytes(overlapping())
    assert len(zipfile.ZipFile(path).infolist()) == 50
