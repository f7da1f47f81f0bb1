"""The CSV dialects of spreadsheets and programs: every combination gives the same rows."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from trends.files.columns import COLUMNS, HEADINGS
from trends.files.reader import CSVReader, Problem, Row

from .factories import DATA

HARD = DATA / "hard" / "trends"
HEADER = ";".join(HEADINGS.values())


def read(content: bytes) -> tuple[list[Row], list[Problem]]:
    batches = list(CSVReader(io.BytesIO(content)).batches())
    return [row for batch in batches for row in batch.rows], [each for batch in batches for each in batch.problems]


@pytest.mark.parametrize("path", sorted(HARD.glob("*")), ids=lambda path: path.stem)
def test_a_file_of_another_program_is_read_or_named(path: Path) -> None:
    if path.stem == "trends-gzip-named":
        with pytest.raises(Exception, match="compressed with gzip"):
            read(path.read_bytes())
        return
    rows, problems = read(path.read_bytes())
    assert rows
    assert problems == []
    assert all(row[0] == "tjxxukwetd" and '"' not in "".join(row) for row in rows)


def lines(*rows: str) -> bytes:
    return "\r\n".join((HEADER, *rows, "")).encode()


EXPECTED = ("AI", "Agents", "Gap", "1", "2", "Pilot", "High", "T", "Energy", "Use")
ROW = ";".join(EXPECTED)


@pytest.mark.parametrize(
    "content",
    [
        lines("AI;Agents;Gap;1.0;2.00;Pilot;High;T;Energy;Use"),
        lines("AI;Agents;Gap;1,0;2.;Pilot;High;T;Energy;Use"),
        lines(f"{ROW};;;"),
        lines(ROW).replace(b"\r\n", b";\r\n"),
        lines(ROW).replace(b"\r\n", b";  \r\n"),
        b";" + lines(f"0;{ROW}"),
        b"Unnamed: 0;" + lines(f"0;{ROW}"),
        b";;" + lines(f"Europe;0;{ROW}"),
        lines(f'"1";{ROW}'),
        b"sep=;\r\n" + lines(ROW),
        b"\xef\xbb\xbfsep=;\r\n" + lines(ROW),
        b'"sep=;"\r\n' + lines(ROW),
        b"SEP=;;;;;;;;;;\r\n" + lines(ROW),
        b"sep=\t\r\n" + lines(ROW).replace(b";", b"\t"),
        b";;;;;;;;;\r\n\r\n" + lines(ROW),
        lines('AI; "Agents"; "Gap" ;1;2;Pilot;High;T;"Energy" ; "Use" '),
        lines(' "AI"; "Agents"; "Gap"; "1"; "2"; "Pilot"; "High"; "T"; "Energy"; "Use"'),
        lines('AI;\u00a0"Agents"; "Gap"\u202f;1;2;Pilot;High;T;\ufeff"Energy"\u200b ;Use'),
        lines(f'\ufeff"AI"{ROW.removeprefix("AI")}'),
        lines(f"\x1a{ROW}"),
        lines(f"\x00\x00{ROW}"),
        lines(ROW) + b"\x1a",
        lines(ROW) + b"\x1a\r\n",
        lines(ROW).rstrip() + b"\x1a",
        lines(ROW) + b"\x00" * 300_000,
        lines(ROW) + b"\x00" * 512 + b"\r\n",
        lines(ROW).rstrip() + b"\x00" * 70_000,
        lines('AI;Agents;Gap;1;2;Pilot;High;T;Energy;"Use"').rstrip() + b"\x1a\x00\x00",
    ],
)
def test_what_programs_add_to_a_row_is_ignored(content: bytes) -> None:
    assert read(content) == ([EXPECTED], [])


@pytest.mark.parametrize(
    "row, stored",
    [
        ("AI;Agents;Gap;1;2;Pilot;High;T", ("", "")),
        ("AI;Agents;Gap;1;2;Pilot;High;T;Energy", ("Energy", "")),
        ('AI;Agents;Gap;1;2;Pilot;High;T; "two\r\nlines; and ""more""" ;Use', ('two\r\nlines; and "more"', "Use")),
        ('AI;Agents;Gap;1;2;Pilot;High;T; "quoted" word;Use', (' "quoted" word', "Use")),
        ('AI;Agents;Gap;1;2;Pilot;High;T; space ; "Use"', (" space ", "Use")),
        ('AI;Agents;Gap;1;2;Pilot;High;T;"say ""; "" twice" ;5" pipe', ('say "; " twice', '5" pipe')),
    ],
)
def test_empty_columns_at_the_end_and_spaces_before_quotes_are_read(row: str, stored: tuple[str, str]) -> None:
    assert read(lines(row)) == ([(*EXPECTED[:8], *stored)], [])


