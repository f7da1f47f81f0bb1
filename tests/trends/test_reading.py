"""The CSV files that people and programs write."""

import bz2
import gzip
import lzma

import pytest

from trends.models import Trend

from .conftest import Send
from .factories import csv_bytes, upload, values

HEADER = (
    "Megatrend;Macrotrend;Challenges and Research Gaps;Total count of publications;Total count of patents;"
    "Technology Readiness Level;Impact Strength;STEEPL;Relevant Industries;Real World Application and Use Cases"
)
ROW = "AI;Agents;Data;1;2;Pilot;High;T;Health;Triage"


def valid_rows(count: int) -> str:
    """Return ``count`` valid rows, so that one invalid row stays under the limit."""
    return "".join(f"\nAI;Agents {n};Data;1;2;Pilot;High;T;Health;Triage" for n in range(count))


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_header_shows_the_delimiter(send: Send, delimiter: str, encoding: str) -> None:
    row = values(relevant_industries="Café; Bar, Pub | Disco", challenges_and_research_gaps='Say "no"\r\n\r\nor yes')
    run = send(csv_bytes(row, delimiter=delimiter, encoding=encoding))
    assert (run["created"], run["rejected"]) == (1, 0)
    assert Trend.objects.values(*row).get() == row


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r", "\n\r", "\r\r\n"])
def test_lines_may_have_any_end(send: Send, ends: str) -> None:
    assert send(ends.join([HEADER, ROW, "", ""]).encode())["created"] == 1


@pytest.mark.parametrize(
    "header",
    [
        HEADER.upper(),
        HEADER.lower().replace(" ", "_"),
        HEADER.replace(" ", "  ").replace(";", " ; "),
        '"' + HEADER.replace(";", '";"') + '"',
        HEADER.replace(" ", "-"),
    ],
)
def test_the_header_may_be_spelled_in_any_way(send: Send, header: str) -> None:
    assert send(f"{header}\n{ROW}\n".encode())["created"] == 1


def test_a_nul_in_the_header_is_shown(send: Send) -> None:
    run = send(f"{HEADER};Col\x00our\n{ROW};x\n".encode())
    assert run["status"] == "failed"
    assert "The column “Col␀our” is unknown." in run["error"]
    assert [(error["code"], error["value"]) for error in run["errors"]] == [("unknown_column", "Col␀our")]


def test_every_missing_unknown_or_repeated_column_is_named(send: Send) -> None:
    header = HEADER.replace("STEEPL", "Colour").replace("Macrotrend", "Mega trend")
    run = send(f"{header}\n{ROW}\n".encode())
    assert run["status"] == "failed"
    reported = {(error["code"], error["column"], error["value"]) for error in run["errors"]}
    assert reported == {
        ("unknown_column", "", "Colour"),
        ("repeated_column", "megatrend", "Mega trend"),
        ("missing_column", "steepl", ""),
        ("missing_column", "macrotrend", ""),
    }
    assert "The column “Colour” is unknown." in run["error"]
    assert not Trend.objects.exists()


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "The submitted file is empty."),
        (b"\n\n", "The file is empty."),
        ((HEADER + "\n" + ROW).encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest of a workbook", "workbook"),
        (b"\xff\x00\x01\x02 not text at all", "not UTF-8"),
        (b"x" * 1_000_001, "longer than"),
        ((HEADER + "\n" + ROW).encode("utf-16-le"), "UTF-16"),
        ((HEADER + "\n" + ROW).encode("utf-16-be"), "UTF-16"),
        ((HEADER + "\n" + ROW).encode("utf-32-le"), "UTF-32"),
        ((HEADER + "\n" + ROW).encode("utf-32-be"), "UTF-32"),
        ((HEADER + "\n" + ROW).encode("utf-32"), "UTF-32"),
        (gzip.compress(HEADER.encode()), "compressed with gzip"),
        (b"\xef\xbb\xbf\r\n<html><table><tr><td>Megatrend", "a web page or an XML file"),
        (b'<?xml version="1.0"?><Workbook/>', "a web page or an XML file"),
        (bz2.compress(HEADER.encode()), "compressed with bzip2"),
        (lzma.compress(HEADER.encode()), "compressed with xz"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel workbook"),
        (b"\x00" * 100_000, "The file is empty."),
        (b"x" * 200_000, "The column “x"),
        (f'{HEADER};"never closed'.encode(), "The header cannot be read. A quotation mark is not closed."),
    ],
)
def test_a_file_that_is_not_csv_is_rejected_with_the_reason(send: Send, content: bytes, reason: str) -> None:
    if not content:
        response = send.client.post("/api/v1/trends/imports/", {"file": upload(b"")}, format="multipart")
        assert response.status_code == 400
        assert reason in response.content.decode()
        return
    run = send(content)
    assert run["status"] == "failed"
    assert reason in run["error"]


