"""Uploading: what is taken, what is refused and how, and what is answered the second time."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from openpyxl import Workbook

from contacts import importing
from contacts.models import Contact, FileMetadata, RejectedRow
from tests.factories import UserFactory

from .conftest import URL
from .sheets import DATA, HEADER, upload_of, xlsx

ROWS = [("Ana", "+37491123456", "ana@example.com"), ("Ben", "", "ben@example.com")]


def code_of(answer: Any) -> str:
    return answer.json()["errors"][0]["code"]


def test_an_upload_is_acknowledged_then_read_and_its_progress_shows(signed_in: Any, send: Callable) -> None:
    answer = send(signed_in, ROWS, name="my friends.xlsx")
    assert answer.status_code == 202
    upload = answer.json()
    assert upload["status"] == "queued"
    assert (upload["name"], upload["total_rows"], upload["processed_rows"]) == ("my friends.xlsx", 2, 0)
    assert set(upload["links"]) == {"original", "errors", "errors_xlsx", "contacts"}
    importing.import_due()
    upload = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (upload["status"], upload["processed_rows"], upload["accepted"]) == ("completed", 2, 2)
    assert upload["finished_at"]
    assert upload["error"] is None
    assert [each["id"] for each in signed_in.get(f"{URL}uploads/").json()["results"]] == [upload["id"]]


def test_the_original_comes_back_byte_for_byte_under_its_own_name(signed_in: Any, send: Callable) -> None:
    content = xlsx(ROWS)
    upload = send(signed_in, content, name="Müllers.xlsx").json()
    answer = signed_in.get(f"{URL}uploads/{upload['id']}/original/")
    assert b"".join(answer.streaming_content) == content
    assert "M%C3%BCllers.xlsx" in answer["Content-Disposition"]
    assert default_storage.exists(FileMetadata.objects.get().key)


def test_the_same_content_again_names_the_first(signed_in: Any, api: Any, send: Callable) -> None:
    first, second = send(signed_in, "contacts_sample.xlsx").json(), send(signed_in, "contacts_sample.xlsx").json()
    assert (first["duplicate_of"], second["duplicate_of"]) == (None, first["id"])
    stranger = send(api.as_user(UserFactory()), "contacts_sample.xlsx").json()
    assert stranger["duplicate_of"] is None


def test_columns_may_stand_in_any_order_case_and_spacing_below_blank_rows_and_in_any_column(
    signed_in: Any, imported: Callable
) -> None:
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
    """A workbook whose parts went through ``replace(name, content)``."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return zipped(**{name: replace(name, archive.read(name)) for name in archive.namelist()})


