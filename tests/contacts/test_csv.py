"""CSV files: dialects, encodings, mappings, and files that are hostile."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.files import reader
from contacts.files.choice import DEFAULT, Choice
from contacts.files.limits import InvalidSheet, Limits
from contacts.files.rows import AnyRow, Row
from contacts.files.table import open_table
from contacts.models import Contact, FileMetadata
from contacts.services.importing import import_due
from tests.conftest import Client

from .conftest import URL, Send, code_of
from .workbooks import HEADER, upload_of

LIMITS = Limits(max_rows=1000, max_unzipped=10_000_000)
PLAIN = b"Name,Phone Number,Email Address\r\nAna,+37491123456,ana@example.com\r\n"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Read a file without a process of its own."""

    def read(content: bytes, choice: Choice = DEFAULT) -> list[AnyRow]:
        path = tmp_path / "file"
        path.write_bytes(content)
        with reader.open_sheet(str(path), LIMITS, choice) as (header, rows):
            return [row for chunk in reader.chunks(header, rows, after=0, size=2) for row in chunk]

    return read


@pytest.fixture
def encoding_of(tmp_path: Path) -> Any:
    def encoding_of(content: bytes) -> str:
        path = tmp_path / "file"
        path.write_bytes(content)
        with open_table(str(path), LIMITS, DEFAULT) as table:
            return table.encoding

    return encoding_of


def test_a_csv_file_is_imported_whatever_its_name(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, PLAIN, name="people.xlsx")
    assert (upload["status"], upload["accepted"], upload["encoding"]) == ("completed", 1, "utf-8")
    contact = Contact.objects.get()
    assert (contact.row, contact.name, contact.phone_key, contact.email_key) == (
        2, "Ana", "37491123456", "ana@example.com",
    )  # fmt: skip
    assert FileMetadata.objects.get().key.endswith(".csv")


def test_a_workbook_is_imported_whatever_its_name(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, [("Ana", "5551234", "")], name="people.csv")
    assert (upload["accepted"], upload["encoding"]) == (1, None)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_the_delimiter_and_unicode_encodings_are_detected(read: Any, delimiter: str, encoding: str) -> None:
    lines = [HEADER, ("Jürgen 王", "5551234", ""), ("", "", "b@example.com")]
    content = "\n".join(delimiter.join(line) for line in lines).encode(encoding)
    assert [row[:4] for row in read(content)] == [(2, "Jürgen 王", "5551234", ""), (3, "", "", "b@example.com")]


LEGACY = {
    "cp1252": ("Jürgen Müller", "François Lefèvre", "José Núñez"),
    "cp1251": ("Иван Петров", "Мария Сидорова", "Сергей Иванов"),
    "cp1253": ("Γιώργος Παπαδόπουλος", "Μαρία Νικολάου"),
    "cp932": ("山田太郎", "鈴木花子", "佐藤一郎"),
    "big5": ("王小明", "陳大文", "林志玲"),
    "cp949": ("김철수", "이영희", "박민수"),
}


@pytest.mark.parametrize("encoding", LEGACY)
def test_encodings_of_earlier_systems_are_detected(read: Any, encoding_of: Any, encoding: str) -> None:
    content = ";".join(HEADER) + "".join(f"\n{name};;n{n}@example.com" for n, name in enumerate(LEGACY[encoding]))
    assert encoding_of(content.encode(encoding)) == encoding
    assert [row.name for row in read(content.encode(encoding))] == list(LEGACY[encoding])


