"""What clients can read and download: rejected rows, contacts, searches, and workbooks that are safe to open."""

import io
from typing import Any

import orjson
import pytest
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from config import sheets
from config.models import OutgoingEvent
from contacts.models import Contact
from contacts.services.importing import import_due
from tests.conftest import Client

from .conftest import URL, Send
from .workbooks import HEADER

FORMULAS = [
    '=HYPERLINK("http://x")',
    "+1+1",
    "-2",
    "@SUM(A1)",
    "\tTAB",
    "\rCR",
    "=cmd|' /C calc'!A0",
    "a\nb",
    "_x0041_",
]


def content_of(answer: Any) -> bytes:
    assert answer.status_code == 200
    return b"".join(answer) if answer.streaming else answer.content


def rows_of(content: bytes) -> list[list]:
    return CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python()


def written(rows: list[tuple[str, str, str]]) -> bytes:
    """Write a workbook in the way Atrium writes its exports."""
    buffer = io.BytesIO()
    sheets.write_xlsx(buffer, rows, title="Contacts", columns=HEADER)
    return buffer.getvalue()


def assert_harmless(content: bytes) -> None:
    """Assert that every cell is text in text format, and stays text when it is edited."""
    for sheet in load_workbook(io.BytesIO(content)).worksheets:
        for line in sheet.iter_rows(min_row=2):
            for cell in line:
                if cell.value is not None:
                    assert (cell.data_type, cell.number_format, cell.quotePrefix) == ("s", "@", True)


def test_text_that_looks_like_a_formula_is_exported_unchanged_and_harmless(signed_in: Client, imported: Send) -> None:
    imported(signed_in, written([(text, str(5550000 + n), "") for n, text in enumerate(FORMULAS)]))
    assert list(Contact.objects.order_by("row").values_list("name", flat=True)) == FORMULAS
    answer = signed_in.get(f"{URL}export.xlsx")
    content = content_of(answer)
    assert int(answer["Content-Length"]) == len(content), "the file is complete before the response begins"
    assert_harmless(content)
    assert rows_of(content) == [list(HEADER)] + [[text, str(5550000 + n), ""] for n, text in enumerate(FORMULAS)]


def test_rejected_rows_can_be_corrected_and_uploaded_again(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, written([(text, "=1+1", "-") for text in FORMULAS]))
    assert upload["rejected"] == len(FORMULAS)
    answer = signed_in.get(f"{URL}uploads/{upload['id']}/errors.xlsx")
    assert "errors of contacts.xlsx" in answer["Content-Disposition"]
    content = content_of(answer)
    assert_harmless(content)
    header, *rows = rows_of(content)
    assert header == [*HEADER, "Reason"]
    assert [row[:3] for row in rows] == [[text, "=1+1", "-"] for text in FORMULAS]
    assert all("phone number" in row[3] for row in rows)
    corrected = load_workbook(io.BytesIO(content))
    for number in range(2, len(rows) + 2):
        corrected.active.cell(number, 2).value = f"+4915112345{number:03}"
        corrected.active.cell(number, 3).value = None
    buffer = io.BytesIO()
    corrected.save(buffer)
    assert imported(signed_in, buffer.getvalue())["accepted"] == len(FORMULAS)


def test_errors_xlsx_of_an_upload_without_errors_is_empty(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, "contacts_sample.xlsx")
    assert rows_of(content_of(signed_in.get(f"{URL}uploads/{upload['id']}/errors.xlsx"))) == [[*HEADER, "Reason"]]


def test_the_template_has_text_columns_and_can_be_filled_in_and_uploaded(signed_in: Client, imported: Send) -> None:
    book = load_workbook(io.BytesIO(content_of(signed_in.get(f"{URL}template.xlsx"))))
    assert [cell.value for cell in book.active[1]] == list(HEADER)
    (columns,) = book.active.column_dimensions.values()
    assert (columns.min, columns.max, columns.number_format) == (1, 3, "@")
    book.active.append(["Ana", "0037491123456", ""])
    buffer = io.BytesIO()
    book.save(buffer)
    assert imported(signed_in, buffer.getvalue())["accepted"] == 1


