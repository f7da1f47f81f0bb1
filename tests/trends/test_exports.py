"""Exports: whole, harmless, and the CSV the same rows again."""

import csv
import io
import json

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trends import exports
from trends.columns import COLUMNS, HEADINGS, disarm, rearm
from trends.models import Trend

from .factories import TrendFactory, csv_bytes, sample, stored, values

API = "/api/v1/trends/"
NASTY = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\ttab", "\rcr", "'=quoted", "''=twice", "'plain", "-", "=", "'",
    'a;"b"\n\r\nc', "\\N", "\\.", "_x000D_", "a\x0bb\ufffe", " spaces ", "<b>&amp;]]>", "𝔘nicode 🦉", "",
]  # fmt: skip


def body(response) -> bytes:
    return b"".join(part if isinstance(part, bytes) else part.encode() for part in response.streaming_content)


@pytest.fixture
def nasty(db):
    return [
        TrendFactory(challenges_and_research_gaps=text, relevant_industries=text[::-1], steepl="L") for text in NASTY
    ]


@given(st.text(st.sampled_from("'=+-@\t\r\na "), max_size=6))
def test_what_is_disarmed_is_harmless_and_comes_back(value):
    assert disarm(value)[:1] not in set("=+-@\t\r\n") or not value
    assert rearm(disarm(value)) == value


def test_the_csv_imports_again_to_the_same_rows(send, nasty):
    send(sample("trends_messy.csv"))
    before, count = stored(), Trend.objects.count()
    content = body(send.client.get(f"{API}export.csv"))
    again = send(content)
    assert (again["created"], again["duplicates"], again["rejected"]) == (0, count, 0)
    Trend.objects.all().delete()
    assert send(content)["created"] == count
    assert stored() == before


def test_no_cell_of_the_csv_begins_like_a_formula(send, nasty):
    rows = list(csv.reader(io.StringIO(body(send.client.get(f"{API}export.csv")).decode(), newline=""), delimiter=";"))
    assert rows[0] == list(HEADINGS.values())
    assert len(rows) == 1 + len(NASTY)
    assert not [cell for row in rows for cell in row if cell[:1] and cell[0] in "=+-@\t\r"]


def test_the_workbook_opens_and_holds_no_formula(send, nasty):
    sheet = openpyxl.load_workbook(io.BytesIO(body(send.client.get(f"{API}export.xlsx")))).active
    rows = list(sheet.iter_rows())
    assert [cell.value for cell in rows[0]] == list(HEADINGS.values())
    assert not [cell for row in rows for cell in row if cell.data_type == "f"]
    told = [row[2].value or "" for row in rows[1:]]
    plain = [text for text in NASTY if text.isprintable() and "_x" not in text]
    assert [text for text in told if text in plain] == plain
    assert rows[1][3].value == 120
    assert rows[1][3].data_type == "n"
    assert rows[1][2].quotePrefix


def test_a_workbook_goes_on_in_a_next_sheet(db, monkeypatch):
    monkeypatch.setattr(exports, "SHEET_ROWS", 10)
    monkeypatch.setattr(exports, "FETCH", 4)
    for _ in range(30):
        TrendFactory()
    book = openpyxl.load_workbook(io.BytesIO(b"".join(exports.FORMATS["xlsx"].stream(Trend.objects.all()))))
    assert book.sheetnames == ["Trends", "Trends 2", "Trends 3"]
    assert sum(sheet.max_row - 1 for sheet in book) == 30


def test_the_json_is_the_rows_as_they_are(send, nasty):
    told = json.loads(body(send.client.get(f"{API}export.json")))
    assert {tuple(row[name] for name in COLUMNS) for row in told} == stored()


@pytest.mark.parametrize("name", ["csv", "xlsx", "json"])
def test_an_export_of_nothing_is_a_file_too(send, name):
    answer = send.client.get(f"{API}export.{name}")
    assert answer.status_code == 200
    assert answer["Content-Disposition"].startswith('attachment; filename="trends-')
    assert body(answer)


def test_an_export_keeps_to_the_filters(send):
    TrendFactory(steepl="S")
    TrendFactory(steepl="P")
    told = json.loads(body(send.client.get(f"{API}export.json?steepl=S")))
    assert [row["steepl"] for row in told] == ["S"]


@pytest.mark.parametrize("name", ["csv", "xlsx", "json"])
def test_exports_are_for_staff(api, signed_in, name):
    assert api.get(f"{API}export.{name}").status_code == 401
    assert signed_in.get(f"{API}export.{name}").status_code == 403


def test_row_errors_are_written_harmless(send):
    rows = [values() for _ in range(20)]
    run = send(csv_bytes(*rows, values(impact_strength="=cmd()")), "=1+1.csv")
    text = body(send.client.get(f"{API}imports/{run['id']}/errors.csv")).decode()
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=";"))
    assert lines[0] == ["line", "column", "value", "code", "reason"]
    assert lines[1][:4] == ["22", "impact_strength", "'=cmd()", "unknown_choice"]
