"""Uploading: which files are accepted, which are refused with which code, and repeated requests."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from openpyxl import Workbook

from contacts.models import Contact, FileMetadata, RejectedRow
from contacts.services.importing import import_due
from tests.conftest import Client
from tests.factories import UserFactory

from .conftest import URL, Send, code_of
from .workbooks import DATA, HEADER, xlsx

ROWS = [("Ana", "+37491123456", "ana@example.com"), ("Ben", "", "ben@example.com")]
MANY_ROWS = [(f"Person {n}", str(5_550_000 + n), "") for n in range(5000)]  # need memory


def test_an_upload_is_queued_then_imported_and_shows_its_progress(signed_in: Client, send: Send) -> None:
    answer = send(signed_in, ROWS, name="my friends.xlsx")
    assert answer.status_code == 202
    upload = answer.json()
    assert upload["status"] == "queued"
    assert (upload["name"], upload["total_rows"], upload["processed_rows"]) == ("my friends.xlsx", 2, 0)
    assert set(upload["links"]) == {"original", "errors", "errors_xlsx", "errors_file", "contacts"}
    import_due()
    upload = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (upload["status"], upload["processed_rows"], upload["accepted"]) == ("completed", 2, 2)
    assert upload["finished_at"]
    assert upload["error"] is None
    assert [each["id"] for each in signed_in.get(f"{URL}uploads/").json()["results"]] == [upload["id"]]


def test_the_original_can_be_downloaded_unchanged_under_its_name(signed_in: Client, send: Send) -> None:
    content = xlsx(ROWS)
    upload = send(signed_in, content, name="Müllers.xlsx").json()
    answer = signed_in.get(f"{URL}uploads/{upload['id']}/original/")
    assert b"".join(answer.streaming_content) == content
    assert "M%C3%BCllers.xlsx" in answer["Content-Disposition"]
    assert default_storage.exists(FileMetadata.objects.get().key)


def test_the_same_content_again_refers_to_the_first_upload(signed_in: Client, api: Client, send: Send) -> None:
    first, second = send(signed_in, "contacts_sample.xlsx").json(), send(signed_in, "contacts_sample.xlsx").json()
    assert (first["duplicate_of"], second["duplicate_of"]) == (None, first["id"])
    stranger = send(api.as_user(UserFactory()), "contacts_sample.xlsx").json()
    assert stranger["duplicate_of"] is None


def test_columns_are_found_in_any_order_case_spacing_and_position(signed_in: Client, imported: Send) -> None:
    book = Workbook()
    sheet = book.active
    sheet["C3"], sheet["D3"], sheet["E3"] = " EMAIL  address", "name", "PhoneNumber "
    sheet["C6"], sheet["D6"], sheet["E6"] = "ana@example.com", "Ana", 37491123456
    sheet.row_dimensions[6].hidden = True
    book.create_sheet("Other")["A1"] = "not read"
    buffer = io.BytesIO()
    book.save(buffer)
    assert imported(signed_in, buffer.getvalue())["accepted"] == 1
    contact = Contact.objects.get()
    assert (contact.row, contact.name, contact.phone_number, contact.phone_key) == (
        6, "Ana", "37491123456", "37491123456",
    )  # fmt: skip


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def repacked(content: bytes, replace: Callable[[str, bytes], bytes]) -> bytes:
    """Return the workbook with each part replaced by ``replace(name, content)``."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return zipped(**{name: replace(name, archive.read(name)) for name in archive.namelist()})


def in_sheet(old: bytes, new: bytes) -> bytes:
    return repacked(xlsx(ROWS), lambda name, part: part.replace(old, new) if "worksheets/" in name else part)


ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>'
INVALID = {
    "an empty file": (b"", "not_xlsx"),
    "text": (b"Dear Ana,\nhow are you?\n", "bad_header"),
    "an image": (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, "not_xlsx"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "not_xlsx"),
    "a password": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600 + "EncryptedPackage".encode("utf-16-le"), "not_xlsx",
    ),
    "OpenDocument": (
        zipped(mimetype=b"application/vnd.oasis.opendocument.spreadsheet", **{"content.xml": b"<a/>"}), "not_xlsx",
    ),
    "some zip file": (zipped(**{"a.txt": b"a"}), "not_xlsx"),
    "cut short": (xlsx(ROWS)[:-200], "not_xlsx"),
    "macros": (
        repacked(xlsx(ROWS), lambda n, p: p.replace(b"sheet.main+xml", b"sheet.macroEnabled.main+xml")), "not_xlsx",
    ),
    "broken XML": (in_sheet(b"</sheetData>", b"</sheetDatum>"), "not_xlsx"),
    "no workbook part": (
        repacked(xlsx(ROWS), lambda n, p: p.replace(b"<sheets>", b"<shorts>")), "not_xlsx",
    ),
    "no rows at all": (xlsx([], header=None), "bad_header"),
    "nothing below the header": (xlsx([]), "bad_header"),
    "no header": (xlsx(ROWS, header=None), "bad_header"),
    "a column missing": (xlsx([row[:2] for row in ROWS], header=HEADER[:2]), "bad_header"),
    "a column twice": (xlsx([(*row, "x") for row in ROWS], header=(*HEADER, "name")), "bad_header"),
    "a column more": (xlsx([(*row, "x") for row in ROWS], header=(*HEADER, "Fax")), "bad_header"),
    "entities": (in_sheet(b"<worksheet", ENTITY + b"<worksheet"), "unsafe_file"),
    "entities in the workbook": (
        repacked(xlsx(ROWS), lambda n, p: ENTITY + p if n == "xl/workbook.xml" else p), "unsafe_file",
    ),
    "a bomb": (in_sheet(b"</sheetData>", b" " * 40_000_000 + b"</sheetData>"), "unsafe_file"),
}  # fmt: skip