def test_a_wrong_encoding_is_reported_with_its_line(send: Send) -> None:
    run = send(f"{HEADER}{valid_rows(3)}\nAI;Café;x;;;;Low;S;y;z\n".encode("latin-1"))
    assert run["status"] == "failed"
    assert run["error"].startswith("Line 5 is not UTF-8: byte 0xE9.")
    assert run["errors"][0]["line"] == 5
    assert "Café" in run["errors"][0]["value"]
    assert not Trend.objects.exists()


def test_a_dry_run_lists_the_same_errors_as_the_import(send: Send) -> None:
    content = f"{HEADER}{valid_rows(30)}\nAI;A;x\x00;;;;Low;S;y;z\nAI;A;{'x' * 100_000};;;;Low;S;y;z\n".encode()
    run = send(content)
    assert [len(error["value"]) for error in run["errors"]] == [2, 200]
    assert send(content, dry_run=True)["errors"] == run["errors"]


INVALID = [
    ("AI;A;x;-1;;;Low;S;y;z", "total_count_of_publications", "negative"),
    ("AI;A;x;1.5;;;Low;S;y;z", "total_count_of_publications", "not_a_number"),
    ("AI;A;x;1 000;;;Low;S;y;z", "total_count_of_publications", "not_a_number"),
    ("AI;A;x;1_000;;;Low;S;y;z", "total_count_of_publications", "not_a_number"),
    ("AI;A;x;;٣;;Low;S;y;z", "total_count_of_patents", "not_a_number"),
    ("AI;A;x;;many;;Low;S;y;z", "total_count_of_patents", "not_a_number"),
    ("AI;A;x;;2147483648;;Low;S;y;z", "total_count_of_patents", "too_large"),
    (f"AI;A;x;;{'9' * 5000};;Low;S;y;z", "total_count_of_patents", "too_large"),
    ("AI;A;x;;;Soon;Low;S;y;z", "technology_readiness_level", "unknown_choice"),
    ("AI;A;x;;;;;S;y;z", "impact_strength", "required"),
    ("AI;A;x;;;;Low;X;y;z", "steepl", "unknown_choice"),
    (";A;x;;;;Low;S;y;z", "megatrend", "required"),
    ("AI; ;x;;;;Low;S;y;z", "macrotrend", "required"),
    (f"{'M' * 151};A;x;;;;Low;S;y;z", "megatrend", "too_long"),
    (f"AI;{'M' * 201};x;;;;Low;S;y;z", "macrotrend", "too_long"),
    (f"AI;A;{'M' * 32768};;;;Low;S;y;z", "challenges_and_research_gaps", "too_long"),
    ("AI;A;x\x00;;;;Low;S;y;z", "challenges_and_research_gaps", "nul"),
    (f"AI;A;e{chr(0x301) * 31};;;;Low;S;y;z", "challenges_and_research_gaps", "too_many_marks"),
    ("AI;A;x;;;;Low", "", "too_few_values"),
    ("AI;A", "", "too_few_values"),
    ("AI;A;x;;;;Low;S;y;z;more", "", "too_many_values"),
    ('AI;A;"x"y;;;;Low;S;y;z', "", "bad_quotes"),
    (f'AI;A;"{"x" * 200_000}";;;;Low;S;y;z', "challenges_and_research_gaps", "too_long"),
    (f"AI;A;{'x' * 200_000};;;;Low;S;y;z", "challenges_and_research_gaps", "too_long"),
    ("AI;A;x;1.000;;;Low;S;y;z", "total_count_of_publications", "not_a_number"),
    ("AI;A;x;1,5;;;Low;S;y;z", "total_count_of_publications", "not_a_number"),
    ("AI;A;x;2147483648.0;;;Low;S;y;z", "total_count_of_publications", "too_large"),
    ("AI;A;x;-1.0;;;Low;S;y;z", "total_count_of_publications", "negative"),
]


@pytest.mark.parametrize("row, column, code", INVALID)
def test_an_invalid_row_is_reported_and_the_others_are_stored(send: Send, row: str, column: str, code: str) -> None:
    run = send(f"{HEADER}{valid_rows(10)}\n{row}{valid_rows(20).removeprefix(valid_rows(10))}\n".encode())
    assert [(error["line"], error["column"], error["code"]) for error in run["errors"]] == [(12, column, code)]
    assert run["errors"][0]["message"]
    assert (run["status"], run["created"], run["rejected"]) == ("completed_with_errors", 20, 1)