def test_the_worker_reads_with_the_encoding_that_was_reported(
    signed_in: Client, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = "Name;Phone Number;Email Address\nJosé Núñez;5551234;\nJürgen;5551235;\n".encode("cp1252")
    assert send(signed_in, content).json()["encoding"] == "cp1252"
    FileMetadata.objects.update(encoding="cp1251")  # as if a new version of the library had detected another one
    import_due()
    assert "José Núñez".encode("cp1252").decode("cp1251") in Contact.objects.values_list("name", flat=True)


def test_a_file_that_is_utf8_but_for_a_line_is_refused(read: Any) -> None:
    content = PLAIN + "Jürgen,5551234,\nZoë,5551235,\n".encode() + "José,5551236,\n".encode("latin-1")
    with pytest.raises(InvalidSheet, match="Most lines of the file are UTF-8") as error:
        read(content)
    assert error.value.code == "not_xlsx"


HOSTILE = {
    "binary": (bytes(range(256)) * 20, "not_xlsx"),
    "NULs in the header": (b"Na\x00me,Phone Number,Email Address\n", "not_xlsx"),
    "only NULs": (b"\x00" * 5000, "not_xlsx"),
    "white space only": (b" \r\n\r\n", "bad_header"),
    "some text": (b"Dear Sir or Madam,\nhello\n", "bad_header"),
    "HTML": (b"<!doctype html><title>Sign in</title>", "not_xlsx"),
    "nothing below the header": (PLAIN.splitlines()[0], "bad_header"),
    "a line of two megabytes": (PLAIN + b"a" * 2_000_000, "unsafe_file"),
    "a header of two megabytes": (b"Name," * 400_000, "unsafe_file"),
    "half a character of UTF-16": (PLAIN.decode().encode("utf-16")[:-1], "not_xlsx"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_files_that_are_not_csv_are_refused_with_a_code(signed_in: Client, send: Send, name: str) -> None:
    content, code = HOSTILE[name]
    answer = send(signed_in, content, name="contacts.csv")
    assert (answer.status_code, code_of(answer)) == (400, code)
    assert not FileMetadata.objects.exists()


OTHER_FORMATS = {
    b"\t\x04\x06\x00\x00\x00\x10\x00" + b"\x00" * 500: "an old Excel file",
    b"\t\x02\x06\x00\x00\x00\x10\x00\x0c\x00": "an old Excel file",
    b"\t\x00\x04\x00\x02\x00\x10\x00\x0b\x00": "an old Excel file",
    b"\t\x08\x10\x00\x00\x06\x05\x00\xbb\x0d": "an old Excel file",
    b"<html><table><tr><td>Name</td><td>Phone Number</td></tr></table>": "a web page or an XML file",
    "\ufeff\r\n<TABLE border=0><TR><TD>Name,Phone".encode("utf-16"): "a web page or an XML file",
    b'<?xml version="1.0"?>\n<?mso-application progid="Excel.Sheet"?>\n<Workbook/>': "a web page or an XML file",
    b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n": "a PDF document",
    rb"{\rtf1\ansi Name, Phone Number}": "a text document",
    b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ana\r\nTEL:5551234\r\nEND:VCARD\r\n": "a vCard file",
}


@pytest.mark.parametrize("content, kind", OTHER_FORMATS.items())
def test_the_reason_names_the_format_of_a_file_that_is_not_a_table(read: Any, content: bytes, kind: str) -> None:
    with pytest.raises(InvalidSheet, match=f"This is {kind}") as error:
        read(content)
    assert error.value.code == "not_xlsx"


def test_an_open_quotation_mark_costs_one_row(read: Any) -> None:
    rows = read(PLAIN + b'"Ben,5551234,\nCem,5551235,\n')
    assert [(row.row, getattr(row, "fault", ("", "ok"))[1]) for row in rows] == [
        (2, "ok"),
        (3, "bad_quotes"),
        (4, "ok"),
    ]


def test_nuls_in_a_late_row_are_replaced_and_values_outside_the_columns_reject_a_row(read: Any) -> None:
    padding = b"".join(b"P%d,%d,\n" % (n, 5_550_000 + n) for n in range(500))
    *_, nul, extra = read(PLAIN + padding + b"A\x00b,5551234,\nBen,5551235,,x\n")
    assert nul.name == "A\ufffdb"
    assert extra.fault.code == "extra_cell"


def test_a_separator_line_and_escaped_formulas_are_understood(read: Any) -> None:
    (row,) = read(b"sep=#\r\nName#Phone Number#Email Address\r\n'=Ana#'+37491123456#\r\n")
    assert row == Row(2, "=Ana", "+37491123456", "", "37491123456", "")


@pytest.mark.parametrize("line", [b"sep=\r\n", b"sep=\n", b'sep="\n', b'"sep="\r\n', b"sep=;;;\r\n"])
def test_a_separator_line_without_a_sign_is_skipped(read: Any, line: bytes) -> None:
    content = PLAIN.replace(b",", b";") if b";" in line else PLAIN
    assert read(line + content) == read(PLAIN)


def post(client: Client, content: bytes, name: str = "contacts.csv", **fields: Any) -> Any:
    data = {"file": upload_of(content, name)} | fields
    return client.post(f"{URL}uploads/", data, format="multipart")


OTHER = (
    b"First,Last,Mobile,Home,E-mail,Notes\nAna,Petrosyan,,5551234,,x\nBen,,5551235,5551236,b@example.com,\n,,,,,only\n"
)
MAPPING = {"name": ["First", "Last"], "phone_number": ["Mobile", "Home"], "email_address": "e-MAIL"}


def test_a_mapping_joins_names_and_takes_the_first_value_of_the_others(signed_in: Client) -> None:
    answer = post(signed_in, OTHER, mapping=json.dumps(MAPPING))
    assert (answer.status_code, answer.json()["total_rows"]) == (202, 2)  # the row with only notes has no content
    import_due()
    rows = Contact.objects.order_by("row").values_list("name", "phone_number", "email_address")
    assert list(rows) == [("Ana Petrosyan", "5551234", ""), ("Ben", "5551235", "b@example.com")]


@pytest.mark.parametrize(
    "mapping, attr, code",
    [
        ("no JSON", "mapping", "invalid"),
        ("[1]", "mapping", "invalid"),
        ("[" * 50_000, "mapping", "invalid"),
        ('{"name": "First"}', "mapping", "required"),
        ('{"phone_number": "Mobile", "nickname": "First"}', "mapping.nickname", "invalid"),
        ('{"phone_number": 5}', "mapping.phone_number", "invalid"),
        ('{"phone_number": []}', "mapping.phone_number", "invalid"),
        ('{"phone_number": "Mobile", "\\ud800": "First"}', "mapping", "invalid"),
        ('{"phone_number": "\\udc00"}', "mapping", "invalid"),
        ('{"phone_number": ""}', "mapping.phone_number", "invalid"),
        ('{"phone_number": "Fax"}', "mapping.phone_number", "unknown_column"),
        ('{"phone_number": "Mobile", "email_address": "Mobile"}', "mapping.email_address", "column_used_twice"),
        ('{"phone_number": ["Mobile", "Mobile"]}', "mapping.phone_number", "column_used_twice"),
        ('{"phone_number": "Mobile", "name": "Twice"}', "mapping.name", "repeated_column"),
    ],
)
def test_an_invalid_mapping_names_the_field(signed_in: Client, mapping: str, attr: str, code: str) -> None:
    answer = post(signed_in, b"First,Mobile,Twice,twice\nAna,5551234,,\n", mapping=mapping)
    assert answer.status_code == 400
    assert [(error["attr"], error["code"]) for error in answer.json()["errors"]] == [(attr, code)]
    assert not FileMetadata.objects.exists()


def test_a_mapping_of_the_longest_titles_is_used(signed_in: Client) -> None:
    titles = [f"{n:03}".ljust(500, "ä") for n in range(60)]
    fields = {"name": titles[:20], "phone_number": titles[20:40], "email_address": titles[40:]}
    mapping = json.dumps(fields, ensure_ascii=False)
    content = f"{','.join(titles)}\n{'Ana' + ',' * 20}5551234{',' * 39}\n".encode()
    assert post(signed_in, content, mapping=mapping, dry_run="true").json()["accepted"] == 1
    assert post(signed_in, content, mapping=mapping).status_code == 202


def book_of_two_sheets() -> bytes:
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["Nothing here"])
    people = book.create_sheet("People")
    for row in (HEADER, ("Ana", "5551234", "")):
        people.append(row)
    book.create_sheet("Hidden").sheet_state = "hidden"
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_a_sheet_is_chosen_by_its_name(signed_in: Client) -> None:
    assert post(signed_in, book_of_two_sheets(), sheet="People").status_code == 202
    import_due()
    assert Contact.objects.get().name == "Ana"


@pytest.mark.parametrize(
    "content, sheet", [(book_of_two_sheets(), "Hidden"), (book_of_two_sheets(), "people "), (PLAIN, "People")]
)
def test_a_sheet_that_does_not_exist_is_named(signed_in: Client, content: bytes, sheet: str) -> None:
    answer = post(signed_in, content, sheet=sheet)
    assert answer.status_code == 400
    assert [(error["attr"], error["code"]) for error in answer.json()["errors"]] == [("sheet", "unknown_sheet")]


def test_the_same_idempotency_key_with_another_mapping_is_refused(signed_in: Client) -> None:
    def send(mapping: dict) -> Any:
        data = {"file": upload_of(OTHER, "c.csv"), "mapping": json.dumps(mapping)}
        return signed_in.post(f"{URL}uploads/", data, format="multipart", headers={"Idempotency-Key": "k"})

    first = send(MAPPING)
    assert send(MAPPING).json() == first.json()
    assert send({"phone_number": "Mobile"}).status_code == 422


def test_a_retry_uses_the_mapping_of_the_upload(signed_in: Client) -> None:
    pk = post(signed_in, OTHER, mapping=json.dumps(MAPPING)).json()["id"]
    FileMetadata.objects.update(failed_at="2026-01-01T00:00:00Z", error="x", error_code="unreadable")
    assert signed_in.post(f"{URL}uploads/{pk}/retry/").status_code == 202
    import_due()
    assert Contact.objects.filter(name="Ana Petrosyan").exists()


_TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\r\n\t\"',; |"), max_size=12)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.tuples(_TEXT, _TEXT), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le"]),
    order=st.permutations(["Given", "Family", "Number", "Ignored"]),
)
def test_every_dialect_gives_the_values_that_were_written(
    read: Any, rows: list, delimiter: str, quoting: int, line_end: str, encoding: str, order: list[str]
) -> None:
    if any("\r" in text or "\n" in text for row in rows for text in row):
        quoting = csv.QUOTE_ALL  # some versions of Python quote only the line break that ends their lines
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, order, delimiter=delimiter, quoting=quoting, lineterminator=line_end)
    writer.writeheader()
    for number, (given_name, ignored) in enumerate(rows):
        writer.writerow({"Given": given_name, "Family": "F", "Number": f"555{number:04}", "Ignored": ignored})
    choice = Choice({"name": ["Family"], "phone_number": ["Number"]})
    found = read(text.getvalue().encode(encoding), choice)
    assert [(row.name, row.phone_number) for row in found] == [("F", f"555{number:04}") for number in range(len(rows))]