@pytest.mark.parametrize("what", INVALID)
def test_an_invalid_file_is_refused_with_a_code_and_stores_nothing(
    signed_in: Client, send: Send, settings: Any, what: str
) -> None:
    content, code = INVALID[what]
    answer = send(signed_in, content)
    assert (answer.status_code, code_of(answer)) == (400, code), answer.content
    assert answer.json()["errors"][0]["attr"] == "file"
    assert not FileMetadata.objects.exists()
    assert not [path for path in Path(settings.FILES_DIR).rglob("*") if path.is_file()]


def test_cells_with_a_format_and_no_value_are_ignored_anywhere(signed_in: Client, imported: Send) -> None:
    book = Workbook()
    sheet = book.active
    for values in (HEADER, *ROWS):
        sheet.append(values)
    for place in ("XFD1", "A1048576", "XFD1048576", "ZZ3"):
        sheet[place].number_format = "@"
    buffer = io.BytesIO()
    book.save(buffer)
    upload = imported(signed_in, buffer.getvalue())
    assert (upload["status"], upload["total_rows"], upload["accepted"]) == ("completed", 2, 2)


@pytest.mark.parametrize("counted", [0, 1, 5])
def test_the_total_is_corrected_if_an_earlier_version_counted_other_rows(
    signed_in: Client, send: Send, counted: int
) -> None:
    upload = send(signed_in, [*ROWS, ("", "no number", "")]).json()
    FileMetadata.objects.update(total_rows=counted)
    import_due(chunk_rows=1)
    upload = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (upload["total_rows"], upload["accepted"], upload["rejected"]) == (3, 2, 1)


@pytest.mark.parametrize("name", ["contacts.xls", "contacts.ods", "contacts.csv", "contacts", "x.png"])
def test_the_content_decides_the_kind_of_a_file_and_not_its_name(signed_in: Client, imported: Send, name: str) -> None:
    assert imported(signed_in, ROWS, name=name)["accepted"] == 2


@pytest.mark.parametrize(
    "old, new, rejected",
    [(b'r="A2"', b'r="XFD2"', 1), (b'r="A3"', b'r="A1048576"', 0), (b'<row r="3"', b'<row r="1048576"', 0)],
)
def test_a_cell_far_from_all_others_affects_only_its_row(
    signed_in: Client, imported: Send, old: bytes, new: bytes, rejected: int
) -> None:
    upload = imported(signed_in, in_sheet(old, new))
    assert (upload["total_rows"], upload["accepted"], upload["rejected"]) == (2, 2 - rejected, rejected)


def test_a_sheet_with_too_many_rows_is_refused(signed_in: Client, send: Send, settings: Any) -> None:
    settings.CONTACT_MAX_ROWS = 3
    assert send(signed_in, [("a", str(100 + n), "") for n in range(3)]).status_code == 202
    answer = send(signed_in, [("a", str(100 + n), "") for n in range(4)])
    assert (answer.status_code, code_of(answer)) == (400, "too_many_rows")


def test_a_file_that_unpacks_to_more_than_the_limit_is_refused(signed_in: Client, send: Send, settings: Any) -> None:
    settings.CONTACT_MAX_UNZIPPED = 2000
    answer = send(signed_in, ROWS)
    assert (answer.status_code, code_of(answer)) == (400, "unsafe_file")


def test_a_reader_over_its_memory_limit_is_unsafe_file(signed_in: Client, send: Send, settings: Any) -> None:
    settings.CONTACT_READER_MEMORY = 10_000_000
    answer = send(signed_in, MANY_ROWS)
    assert (answer.status_code, code_of(answer)) == (400, "unsafe_file")


def test_an_import_that_fails_can_be_retried(signed_in: Client, send: Send, settings: Any) -> None:
    upload = send(signed_in, MANY_ROWS).json()
    retry = f"{URL}uploads/{upload['id']}/retry/"
    answer = signed_in.post(retry)
    assert (answer.status_code, code_of(answer)) == (409, "not_failed")
    plenty, settings.CONTACT_READER_MEMORY = settings.CONTACT_READER_MEMORY, 10_000_000
    import_due()
    failed = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "unsafe_file")
    assert failed["finished_at"]
    settings.CONTACT_READER_MEMORY = plenty
    answer = signed_in.post(retry)
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (202, "queued", None)
    import_due()
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json()["status"] == "completed"