@pytest.mark.parametrize(
    "row, code",
    [
        ("AI;Agents;Gap;1;2;Pilot;High", "too_few_values"),
        (f"{ROW};extra", "too_many_values"),
        (f"x;{ROW}", "too_many_values"),
        (f"1;{ROW};;x", "too_many_values"),
    ],
)
def test_a_row_without_a_required_column_or_with_extra_values_is_rejected(row: str, code: str) -> None:
    rows, [problem] = read(lines(row))
    assert (rows, problem.code) == ([], code)


def test_a_value_in_an_unnamed_column_is_rejected() -> None:
    rows, [problem] = read(lines(f"{ROW};lost").replace(b"Cases\r\n", b"Cases;\r\n"))
    assert (rows, problem.code, problem.value) == ([], "too_many_values", "lost")


@pytest.mark.parametrize("content", [lines('AI;"never closed'), lines('AI;"a"b;c'), lines('AI; "a" "b";c', ROW)])
def test_errors_are_explained_in_our_own_words(content: bytes) -> None:
    _, problems = read(content)
    text = " ".join(problem.message for problem in problems)
    assert "expected after" not in text
    assert "unexpected end" not in text
    assert "limit" not in text


def test_lines_are_counted_alike_for_every_line_end() -> None:
    for end in ("\n", "\r\n", "\r", "\n\r", "\r\r\n"):
        _, [problem] = read(end.join((HEADER, ROW, "", ROW, "AI;B;x;-1;;;Low;S;y;z", "")).encode())
        assert problem.line == 5, repr(end)


TEXT = st.text(st.sampled_from('ab ;,\t|"\n\r\\éß=0'), max_size=8)
NAME = st.text(st.sampled_from('ab;,"é=0'), min_size=1, max_size=6)
COUNT = st.sampled_from(["", "0", "7", "1234"])
CHOICES = (["", "Pilot", "Deploy"], ["Low", "High"], ["S", "L"])
ROWS = st.lists(
    st.tuples(
        NAME, NAME, TEXT, COUNT, COUNT,
        *(st.sampled_from(values) for values in CHOICES), TEXT, TEXT,
    ),
    min_size=1, max_size=4,
)  # fmt: skip


def quote(value: str, delimiter: str, style: str) -> str:
    if style == "minimal" and not any(char in value for char in f'{delimiter}"\r\n'):
        return value
    quoted = '"' + value.replace('"', '""') + '"'
    return f"  {quoted} " if style == "spaced" else quoted


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the machine may be slow
@given(
    rows=ROWS,
    order=st.permutations(COLUMNS),
    delimiter=st.sampled_from(";,\t|"),
    end=st.sampled_from(["\n", "\r\n", "\r", "\n\r", "\r\r\n"]),
    style=st.sampled_from(["minimal", "all", "spaced"]),
    heading=st.sampled_from([str, str.upper, lambda name: HEADINGS[name]]),
    start=st.sampled_from(["", "\ufeff", "sep={}", "\ufeffsep={}"]),
    index=st.sampled_from([None, "", "Unnamed: 0"]),
    trailing=st.sampled_from(["none", "rows", "all"]),
    drop_empty=st.booleans(),
    floats=st.booleans(),
    finish=st.sampled_from(["", "\x1a", "\x00\x00\x00"]),
    last_end=st.booleans(),
)
@example(
    rows=[("a", "b", "", "", "", "", "Low", "S", "", "")], order=list(COLUMNS), delimiter=";", end="\n",
    style="minimal", heading=str, start="", index=None, trailing="none",
    drop_empty=True, floats=False, finish="", last_end=False,
)  # fmt: skip
def test_any_combination_of_dialects_gives_the_same_rows(
    rows: list[Row], order: list[str], delimiter: str, end: str, style: str, heading: Callable[[str], str], start: str,
    index: str | None, trailing: str, drop_empty: bool, floats: bool, finish: str, last_end: bool,
) -> None:  # fmt: skip
    def line(values: list[str], number: str | None, *, is_header: bool = False) -> str:
        if drop_empty and trailing == "none" and not is_header:
            while not values[-1]:
                values = values[:-1]
        cells = [quote(value, delimiter, style) for value in values]
        cells = cells if number is None else [number, *cells]
        return delimiter.join(cells) + (delimiter if trailing == "all" or trailing == "rows" and not is_header else "")

    text = [line([heading(name) for name in order], index, is_header=True)]
    for number, row in enumerate(rows):
        values = dict(zip(COLUMNS, row, strict=True))
        if floats:
            values |= {name: values[name] + ".0" for name in COLUMNS[3:5] if values[name]}
        text.append(line([values[name] for name in order], None if index is None else str(number)))
    first = start.format(delimiter)
    content = first + (end if "sep" in first else "") + end.join(text) + (end if last_end else "") + finish
    found, problems = read(content.encode())
    assert problems == []
    assert [tuple(row) for row in found] == [tuple(row) for row in rows]


