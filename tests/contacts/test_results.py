"""What people get to see and to download: rejected rows, contacts, searches, sheets that are safe to open."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from contacts import importing, sheets
from contacts.models import Contact, UnprocessedContact

from .conftest import URL
from .sheets import HEADER

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


def assert_harmless(content: bytes) -> None:
    """Every cell is a text in text format, and stays one when it is edited."""
    for sheet in load_workbook(io.BytesIO(content)).worksheets:
        for line in sheet.iter_rows(min_row=2):
            for cell in line:
                if cell.value is not None:
                    assert (cell.data_type, cell.number_format, cell.quotePrefix) == ("s", "@", True)


def test_formula_like_texts_come_back_as_they_came_and_harmless(signed_in: Any, imported: Callable) -> None:
    book = sheets.stream(HEADER, [(text, str(5550000 + n), "") for n, text in enumerate(FORMULAS)], count=9)
    imported(signed_in, b"".join(book))
    assert list(Contact.objects.order_by("row").values_list("name", flat=True)) == FORMULAS
    content = content_of(signed_in.get(f"{URL}export.xlsx"))
    assert_harmless(content)
    assert rows_of(content) == [list(HEADER)] + [[text, str(5550000 + n), ""] for n, text in enumerate(FORMULAS)]


def test_rejected_rows_can_be_mended_and_uploaded_again(signed_in: Any, imported: Callable) -> None:
    book = b"".join(sheets.stream(HEADER, [(text, "=1+1", "-") for text in FORMULAS], count=9))
    upload = imported(signed_in, book)
    assert upload["rejected"] == len(FORMULAS)
    answer = signed_in.get(f"{URL}uploads/{upload['id']}/errors.xlsx")
    assert "errors of contacts.xlsx" in answer["Content-Disposition"]
    content = content_of(answer)
    assert_harmless(content)
    header, *rows = rows_of(content)
    assert header == [*HEADER, "Reason"]
    assert [row[:3] for row in rows] == [[text, "=1+1", "-"] for text in FORMULAS]
    assert all("phone number" in row[3] for row in rows)
    mended = load_workbook(io.BytesIO(content))
    for number in range(2, len(rows) + 2):
        mended.active.cell(number, 2).value = f"+4915112345{number:03}"
        mended.active.cell(number, 3).value = None
    buffer = io.BytesIO()
    mended.save(buffer)
    assert imported(signed_in, buffer.getvalue())["accepted"] == len(FORMULAS)


def test_an_upload_without_errors_has_an_empty_sheet_of_errors(signed_in: Any, imported: Callable) -> None:
    upload = imported(signed_in, "contacts_sample.xlsx")
    assert rows_of(content_of(signed_in.get(f"{URL}uploads/{upload['id']}/errors.xlsx"))) == [[*HEADER, "Reason"]]


def test_the_template_has_text_columns_and_can_be_filled_and_uploaded(signed_in: Any, imported: Callable) -> None:
    book = load_workbook(io.BytesIO(content_of(signed_in.get(f"{URL}template.xlsx"))))
    assert [cell.value for cell in book.active[1]] == list(HEADER)
    assert {book.active.column_dimensions[letter].number_format for letter in "ABC"} == {"@"}
    book.active.append(["Ana", "0037491123456", ""])
    buffer = io.BytesIO()
    book.save(buffer)
    assert imported(signed_in, buffer.getvalue())["accepted"] == 1


@given(st.lists(st.tuples(*[st.text(st.characters(blacklist_categories=("Cs",)), max_size=20)] * 3), max_size=6))
def test_any_text_survives_being_written_and_read(rows: list[tuple[str, str, str]]) -> None:
    content = b"".join(sheets.stream(HEADER, rows, count=len(rows)))
    found = CalamineWorkbook.from_filelike(io.BytesIO(content)).get_sheet_by_index(0).to_python(skip_empty_area=False)
    padded = [list(row) for row in rows]
    while padded and not any(padded[-1]):
        padded.pop()
    assert [[*row, "", "", ""][:3] for row in found[1:]] == padded


def test_more_rows_than_a_sheet_holds_go_on_in_the_next(monkeypatch: Any) -> None:
    monkeypatch.setattr(sheets, "SHEET_ROWS", 3)
    content = b"".join(sheets.stream(HEADER, [(str(n), "", "") for n in range(7)], count=7))
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    assert [[row[0] for row in book.get_sheet_by_index(n).to_python()[1:]] for n in range(3)] == [
        ["0", "1", "2"], ["3", "4", "5"], ["6"],
    ]  # fmt: skip


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
def test_a_search_finds_every_word_anywhere(signed_in: Any, imported: Callable, search: str, names: list[str]) -> None:
    imported(signed_in, PEOPLE)
    found = signed_in.get(URL, {"search": search}).json()["results"]
    assert [contact["name"] for contact in found] == names


def test_contacts_are_paged_newest_first_and_filtered_by_upload(signed_in: Any, imported: Callable) -> None:
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


def test_waiting_rows_are_listed_in_the_order_of_their_turns(signed_in: Any, imported: Callable) -> None:
    upload = imported(signed_in, [(f"n{n}", "5550000", f"e{n % 2}@example.com") for n in range(5)])
    assert (upload["accepted"], upload["deferred"], upload["waiting"]) == (1, 4, 4)
    names, url = [], f"{URL}unprocessed/?page_size=3"
    while url:
        page = signed_in.get(url).json()
        names += [waiting["name"] for waiting in page["results"]]
        url = page["next"]
    assert names == ["n1", "n2", "n3", "n4"]
    UnprocessedContact.objects.all().delete()


def test_rejected_rows_are_paged_in_the_order_of_the_sheet(signed_in: Any, imported: Callable) -> None:
    upload = imported(signed_in, [(f"n{n}", "no phone", "") for n in range(5)])
    page = signed_in.get(f"{URL}uploads/{upload['id']}/errors/?page_size=3").json()
    rest = signed_in.get(page["next"]).json()
    assert [each["row"] for each in page["results"] + rest["results"]] == [2, 3, 4, 5, 6]
    assert page["results"][0] == {
        "row": 2,
        "column": "Phone Number",
        "code": "phone_invalid",
        "message": "This is not a phone number: digits, spaces and + ( ) - . / only.",
        "value": "no phone",
    }


def test_the_counts_move_while_the_sheet_is_read(signed_in: Any, send: Callable, monkeypatch: Any) -> None:
    monkeypatch.setattr("contacts.reading.CHUNK", 2)
    send(signed_in, [(f"n{n}", str(5550000 + n), "") for n in range(5)])
    told: list[dict] = []
    monkeypatch.setattr(importing.announcements.events, "publish", lambda who, kind, data: told.append(data))
    importing.import_due()
    assert [(each["status"], each["processed_rows"]) for each in told] == [
        ("processing", 0), ("processing", 2), ("processing", 4), ("processing", 5), ("completed", 5),
    ]  # fmt: skip
