"""Workbooks that Atrium writes, and text that must not become a formula."""

import io
import time
from collections.abc import Sequence
from typing import Any

import pytest
import xlsxwriter
from hypothesis import example, given
from hypothesis import strategies as st
from openpyxl import load_workbook
from python_calamine import CalamineWorkbook

from config import sheets

COLUMNS = ("Name", "Phone Number", "Email Address")


def written(rows: Sequence[Sequence[Any]], **options: Any) -> bytes:
    buffer = io.BytesIO()
    sheets.write_xlsx(buffer, rows, title="People", columns=COLUMNS, **options)
    return buffer.getvalue()


# calamine does not decode the escapes of the two noncharacters that XML cannot contain.
texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\ufffe\uffff"), max_size=20)


@given(st.lists(st.tuples(texts, texts, texts), max_size=6))
@example([("<r>raw</r>", "_x0041_", "\x00\x1f_")])
@example([("a\rb\r\nc\td", " padded ", "&amp;<t>")])
def test_any_text_can_be_read_back(rows: list[tuple[str, str, str]]) -> None:
    book = CalamineWorkbook.from_filelike(io.BytesIO(written(rows)))
    found = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    filled = [list(row) for row in rows]
    while filled and not any(filled[-1]):
        filled.pop()
    assert [[*row, "", "", ""][:3] for row in found[1:]] == filled


@pytest.mark.parametrize("text", ["\ufffe", "a\uffff", "\ud800"])
def test_text_that_no_workbook_can_hold_is_escaped(text: str) -> None:
    (sheet,) = load_workbook(io.BytesIO(written([(text, "", "")]))).worksheets
    assert sheet["A2"].value.startswith(("_xFFFE_", "a_xFFFF_", "_xD800_"))


def test_text_is_never_a_formula_and_numbers_are_numbers() -> None:
    (sheet,) = load_workbook(io.BytesIO(written([("=1+1", None, "@x"), ("+49", 7, "http://x.example")]))).worksheets
    cells = [cell for row in sheet.iter_rows(min_row=2) for cell in row if cell.value is not None]
    assert [(cell.value, cell.data_type) for cell in cells] == [
        ("=1+1", "s"), ("@x", "s"), ("+49", "s"), (7, "n"), ("http://x.example", "s"),
    ]  # fmt: skip
    assert {(cell.number_format, cell.quotePrefix) for cell in cells if cell.data_type == "s"} == {("@", True)}
    (columns,) = sheet.column_dimensions.values()
    assert (columns.min, columns.max, columns.number_format) == (1, 3, "@")
    assert sheet.freeze_panes == "A2"


@pytest.mark.parametrize("count, lengths", [(0, [1]), (3, [4]), (6, [4, 4]), (7, [4, 4, 2])])
def test_rows_beyond_the_limit_of_a_sheet_continue_in_the_next(count: int, lengths: list[int]) -> None:
    content = written([(str(n), "", "") for n in range(count)], sheet_rows=3)
    book = CalamineWorkbook.from_filelike(io.BytesIO(content))
    assert book.sheet_names == ["People", "People 2", "People 3"][: len(lengths)]
    found = [book.get_sheet_by_name(name).to_python() for name in book.sheet_names]
    assert [len(rows) for rows in found] == lengths
    assert [row[0] for rows in found for row in rows[1:]] == [str(n) for n in range(count)]


def test_a_text_is_cut_to_what_a_cell_can_hold() -> None:
    (sheet,) = load_workbook(io.BytesIO(written([("x" * 32_768, "", "")]))).worksheets
    assert sheet["A2"].value == "x" * 32_767


def test_a_long_table_takes_less_than_half_the_processor_time_of_the_library_s_cells() -> None:
    rows = [(f"Name {number}", "+49 151 2345678", f"mail{number}@example.org") for number in range(4000)]
    started = time.thread_time()
    written(rows)
    between = time.thread_time()
    with xlsxwriter.Workbook(io.BytesIO(), {"constant_memory": True}) as book:
        sheet, text = book.add_worksheet(), book.add_format({"num_format": "@"})
        for line, row in enumerate(rows):
            for place, value in enumerate(row):
                sheet.write_string(line, place, value, text)
    assert between - started < (time.thread_time() - between) / 2


@given(st.text(st.sampled_from("'=+-@＝＋－＠\t\r\na "), max_size=6))
def test_an_escaped_formula_is_harmless_and_can_be_unescaped(value: str) -> None:
    escaped = sheets.escape_formula(value)
    assert escaped[:1] not in set("=+-@＝＋－＠\t\r\n") or not value
    assert sheets.unescape_formula(escaped) == value