def in_sheet(old: bytes, new: bytes) -> bytes:
    return repacked(xlsx(ROWS), lambda name, part: part.replace(old, new) if "worksheets/" in name else part)


ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>'
REFUSED = {
    "an empty file": (b"", "not_xlsx"),
    "csv": (b"Name,Phone Number,Email Address\nAna,1,a@b.c\n", "not_xlsx"),
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
    "a cell far away": (in_sheet(b'r="A2"', b'r="XFD1048576"'), "unsafe_file"),
    "a cell far below": (in_sheet(b'r="A3"', b'r="A1048576"'), "unsafe_file"),
    "a cell far to the right": (in_sheet(b'r="C2"', b'r="ZZ2"'), "unsafe_file"),
    "entities": (in_sheet(b"<worksheet", ENTITY + b"<worksheet"), "unsafe_file"),
    "entities in the workbook": (
        repacked(xlsx(ROWS), lambda n, p: ENTITY + p if n == "xl/workbook.xml" else p), "unsafe_file",
    ),
    "a bomb": (in_sheet(b"</sheetData>", b" " * 40_000_000 + b"</sheetData>"), "unsafe_file"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_sheet_of_contacts_is_refused_with_a_code_and_leaves_nothing(
    signed_in: Any, send: Callable, settings: Any, what: str
) -> None:
    content, code = REFUSED[what]
    answer = send(signed_in, content)
    assert (answer.status_code, code_of(answer)) == (400, code), answer.content
    assert answer.json()["errors"][0]["attr"] == "file"
    assert not FileMetadata.objects.exists()
    assert not [path for path in Path(settings.FILES_DIR).rglob("*") if path.is_file()]


def test_formats_without_values_do_no_harm_wherever_they_are(signed_in: Any, imported: Callable) -> None:
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


def test_a_sheet_with_too_many_rows_is_refused(signed_in: Any, send: Callable, settings: Any) -> None:
    settings.CONTACT_MAX_ROWS = 3
    assert send(signed_in, [("a", str(100 + n), "") for n in range(3)]).status_code == 202
    answer = send(signed_in, [("a", str(100 + n), "") for n in range(4)])
    assert (answer.status_code, code_of(answer)) == (400, "too_many_rows")


def test_a_file_that_unpacks_to_more_than_the_limit_is_refused(signed_in: Any, send: Callable, settings: Any) -> None:
    settings.CONTACT_MAX_UNZIPPED = 2000
    answer = send(signed_in, ROWS)
    assert (answer.status_code, code_of(answer)) == (400, "unsafe_file")


def test_a_reader_that_takes_too_much_ends_only_itself(signed_in: Any, send: Callable, settings: Any) -> None:
    settings.CONTACT_READER_MEMORY = 10_000_000
    answer = send(signed_in, ROWS)
    assert (answer.status_code, code_of(answer)) == (400, "unsafe_file")


def test_a_file_whose_reading_fails_later_says_unsafe_and_can_be_tried_again(
    signed_in: Any, send: Callable, settings: Any
) -> None:
    upload = send(signed_in, ROWS).json()
    retry = f"{URL}uploads/{upload['id']}/retry/"
    answer = signed_in.post(retry)
    assert (answer.status_code, code_of(answer)) == (409, "not_failed")
    plenty, settings.CONTACT_READER_MEMORY = settings.CONTACT_READER_MEMORY, 10_000_000
    importing.import_due()
    failed = signed_in.get(f"{URL}uploads/{upload['id']}/").json()
    assert (failed["status"], failed["error"]["code"]) == ("failed", "unsafe_file")
    assert failed["finished_at"]
    settings.CONTACT_READER_MEMORY = plenty
    answer = signed_in.post(retry)
    assert (answer.status_code, answer.json()["status"], answer.json()["error"]) == (202, "queued", None)
    importing.import_due()
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json()["status"] == "completed"


def test_a_file_over_the_limit_is_413_and_leaves_nothing(signed_in: Any, send: Callable, settings: Any) -> None:
    settings.CONTACT_MAX_BYTES = 10_000
    answer = send(signed_in, b"PK\x03\x04" + b"x" * 10_000)
    assert (answer.status_code, code_of(answer)) == (413, "too_large")
    settings.CONTACT_MAX_BYTES = 1_000_000
    answer = send(signed_in, b"PK\x03\x04" + b"x" * 2_000_000)
    assert (answer.status_code, code_of(answer)) == (413, "too_large")
    assert not FileMetadata.objects.exists()


@pytest.mark.parametrize("data", [{}, {"file": "a text"}, {"other": upload_of(b"x")}])
def test_a_request_without_the_file_is_400(signed_in: Any, data: dict) -> None:
    answer = signed_in.post(f"{URL}uploads/", data, format="multipart")
    assert (answer.status_code, answer.json()["errors"][0]["attr"]) == (400, "file")


def test_json_is_415_and_nobody_is_401(signed_in: Any, api: Any, send: Callable) -> None:
    assert signed_in.post(f"{URL}uploads/", {"file": "x"}, format="json").status_code == 415
    assert send(api, ROWS).status_code == 401


@pytest.mark.parametrize("name", ["../../etc/passwd.xlsx", "a\x00b\n.xlsx", "x" * 400 + ".xlsx", "ünï\u202e.xlsx"])
def test_any_file_name_gets_an_answer(signed_in: Any, send: Callable, name: str) -> None:
    answer = send(signed_in, ROWS, name=name)
    assert answer.status_code in (202, 400)
    if answer.status_code == 202:
        kept = answer.json()["name"]
        assert kept.isprintable()
        assert "/" not in kept
        assert len(kept) <= 255


class TestIdempotencyKey:
    def test_the_same_key_and_file_get_the_first_answer_again(self, signed_in: Any, send: Callable) -> None:
        content = xlsx(ROWS)
        first = send(signed_in, content, **{"Idempotency-Key": "k-1"})
        importing.import_due()
        second = send(signed_in, content, **{"Idempotency-Key": "k-1"})
        assert second.status_code == 202
        assert second.content == first.content
        assert second["Idempotent-Replayed"] == "true"
        assert FileMetadata.objects.count() == 1

    def test_another_file_is_422(self, signed_in: Any, send: Callable) -> None:
        send(signed_in, xlsx(ROWS), **{"Idempotency-Key": "k-1"})
        answer = send(signed_in, xlsx(ROWS[:1]), **{"Idempotency-Key": "k-1"})
        assert (answer.status_code, code_of(answer)) == (422, "idempotency_key_reused")

    def test_a_stranger_may_use_the_same_key(self, signed_in: Any, api: Any, send: Callable) -> None:
        first = send(signed_in, xlsx(ROWS), **{"Idempotency-Key": "k-1"}).json()
        other = send(api.as_user(UserFactory()), xlsx(ROWS), **{"Idempotency-Key": "k-1"}).json()
        assert first["id"] != other["id"]

    def test_a_refused_file_leaves_the_key_free(self, signed_in: Any, send: Callable) -> None:
        assert send(signed_in, b"nothing", **{"Idempotency-Key": "k-1"}).status_code == 400
        assert send(signed_in, xlsx(ROWS), **{"Idempotency-Key": "k-1"}).status_code == 202


def test_a_stranger_finds_nothing(signed_in: Any, api: Any, imported: Callable) -> None:
    upload = imported(signed_in, "contacts_messy.xlsx")
    stranger = api.as_user(UserFactory())
    for path in ("", "original/", "errors/", "errors.xlsx"):
        assert stranger.get(f"{URL}uploads/{upload['id']}/{path}").status_code == 404
    assert stranger.post(f"{URL}uploads/{upload['id']}/retry/").status_code == 404
    assert stranger.get(URL).json()["results"] == []
    assert stranger.get(f"{URL}unprocessed/").json()["results"] == []
    assert stranger.get(f"{URL}?upload={upload['id']}").json()["results"] == []


def test_a_list_of_uploads_asks_as_many_questions_for_ten_as_for_one(
    signed_in: Any, imported: Callable, django_assert_num_queries: Callable
) -> None:
    def queries() -> int:
        with django_assert_num_queries(3):  # session, generation, uploads
            signed_in.get(f"{URL}uploads/")

    imported(signed_in, ROWS)
    queries()
    for _ in range(3):
        imported(signed_in, DATA.joinpath("contacts_sample.xlsx").read_bytes())
    queries()


def test_an_etag_is_good_until_something_changes(signed_in: Any, imported: Callable) -> None:
    imported(signed_in, ROWS)
    first = signed_in.get(URL)
    assert signed_in.get(URL, headers={"If-None-Match": first["ETag"]}).status_code == 304
    imported(signed_in, [("Cem", "5551234", "")])
    assert len(signed_in.get(URL, headers={"If-None-Match": first["ETag"]}).json()["results"]) == 3


def test_a_row_with_something_outside_the_columns_is_rejected(signed_in: Any, imported: Callable) -> None:
    upload = imported(signed_in, [*ROWS, ("Cem", "5551234", "", "mobile"), ("Dai", "5551235", "", " ")])
    assert (upload["accepted"], upload["rejected"]) == (3, 1)
    assert RejectedRow.objects.get().code == "extra_cell"
