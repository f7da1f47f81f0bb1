"""Workbooks as real programs write them: every quirk is read, and no row with content is lost."""

import contextlib
import dataclasses
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contacts.files import reader
from contacts.files.cells import CELL_LENGTH
from contacts.files.limits import InvalidSheet, Limits
from contacts.files.rows import AnyRow, Rejected, Row
from tests.conftest import Client

from .conftest import Send
from .quirks import PLAIN, Quirks, Value, workbook
from .workbooks import DATA, HEADER

LIMITS = Limits(max_rows=1000, max_unzipped=10_000_000)
HARD = DATA / "hard" / "contacts"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Read a workbook without a process of its own: its number of rows, and the rows."""

    def read(content: bytes, limits: Limits = LIMITS) -> tuple[int, list[AnyRow]]:
        path = tmp_path / "sheet"
        path.write_bytes(content)
        with reader.open_sheet(str(path), limits) as (_, rows):
            total = reader.count(rows, limits.max_rows)
        with reader.open_sheet(str(path), limits) as (header, rows):
            return total, [row for chunk in reader.chunks(header, rows, after=0, size=2) for row in chunk]

    return read


# A row of a sheet, the code of its rejection, and its keys.
ACCEPTED = [
    (("Ana", "+37491123456", "ana@example.com"), ("37491123456", "ana@example.com")),
    (("Number", Value(value="37491123456"), ""), ("37491123456", "")),
    (("Float", Value(value="37491123456.0"), ""), ("37491123456", "")),
    (("Exponent", Value(value="3.7491123456E10"), ""), ("37491123456", "")),
    (("Formula", Value(kind="str", value="5551234", formula="A1"), ""), ("5551234", "")),
    (("Empty result", "5551234", Value(kind="str", value="", formula="A1")), ("5551234", "")),
    (("Escaped", "5551234", "a_x0040_example.com"), ("5551234", "a@example.com")),
    (
        ("Invisible", "\u200b+374 91\u00ad123456\u202c", "\ufeffana@example.com\u200b"),
        ("37491123456", "ana@example.com"),
    ),
    ((Value(formula="A1"), "5551234", ""), ("5551234", "")),
    (("王小明", "", "xiaoming@example.cn"), ("", "xiaoming@example.cn")),
]
REJECTED = [
    (("", Value(kind="e", value="#N/A"), ""), "cell_error"),
    (("", Value(kind="e", value="#GETTING_DATA"), "a@example.com"), "cell_error"),
    (("Ana", "5551234", Value(kind="e", value="#SPILL!")), "cell_error"),
    ((Value(kind="e", value="#CALC!"), "5551234", ""), "cell_error"),
    ((Value(kind="e"), "5551234", ""), "cell_error"),
    (("Ana", Value(formula="A1"), ""), "formula_without_value"),
    (("Ana", Value(formula="A1", value=""), "a@example.com"), "formula_without_value"),
    (("Ana", Value(kind="str", formula="A1"), "a@example.com"), "formula_without_value"),
    ((Value(formula="A1"), Value(formula="A1"), ""), "formula_without_value"),
    ((Value(formula="A1"), "", ""), "no_phone_or_email"),
    (("Ana", Value(kind="s", value="99999"), "a@example.com"), "cell_unreadable"),
    (("Ana", Value(kind="s", value="9" * 5000), "a@example.com"), "cell_unreadable"),
    (("Ana", Value(kind="z", value="5"), "a@example.com"), "cell_unreadable"),
    (("Ana", Value(value="1 2"), "a@example.com"), "cell_unreadable"),
    (("Ana", Value(value="1e999"), ""), "phone_precision_lost"),
    (("Ana", Value(kind="d", value="2020-01-01"), ""), "phone_invalid"),
    (("Ana", Value(kind="b", value="1"), ""), "phone_invalid"),
    (("Ana", "\u200b", "\u3164"), "no_phone_or_email"),
    (("Ana", "5551234", "", "x"), "extra_cell"),
    (("Ana", "5551234", "", Value(kind="e", value="#N/A")), "extra_cell"),
]
BLANK = [
    (),
    ("",),
    (" ", "\u200b", "\u2800"),
    ("", Value(), Value(kind="s")),
    (Value(kind="str", value="", formula="A1"),),
]

outcomes: st.SearchStrategy[tuple[tuple, Any]] = st.one_of(
    st.sampled_from(ACCEPTED), st.sampled_from(REJECTED), st.sampled_from([(row, None) for row in BLANK])
)
quirks = st.builds(
    Quirks,
    names=st.sampled_from(["plain", "backslashes", "upper", "slash", "percent"]),
    targets=st.sampled_from(["plain", "absolute", "dotted", "percent", "padded", "fragment"]),
    main=st.sampled_from(["xl/workbook.xml", "xl/workbook2.xml", "Office/book.xml"]),
    clutter=st.booleans(),
    prefix_bytes=st.sampled_from([b"", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n"]),
    before=st.lists(st.sampled_from(["hidden", "veryHidden", "chart"]), max_size=2).map(tuple),
    dimension=st.sampled_from([None, "", "A1", "1:3", "$A$1:$C$3", "A0:C0", "XFD1048576", "nonsense"]),
    namespace=st.sampled_from(["", "x", "ss"]),
    strings=st.sampled_from(["inline", "shared", "rich", "str"]),
    references=st.sampled_from(["plain", "none", "dollars", "lower"]),
    numbers=st.sampled_from(["plain", "none", "backwards"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    indent=st.sampled_from(["", "\n  "]),
    embedded=st.booleans(),
    strict=st.booleans(),
    style=st.booleans(),
)


@pytest.mark.thorough
@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(outcomes, min_size=1, max_size=6), quirks)
def test_every_row_with_content_is_read_or_rejected_whatever_the_quirks(read: Any, rows: list, quirks: Quirks) -> None:
    expected = [outcome for _, outcome in rows if outcome]
    content = workbook([HEADER, *(cells for cells, _ in rows)], quirks)
    if not expected:
        with pytest.raises(InvalidSheet, match="a header but no rows"):
            read(content)
        return
    total, found = read(content)
    assert total == len(found) == len(expected)
    numbers = [row.row for row in found]
    assert numbers == sorted(set(numbers))
    for row, outcome in zip(found, expected, strict=True):
        if isinstance(outcome, str):
            assert isinstance(row, Rejected)
            assert row.fault.code == outcome
        else:
            assert isinstance(row, Row)
            assert (row.phone_key, row.email_key) == outcome


@pytest.mark.parametrize("field", [each.name for each in dataclasses.fields(Quirks)])
def test_the_builder_applies_each_quirk(field: str) -> None:
    values = {
        "state": "hidden",
        "names": "upper", "targets": "dotted", "main": "xl/b.xml", "clutter": True, "twin": True, "prefix_bytes": b"x",
        "before": ("hidden",), "dimension": "A1", "namespace": "x", "strings": "shared", "references": "none",
        "numbers": "none", "encoding": "utf-16", "indent": "\n", "embedded": True, "strict": True, "style": True,
    }  # fmt: skip
    changed = dataclasses.replace(PLAIN, **{field: values[field]})
    assert workbook([HEADER, ("Ana", "5551234", "")], changed) != workbook([HEADER, ("Ana", "5551234", "")])


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_entries_with_one_name_the_last_is_read(read: Any) -> None:
    assert read(workbook([HEADER, ("Ana", "5551234", "")], Quirks(twin=True)))[0] == 1


@pytest.mark.parametrize(
    "header",
    [
        ("\ufeffName", "Phone\u200b Number", "Email\u00adAddress\u202c"),
        ("NAME\u3164", "phone number", "EMAIL\u00a0ADDRESS"),
    ],
)
def test_invisible_characters_in_the_header_are_ignored(read: Any, header: tuple) -> None:
    assert read(workbook([header, ("Ana", "5551234", "")]))[0] == 1


def test_an_invalid_header_names_the_sheet(read: Any) -> None:
    with pytest.raises(InvalidSheet) as caught:
        read(workbook([("Name", "Fax")], Quirks(before=("hidden",))))
    assert caught.value.code == "bad_header"
    assert "'People'" in caught.value.detail


@pytest.mark.parametrize("title", [Value(formula="A1"), Value(kind="e")])
def test_a_title_that_cannot_be_read_is_an_unknown_column(read: Any, title: Value) -> None:
    with pytest.raises(InvalidSheet, match="Unknown column: one without a readable title") as caught:
        read(workbook([(*HEADER, title), ("Ana", "5551234", "")]))
    assert caught.value.code == "bad_header"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "shift_jis", "utf-7"])
def test_a_text_encoding_that_cannot_be_read_is_named(read: Any, encoding: str) -> None:
    with pytest.raises(InvalidSheet, match="encoding of the file is not supported") as caught:
        read(workbook([HEADER, ("Ana", "5551234", "")], Quirks(encoding=encoding)))
    assert caught.value.code == "not_xlsx"


@pytest.mark.parametrize("quirks", [Quirks(state="hidden"), Quirks(state="veryHidden", before=("chart", "hidden"))])
def test_a_workbook_without_a_visible_sheet_is_refused(read: Any, quirks: Quirks) -> None:
    with pytest.raises(InvalidSheet, match="no visible sheet"):
        read(workbook([HEADER, ("Ana", "5551234", "")], quirks))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_part_is_named_whatever_its_compression(read: Any, method: int) -> None:
    buffer = io.BytesIO()
    source = zipfile.ZipFile(io.BytesIO(workbook([HEADER, ("Ana", "5551234", "")])))
    with zipfile.ZipFile(buffer, "w", method) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    content = buffer.getvalue()
    assert read(content)[0] == 1
    for place in range(60, len(content), 40):
        damaged = content[:place] + bytes(byte ^ 0x55 for byte in content[place : place + 30]) + content[place + 30 :]
        with contextlib.suppress(InvalidSheet):  # and no other exception
            read(damaged)


def test_shared_texts_count_for_the_size_limit_at_each_use(read: Any) -> None:
    rows = [HEADER, ("x" * 10_000, "5551234", ""), *[(Value(kind="s", value="3"), "5551234", "")] * 3]
    content = workbook(rows, Quirks(strings="shared"))
    assert read(content, dataclasses.replace(LIMITS, max_unzipped=41_000))[0] == 4
    with pytest.raises(InvalidSheet) as caught:
        read(content, dataclasses.replace(LIMITS, max_unzipped=39_000))
    assert caught.value.code == "unsafe_file"


@pytest.mark.parametrize("strings", ["inline", "shared", "rich", "str"])
def test_a_text_longer_than_a_cell_can_be_rejects_its_row_and_is_cut(read: Any, strings: str) -> None:
    rows = [("Ana", "5551234", ""), ("x" * 40_000, "5551235", ""), ("", " " * 40_000 + "5551236", "b@example.com")]
    _, found = read(workbook([HEADER, *rows], Quirks(strings=strings)))
    assert [getattr(row, "fault", None) and row.fault.code for row in found] == [
        None, "cell_unreadable", "cell_unreadable",
    ]  # fmt: skip
    assert max(len(text) for row in found for text in row[1:4]) == CELL_LENGTH


def test_a_chunk_ends_at_a_number_of_characters_too(tmp_path: Path) -> None:
    path = tmp_path / "sheet"
    path.write_bytes(workbook([HEADER, *[("x" * 30_000, f"5551{n:03}", "") for n in range(300)]]))
    with reader.open_sheet(str(path), LIMITS) as (header, rows):
        chunks = list(reader.chunks(header, rows, after=0, size=5000))
    assert [row.row for chunk in chunks for row in chunk] == list(range(2, 302))
    assert len(chunks) == 3


def test_more_rows_than_allowed_are_refused(read: Any) -> None:
    rows = [HEADER, *[("Ana", str(5551000 + n), "") for n in range(4)], ("", " ", "")]
    assert read(workbook(rows), dataclasses.replace(LIMITS, max_rows=4))[0] == 4
    with pytest.raises(InvalidSheet) as caught:
        read(workbook(rows), dataclasses.replace(LIMITS, max_rows=3))
    assert caught.value.code == "too_many_rows"


def test_only_the_parts_that_are_read_count_for_the_size_limit(read: Any) -> None:
    content = workbook([HEADER, ("Ana", "5551234", "")], Quirks(embedded=True))
    assert read(content, dataclasses.replace(LIMITS, max_unzipped=5000))[0] == 1
    with pytest.raises(InvalidSheet) as caught:
        read(content, dataclasses.replace(LIMITS, max_unzipped=500))
    assert caught.value.code == "unsafe_file"


@pytest.mark.parametrize(
    "name, accepted, rejected",
    [
        ("dimension-dollar-signs.xlsx", 1, 0),
        ("dimension-rows-only-libreoffice.xlsx", 1, 0),
        ("email-in-bidi-marks.xlsx", 2, 0),
        ("error-cell-NA-read-as-empty.xlsx", 1, 2),
        ("error-cell-SPILL.xlsx", 1, 1),
        ("first-sheet-is-hidden.xlsx", 1, 0),
        ("formula-without-cached-value.xlsx", 1, 2),
        ("header-zero-width-space.xlsx", 1, 0),
        ("opc-backslash-entry-names.xlsx", 1, 0),
        ("opc-macosx-forks-first.xlsx", 1, 0),
        ("opc-main-part-workbook2.xlsx", 1, 0),
        ("phone-in-elapsed-time-format.xlsx", 2, 0),
        ("phone-padded-with-spaces.xlsx", 1, 0),
        ("phone-text-of-a-float.xlsx", 1, 0),
        ("sheet-named-xls.xls", 1, 0),
        ("two-phones-on-two-lines.xlsx", 0, 1),
        ("xlsx-with-an-embedded-xlsm.xlsx", 1, 0),
    ],
)
def test_files_of_real_programs_are_imported(
    signed_in: Client, imported: Send, name: str, accepted: int, rejected: int
) -> None:
    upload = imported(signed_in, (HARD / name).read_bytes(), name=name)
    assert (upload["accepted"], upload["rejected"]) == (accepted, rejected)
    assert upload["total_rows"] == upload["accepted"] + upload["deferred"] + upload["rejected"]