def test_every_invalid_value_of_a_row_is_reported(send: Send) -> None:
    run = send(f"{HEADER}{valid_rows(20)}\n;A;x;-1;;;Huge;S;y;z\n".encode())
    assert [error["column"] for error in run["errors"]] == [
        "megatrend",
        "total_count_of_publications",
        "impact_strength",
    ]
    assert run["rejected"] == 1


@pytest.mark.parametrize("last", ["", '\nAI;Z;"Roads; rails";1;2;Pilot;High;T;Health;Triage'])
def test_a_quote_that_is_not_closed_costs_only_its_own_row(send: Send, last: str) -> None:
    after = valid_rows(30).removeprefix(valid_rows(20))
    run = send(
        f'{HEADER}{valid_rows(20)}\nAI;A;"never closed;;;;Low;S;y;z{after}{last}\nAI;B;-;-1;;;Low;S;y;z\n'.encode()
    )
    reported = [(error["line"], error["code"]) for error in run["errors"]]
    assert reported == [(22, "bad_quotes"), (33 + bool(last), "negative")]
    assert (run["created"], run["rejected"]) == (30 + bool(last), 2)


def test_lines_are_counted_from_the_beginning_of_the_file(send: Send) -> None:
    run = send(f"\n\n{HEADER}{valid_rows(20)}\nAI;B;x;-1;;;Low;S;y;z\n".encode())
    assert run["errors"][0]["line"] == 24


def test_a_row_without_an_end_is_reported_before_it_fills_the_memory(send: Send) -> None:
    endless = '";"'.join(["x" * 60_000] * 7)
    run = send(f'{HEADER}{valid_rows(40)}\nAI;"{endless}\n{endless}\n{endless}\nAI;B;-;-1;;;Low;S;y;z\n'.encode())
    assert [error["line"] for error in run["errors"]] == [42, 43, 44, 45]
    assert "longer than 1,000,000 characters" in run["errors"][0]["message"]
    assert run["created"] == 40


def test_choices_ignore_case_and_counts_may_be_empty(send: Send) -> None:
    send(f"{HEADER}\nAI;A;;;007; dEPLOY ;HIGH;t;;\n".encode())
    trend = Trend.objects.get()
    assert (trend.technology_readiness_level, trend.impact_strength, trend.steepl) == ("Deploy", "High", "T")
    assert (trend.total_count_of_publications, trend.total_count_of_patents) == (None, 7)


def test_blank_lines_and_lines_of_delimiters_are_skipped(send: Send) -> None:
    run = send(f"\n{HEADER}\n\n{ROW}\n;;;;;;;;;\n   \n\n".encode())
    assert (run["total_rows"], run["created"], run["rejected"]) == (1, 1, 0)


def test_a_header_without_rows_imports_nothing(send: Send) -> None:
    run = send(f"{HEADER}\n".encode())
    assert (run["status"], run["total_rows"]) == ("completed", 0)


def test_one_row_in_ten_may_be_invalid_but_not_more(send: Send) -> None:
    invalid = "\nAI;A;x;-1;;;Low;S;y;z"
    assert send(f"{HEADER}{valid_rows(9)}{invalid}".encode())["created"] == 9
    assert send(f"{HEADER}{valid_rows(17)}{invalid}{invalid}".encode())["status"] == "failed"


def test_the_same_text_in_other_columns_is_another_row(send: Send) -> None:
    rows = [
        values(megatrend="a", macrotrend="b", challenges_and_research_gaps="c,d"),
        values(megatrend="a", macrotrend="b,c", challenges_and_research_gaps="d"),
        values(megatrend="a,b", macrotrend="c", challenges_and_research_gaps="d"),
        values(megatrend="a", macrotrend='b","c', challenges_and_research_gaps="d"),
        values(megatrend="a", macrotrend="NULL", total_count_of_patents=None, relevant_industries=""),
        values(megatrend="a", macrotrend="NULL", total_count_of_patents=0, relevant_industries=""),
        values(megatrend="a", macrotrend="NULL", total_count_of_patents=0, relevant_industries=" "),
        values(megatrend="a", macrotrend="{}", total_count_of_publications=None, total_count_of_patents=120),
        values(megatrend="a", macrotrend="{}", total_count_of_publications=120, total_count_of_patents=None),
    ]
    assert send(csv_bytes(*rows))["created"] == len(rows)
    assert send(csv_bytes(*rows))["duplicates"] == len(rows)