# A line below the header, and the outcome of its row: read, the code of its rejection, or None for a blank line.
LINES = [
    (f"\x1a{ROW}", "read"),
    *[
        (ROW.replace("Agents", name), "read")
        for name in ("Agents", '"Agents"', '\u00a0"Agents"', ' "Agents" ', "a\x1ab")
    ],
    ("AI;Agents;Gap;1.0;;;High;T", "read"),
    ('AI;Agents;"two\n\nlines";1;2;Pilot;High;T;;', "read"),
    (f"{ROW};;;", "read"),
    (f"7;{ROW}", "read"),
    ("AI;Agents;Gap;-1;2;Pilot;High;T;;", "negative"),
    ("AI;Agents;Gap;1.5;2;Pilot;High;T;;", "not_a_number"),
    ("AI;Agents;Gap;#N/A;2;Pilot;High;T;;", "not_a_number"),
    ("AI;Agents;Gap;1;2;Pilot;Huge;T;;", "unknown_choice"),
    (";Agents;Gap;1;2;Pilot;High;T;;", "required"),
    ("AI;Agents;\x00;1;2;Pilot;High;T;;", "nul"),
    ("AI;Agents;Gap;1;2;Pilot;High", "too_few_values"),
    ("AI", "too_few_values"),
    ("\u200b;;;;;;;;;", "required"),
    (f"{ROW};extra", "too_many_values"),
    ('AI;"a" b;Gap;1;2;Pilot;High;T;;', "bad_quotes"),
    *[(blank, None) for blank in ("", ";;;;;;;;;", ' ; "" ;\t', "   ")],
]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    chosen=st.lists(st.sampled_from(LINES), max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\r", "\n\r", "\r\r\n"]),
    start=st.sampled_from(["", "\ufeff", "sep=;{}", "\ufeffsep=;{}", ";;;{}"]),
    finish=st.sampled_from(["", "{}", "{}\x1a", "{}\x1a{}", "\x00\x00\x00", "{}\x00\x00{}"]),
    size=st.integers(1, 5),
)
def test_every_line_with_content_is_read_or_rejected_whatever_the_dialect(
    chosen: list[tuple[str, str | None]], end: str, start: str, finish: str, size: int
) -> None:
    text = end.join([HEADER, *(line for line, _ in chosen)])
    content = (start.format(end) + text + finish.format(end, end)).encode()
    batches = list(CSVReader(io.BytesIO(content)).batches(size))
    codes = [outcome for _, outcome in chosen if outcome not in ("read", None)]
    assert sum(len(batch.rows) for batch in batches) == sum(outcome == "read" for _, outcome in chosen)
    assert sum(batch.rejected for batch in batches) == len(codes)
    reported = {problem.line: problem.code for batch in batches for problem in reversed(batch.problems)}
    assert [code for _, code in sorted(reported.items())] == codes