def test_a_file_over_the_limit_is_413_and_stores_nothing(signed_in: Client, send: Send, settings: Any) -> None:
    settings.CONTACT_MAX_BYTES = 10_000
    answer = send(signed_in, b"PK\x03\x04" + b"x" * 10_000)
    assert (answer.status_code, code_of(answer)) == (413, "too_large")
    settings.CONTACT_MAX_BYTES = 1_000_000
    answer = send(signed_in, b"PK\x03\x04" + b"x" * 2_000_000)
    assert (answer.status_code, code_of(answer)) == (413, "too_large")
    assert not FileMetadata.objects.exists()


@pytest.mark.parametrize("data", [{}, {"file": "a text"}])
def test_a_request_without_the_file_is_400(signed_in: Client, data: dict) -> None:
    answer = signed_in.post(f"{URL}uploads/", data, format="multipart")
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "file")


def test_json_is_415_and_without_login_401(signed_in: Client, api: Client, send: Send) -> None:
    assert signed_in.post(f"{URL}uploads/", {"file": "x"}, format="json").status_code == 415
    assert send(api, ROWS).status_code == 401


@pytest.mark.parametrize("name", ["../../etc/passwd.xlsx", "a\x00b\n.xlsx", "x" * 400 + ".xlsx", "ünï\u202e.xlsx"])
def test_any_file_name_gets_an_answer(signed_in: Client, send: Send, name: str) -> None:
    answer = send(signed_in, ROWS, name=name)
    assert answer.status_code in (202, 400)
    if answer.status_code == 202:
        stored = answer.json()["name"]
        assert stored.isprintable()
        assert "/" not in stored
        assert len(stored) <= 255


class TestIdempotencyKey:
    def test_the_same_key_and_file_get_the_first_answer(self, signed_in: Client, send: Send) -> None:
        content = xlsx(ROWS)
        first = send(signed_in, content, **{"Idempotency-Key": "k-1"})
        import_due()
        second = send(signed_in, content, **{"Idempotency-Key": "k-1"})
        assert second.status_code == 202
        assert second.content == first.content
        assert second["Idempotent-Replayed"] == "true"
        assert FileMetadata.objects.count() == 1

    def test_another_file_is_422(self, signed_in: Client, send: Send) -> None:
        send(signed_in, xlsx(ROWS), **{"Idempotency-Key": "k-1"})
        answer = send(signed_in, xlsx(ROWS[:1]), **{"Idempotency-Key": "k-1"})
        assert (answer.status_code, code_of(answer)) == (422, "idempotency_key_reused")

    def test_a_stranger_may_use_the_same_key(self, signed_in: Client, api: Client, send: Send) -> None:
        first = send(signed_in, xlsx(ROWS), **{"Idempotency-Key": "k-1"}).json()
        other = send(api.as_user(UserFactory()), xlsx(ROWS), **{"Idempotency-Key": "k-1"}).json()
        assert first["id"] != other["id"]

    def test_a_refused_file_leaves_the_key_free(self, signed_in: Client, send: Send) -> None:
        assert send(signed_in, b"nothing", **{"Idempotency-Key": "k-1"}).status_code == 400
        assert send(signed_in, xlsx(ROWS), **{"Idempotency-Key": "k-1"}).status_code == 202


def test_a_stranger_gets_404_or_empty_lists(signed_in: Client, api: Client, imported: Send) -> None:
    upload = imported(signed_in, "contacts_messy.xlsx")
    stranger = api.as_user(UserFactory())
    for path in ("", "original/", "errors/", "errors.xlsx"):
        assert stranger.get(f"{URL}uploads/{upload['id']}/{path}").status_code == 404
    assert stranger.post(f"{URL}uploads/{upload['id']}/retry/").status_code == 404
    assert stranger.get(URL).json()["results"] == []
    assert stranger.get(f"{URL}unprocessed/").json()["results"] == []
    assert stranger.get(f"{URL}?upload={upload['id']}").json()["results"] == []


def test_a_list_of_uploads_needs_the_same_queries_for_any_length(
    signed_in: Client, imported: Send, django_assert_num_queries: Callable
) -> None:
    def list_uploads() -> None:
        with django_assert_num_queries(2):  # session and generation; uploads
            signed_in.get(f"{URL}uploads/")

    imported(signed_in, ROWS)
    list_uploads()
    for _ in range(3):
        imported(signed_in, DATA.joinpath("contacts_sample.xlsx").read_bytes())
    list_uploads()


def test_an_etag_is_valid_until_something_changes(signed_in: Client, imported: Send) -> None:
    imported(signed_in, ROWS)
    first = signed_in.get(URL)
    assert signed_in.get(URL, headers={"If-None-Match": first["ETag"]}).status_code == 304
    imported(signed_in, [("Cem", "5551234", "")])
    assert len(signed_in.get(URL, headers={"If-None-Match": first["ETag"]}).json()["results"]) == 3


def test_a_row_with_content_outside_the_columns_is_rejected(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, [*ROWS, ("Cem", "5551234", "", "mobile"), ("Dai", "5551235", "", " ")])
    assert (upload["accepted"], upload["rejected"]) == (3, 1)
    assert RejectedRow.objects.get().code == "extra_cell"
