"""CSV as people make it."""

import pytest

from trends.models import Trend

from .factories import csv_bytes, upload, values

HEADER = (
    "Megatrend;Macrotrend;Challenges and Research Gaps;Total count of publications;Total count of patents;"
    "Technology Readiness Level;Impact Strength;STEEPL;Relevant Industries;Real World Application and Use Cases"
)
ROW = "AI;Agents;Data;1;2;Pilot;High;T;Health;Triage"


def good_rows(count: int) -> str:
    """Enough good rows for one bad one to stay under the limit."""
    return "".join(f"\nAI;Agents {n};Data;1;2;Pilot;High;T;Health;Triage" for n in range(count))


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_the_header_shows_the_delimiter(send, delimiter, encoding):
    row = values(relevant_industries="Café; Bar, Pub | Disco", challenges_and_research_gaps='Say "no"\r\n\r\nor yes')
    run = send(csv_bytes(row, delimiter=delimiter, encoding=encoding))
    assert (run["created"], run["rejected"]) == (1, 0)
    assert Trend.objects.values(*row).get() == row


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_line_ends_of_either_kind(send, ends):
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
def test_the_header_in_any_spelling(send, header):
    assert send(f"{header}\n{ROW}\n".encode())["created"] == 1


def test_missing_unknown_and_repeated_columns_are_each_named(send, settings):
    header = HEADER.replace("STEEPL", "Colour").replace("Macrotrend", "Mega trend")
    run = send(f"{header}\n{ROW}\n".encode())
    assert run["status"] == "failed"
    told = {(error["code"], error["column"], error["value"]) for error in run["errors"]}
    assert told == {
        ("unknown_column", "", "Colour"),
        ("repeated_column", "megatrend", "Mega trend"),
        ("missing_column", "steepl", ""),
        ("missing_column", "macrotrend", ""),
    }
    assert "There is no column “Colour”." in run["error"]
    assert not Trend.objects.exists()


@pytest.mark.parametrize(
    "content, said",
    [
        (b"", "The submitted file is empty."),
        (b"\n\n", "The file is empty."),
        ((HEADER + "\n" + ROW).encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04rest of a workbook", "workbook"),
        (b"\xff\x00\x01\x02 not text at all", "not UTF-8"),
        (b"x" * 1_000_001, "longer than"),
        (HEADER.encode() + b"\r" + ROW.encode() + b"\r", "do not end in LF or CRLF"),
        (b"x" * 200_000, "The header cannot be read"),
    ],
)
def test_what_is_no_csv_is_refused_with_its_reason(send, content, said):
    if not content:
        answer = send.client.post("/api/v1/trends/imports/", {"file": upload(b"")}, format="multipart")
        assert answer.status_code == 400
        assert said in answer.content.decode()
        return
    run = send(content)
    assert run["status"] == "failed"
    assert said in run["error"]


def test_a_wrong_encoding_is_named_with_its_line(send):
    run = send(f"{HEADER}{good_rows(3)}\nAI;Café;x;;;;Low;S;y;z\n".encode("latin-1"))
    assert run["status"] == "failed"
    assert run["error"].startswith("Line 5 is not UTF-8: byte 0xE9.")
    assert run["errors"][0]["line"] == 5
    assert "Café" in run["errors"][0]["value"]
    assert not Trend.objects.exists()


BAD = [
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
    ("AI;A;x;;;;Low;S;y", "", "too_few_values"),
    ("AI;A;x;;;;Low;S;y;z;more", "", "too_many_values"),
    ('AI;A;"x"y;;;;Low;S;y;z', "", "bad_quotes"),
    (f'AI;A;"{"x" * 140_000}";;;;Low;S;y;z', "", "bad_quotes"),
]


@pytest.mark.parametrize("row, column, code", BAD)
def test_a_bad_row_is_told_and_the_others_are_stored(send, row, column, code):
    run = send(f"{HEADER}{good_rows(10)}\n{row}{good_rows(20).removeprefix(good_rows(10))}\n".encode())
    assert [(error["line"], error["column"], error["code"]) for error in run["errors"]] == [(12, column, code)]
    assert run["errors"][0]["message"]
    assert (run["status"], run["created"], run["rejected"]) == ("completed_with_errors", 20, 1)


def test_every_bad_value_of_a_row_is_told(send):
    run = send(f"{HEADER}{good_rows(20)}\n;A;x;-1;;;Huge;S;y;z\n".encode())
    assert [error["column"] for error in run["errors"]] == [
        "megatrend",
        "total_count_of_publications",
        "impact_strength",
    ]
    assert run["rejected"] == 1


@pytest.mark.parametrize("last", ["", '\nAI;Z;"Roads; rails";1;2;Pilot;High;T;Health;Triage'])
def test_a_quote_that_is_never_closed_costs_its_own_row_alone(send, last):
    after = good_rows(30).removeprefix(good_rows(20))
    run = send(
        f'{HEADER}{good_rows(20)}\nAI;A;"never closed;;;;Low;S;y;z{after}{last}\nAI;B;-;-1;;;Low;S;y;z\n'.encode()
    )
    told = [(error["line"], error["code"]) for error in run["errors"]]
    assert told == [(22, "bad_quotes"), (33 + bool(last), "negative")]
    assert (run["created"], run["rejected"]) == (30 + bool(last), 2)


def test_lines_are_counted_from_the_first_of_the_file(send):
    run = send(f"\n\n{HEADER}{good_rows(20)}\nAI;B;x;-1;;;Low;S;y;z\n".encode())
    assert run["errors"][0]["line"] == 24


def test_a_row_that_does_not_end_is_told_before_it_takes_all_memory(send):
    endless = '";"'.join(["x" * 60_000] * 7)
    run = send(f'{HEADER}{good_rows(40)}\nAI;"{endless}\n{endless}\n{endless}\nAI;B;-;-1;;;Low;S;y;z\n'.encode())
    assert [error["line"] for error in run["errors"]] == [42, 43, 44, 45]
    assert "longer than 1,000,000 characters" in run["errors"][0]["message"]
    assert run["created"] == 40


def test_choices_do_not_mind_case_and_counts_may_be_empty(send):
    send(f"{HEADER}\nAI;A;;;007; dEPLOY ;HIGH;t;;\n".encode())
    trend = Trend.objects.get()
    assert (trend.technology_readiness_level, trend.impact_strength, trend.steepl) == ("Deploy", "High", "T")
    assert (trend.total_count_of_publications, trend.total_count_of_patents) == (None, 7)


def test_blank_lines_and_rows_of_nothing_but_delimiters_are_passed_over(send):
    run = send(f"\n{HEADER}\n\n{ROW}\n;;;;;;;;;\n   \n\n".encode())
    assert (run["total_rows"], run["created"], run["rejected"]) == (1, 1, 0)


def test_a_header_without_rows_is_an_empty_import(send):
    run = send(f"{HEADER}\n".encode())
    assert (run["status"], run["total_rows"]) == ("completed", 0)


def test_one_row_in_ten_may_be_bad_but_not_more(send):
    bad = "\nAI;A;x;-1;;;Low;S;y;z"
    assert send(f"{HEADER}{good_rows(9)}{bad}".encode())["created"] == 9
    assert send(f"{HEADER}{good_rows(17)}{bad}{bad}".encode())["status"] == "failed"


def test_values_that_move_between_columns_make_another_row(send):
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
