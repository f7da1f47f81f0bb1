"""Exports contain every row, run no formulas, and the CSV imports again to the same rows."""

import csv
import io
import json
from typing import Any

import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.conftest import Client
from trends.files.columns import COLUMNS, HEADINGS
from trends.files.exports import write_csv
from trends.files.reader import CSVReader
from trends.models import Trend

from .conftest import Send
from .factories import TrendFactory, csv_bytes, sample, stored, values

API = "/api/v1/trends/"
NASTY = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\ttab", "\rcr", "'=quoted", "''=twice", "'plain", "-", "=", "'",
    'a;"b"\n\r\nc', "\\N", "\\.", "_x000D_", "a\x0bb\ufffe", " spaces ", "<b>&amp;]]>", "𝔘nicode 🦉", "",
]  # fmt: skip


def body(response: Any) -> bytes:
    return b"".join(part if isinstance(part, bytes) else part.encode() for part in response.streaming_content)


@pytest.fixture
def nasty(db: None) -> list[Trend]:
    return [
        TrendFactory(challenges_and_research_gaps=text, relevant_industries=text[::-1], steepl="L") for text in NASTY
    ]


@settings(deadline=None)
@given(st.text(st.sampled_from("'=+-@\t\r\na \";\x1a"), max_size=6))
@example("\x1a")
def test_every_text_is_exported_so_that_it_is_read_unchanged(text: str) -> None:
    row = ("mega", "macro", text, "", "7", "", "Low", "S", text, text)
    file = io.BytesIO()
    write_csv(file, [row])
    file.seek(0)
    assert [batch.rows for batch in CSVReader(file).batches()] == [[row]]


def test_an_exported_csv_imports_to_the_same_rows(send: Send, nasty: list[Trend]) -> None:
    send(sample("trends_messy.csv"))
    before, count = stored(), Trend.objects.count()
    content = body(send.client.get(f"{API}export.csv"))
    again = send(content)
    assert (again["created"], again["duplicates"], again["rejected"]) == (0, count, 0)
    Trend.objects.all().delete()
    assert send(content)["created"] == count
    assert stored() == before


def test_no_cell_of_the_csv_starts_like_a_formula(send: Send, nasty: list[Trend]) -> None:
    rows = list(csv.reader(io.StringIO(body(send.client.get(f"{API}export.csv")).decode(), newline=""), delimiter=";"))
    assert rows[0] == list(HEADINGS.values())
    assert len(rows) == 1 + len(NASTY)
    assert not [cell for row in rows for cell in row if cell[:1] and cell[0] in "=+-@\t\r"]


def test_the_workbook_contains_no_formula(send: Send, nasty: list[Trend]) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(body(send.client.get(f"{API}export.xlsx")))).active
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]] == list(HEADINGS.values())
    assert not [cell for row in rows for cell in row if cell.data_type == "f"]
    texts = [row[2].value or "" for row in rows[1:]]
    plain = [text for text in NASTY if text.isprintable() and "_x" not in text]
    assert [text for text in texts if text in plain] == plain
    assert rows[1][3].value == 120
    assert rows[1][3].data_type == "n"
    assert rows[1][2].quotePrefix


def test_the_json_contains_the_stored_rows(send: Send, nasty: list[Trend]) -> None:
    rows = json.loads(body(send.client.get(f"{API}export.json")))
    assert {tuple(row[name] for name in COLUMNS) for row in rows} == stored()


@pytest.mark.parametrize("name", ["csv", "xlsx", "json"])
def test_an_export_without_rows_is_a_valid_file(send: Send, name: str) -> None:
    response = send.client.get(f"{API}export.{name}")
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith('attachment; filename="trends-')
    assert body(response)


def test_an_export_applies_the_filters(send: Send) -> None:
    TrendFactory(steepl="S")
    TrendFactory(steepl="P")
    rows = json.loads(body(send.client.get(f"{API}export.json?steepl=S")))
    assert [row["steepl"] for row in rows] == ["S"]


@pytest.mark.parametrize("name", ["csv", "xlsx", "json"])
def test_only_staff_can_export(api: Client, signed_in: Client, name: str) -> None:
    assert api.get(f"{API}export.{name}").status_code == 401
    assert signed_in.get(f"{API}export.{name}").status_code == 403


def test_row_errors_are_exported_without_formulas(send: Send) -> None:
    rows = [values() for _ in range(20)]
    run = send(csv_bytes(*rows, values(impact_strength="=cmd()")), "=1+1.csv")
    text = body(send.client.get(f"{API}imports/{run['id']}/errors.csv")).decode()
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert lines[0] == ["line", "column", "value", "code", "reason"]
    assert lines[1][:4] == ["22", "impact_strength", "'=cmd()", "unknown_choice"]