PEOPLE = [
    ("Ana Petrosyan", "(+374) 91-12-34-56", "ana@example.com"),
    ("Jürgen Weiß", "+49 151 1234567", "j.weiss@example.de"),
    ("王小明", "", "xiaoming@example.cn"),
    ("100% Discount_Store", "5550001", ""),
]


@pytest.mark.parametrize(
    "search, names",
    [
        ("petros", ["Ana Petrosyan"]),
        ("ANA example", ["Ana Petrosyan"]),
        ("37491123456", ["Ana Petrosyan"]),
        ("91-12", ["Ana Petrosyan"]),
        ("jurgen", ["Jürgen Weiß"]),
        ("小明", ["王小明"]),
        ("100%", ["100% Discount_Store"]),
        ("t_s", ["100% Discount_Store"]),
        ("nobody", []),
        ("ana 王", []),
    ],
)
def test_a_search_finds_every_word_anywhere(signed_in: Client, imported: Send, search: str, names: list[str]) -> None:
    imported(signed_in, PEOPLE)
    found = signed_in.get(URL, {"search": search}).json()["results"]
    assert [contact["name"] for contact in found] == names


def test_contacts_are_paged_newest_first_and_filtered_by_upload(signed_in: Client, imported: Send) -> None:
    first = imported(signed_in, [(f"n{n}", str(5550000 + n), "") for n in range(5)])
    imported(signed_in, [(f"m{n}", str(5560000 + n), "") for n in range(5)])
    names, url = [], f"{URL}?page_size=3"
    while url:
        page = signed_in.get(url).json()
        names += [contact["name"] for contact in page["results"]]
        url = page["next"]
    assert names == [f"m{n}" for n in (4, 3, 2, 1, 0)] + [f"n{n}" for n in (4, 3, 2, 1, 0)]
    of_first = signed_in.get(first["links"]["contacts"]).json()["results"]
    assert {contact["upload"] for contact in of_first} == {first["id"]}
    for odd in (f"{first['id']}.9", f"{first['id']}e0", "NaN", "0", "9" * 30):
        assert signed_in.get(f"{URL}?upload={odd}").status_code == 400, odd
    assert set(of_first[0]) == {"id", "name", "phone_number", "email_address", "upload", "accepted_at"}


def test_waiting_rows_are_listed_in_the_order_of_release(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, [(f"n{n}", "5550000", f"e{n % 2}@example.com") for n in range(5)])
    assert (upload["accepted"], upload["deferred"], upload["waiting"]) == (1, 4, 4)
    names, url = [], f"{URL}unprocessed/?page_size=3"
    while url:
        page = signed_in.get(url).json()
        names += [waiting["name"] for waiting in page["results"]]
        url = page["next"]
    assert names == ["n1", "n2", "n3", "n4"]


def test_rejected_rows_are_paged_in_the_order_of_the_sheet(signed_in: Client, imported: Send) -> None:
    upload = imported(signed_in, [(f"n{n}", "no phone", "") for n in range(5)])
    page = signed_in.get(f"{URL}uploads/{upload['id']}/errors/?page_size=3").json()
    rest = signed_in.get(page["next"]).json()
    assert [each["row"] for each in page["results"] + rest["results"]] == [2, 3, 4, 5, 6]
    assert page["results"][0] == {
        "row": 2,
        "column": "Phone Number",
        "code": "phone_invalid",
        "message": "This is not a phone number. Use digits, spaces and + ( ) - . / only.",
        "value": "no phone",
        "name": "n0",
        "phone_number": "no phone",
        "email_address": "",
    }


def test_the_counts_increase_while_the_sheet_is_read(signed_in: Client, send: Send) -> None:
    send(signed_in, [(f"n{n}", str(5550000 + n), "") for n in range(5)])
    import_due(chunk_rows=2)
    events = [orjson.loads(event.data) for event in OutgoingEvent.objects.filter(kind="upload").order_by("id")]
    assert [(each["status"], each["processed_rows"]) for each in events] == [
        ("queued", 0), ("processing", 0), ("processing", 2), ("processing", 4), ("processing", 5), ("completed", 5),
    ]  # fmt: skip
    assert set(events[0]) == set(signed_in.get(f"{URL}uploads/").json()["results"][0]) - {"waiting"}
