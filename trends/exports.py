"""Trends as files, written while they are read: the memory needed does not grow with the table.

Values that a spreadsheet would run as a formula are written so that it shows them: in a CSV behind an apostrophe, which
an import takes away again; in a workbook as text cells that stay text when they are edited.
"""

import csv
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from django.db.models import QuerySet
from django.utils import timezone

from config.codecs import dumps

from .columns import COLUMNS, HEADINGS, disarm
from .models import Trend

FETCH = 2_000  # rows held at a time
SHEET_ROWS = 1_000_000  # a sheet of a workbook ends at 1,048,576

Row = tuple[Any, ...]


class Format(NamedTuple):
    name: str
    content_type: str
    write: Callable[[Iterable[Row]], Iterator[bytes]]

    def stream(self, trends: "QuerySet[Trend]") -> Iterator[bytes]:
        return self.write(trends.values_list(*COLUMNS).iterator(FETCH))

    @property
    def filename(self) -> str:
        return f"trends-{timezone.now():%Y-%m-%d}.{self.name}"


class _Collector:
    """A file that only remembers what was written since it was last asked."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.position = 0

    def write(self, data: Any) -> int:
        data = data.encode() if isinstance(data, str) else bytes(data)
        self.parts.append(data)
        self.position += len(data)
        return len(data)

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        data = b"".join(self.parts)
        self.parts.clear()
        return data


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    for row in rows:
        batch.append(row)
        if len(batch) == FETCH:
            yield batch
            batch = []
    if batch:
        yield batch


def write_csv(rows: Iterable[Row]) -> Iterator[bytes]:
    """``;``, UTF-8, CRLF: a file that imports again to the same rows."""
    out = _Collector()
    writer = csv.writer(out, delimiter=";")
    writer.writerow(HEADINGS.values())
    yield out.take()
    for batch in _batches(rows):
        writer.writerows([disarm(value) if isinstance(value, str) else value for value in row] for row in batch)
        yield out.take()


def write_json(rows: Iterable[Row]) -> Iterator[bytes]:
    """A list of objects with the ten columns."""
    separator = b"[\n"
    for batch in _batches(rows):
        yield separator + b",\n".join(dumps(dict(zip(COLUMNS, row, strict=True))) for row in batch)
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


def write_xlsx(rows: Iterable[Row]) -> Iterator[bytes]:
    """A workbook whose sheets hold a million rows each; counts are numbers, all else is text."""
    out = _Collector()
    sheets = 0
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:  # type: ignore[call-overload]
        batches = _batches(rows)
        batch: list[Row] | None = next(batches, [])
        while batch is not None:
            sheets += 1
            with archive.open(f"xl/worksheets/sheet{sheets}.xml", "w", force_zip64=True) as sheet:
                sheet.write(_SHEET_HEAD + _cells(1, HEADINGS.values()))
                number = 1
                while batch is not None and number < SHEET_ROWS:
                    sheet.write(b"".join(_cells(number + place, row) for place, row in enumerate(batch, 1)))
                    yield out.take()
                    number += len(batch)
                    batch = next(batches, None)
                sheet.write(b"</sheetData></worksheet>")
        for name, content in _parts(sheets).items():
            archive.writestr(name, content)
    yield out.take()


_LETTERS = "ABCDEFGHIJ"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_SHEET_HEAD = (
    f'{_XML}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
    '<cols><col min="1" max="3" width="32" customWidth="1"/><col min="4" max="8" width="14" customWidth="1"/>'
    '<col min="9" max="10" width="32" customWidth="1"/></cols><sheetData>'
).encode()
# Characters that XML 1.0 cannot hold are written as workbooks write them: _x0007_. What looks like that already is kept
# apart by writing its underscore so.
_LOOKS_ESCAPED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
_UNWRITABLE = {code: f"_x{code:04X}_" for code in (*range(32), 0xFFFE, 0xFFFF) if code not in (9, 10)}


def _cells(number: int, values: Iterable[Any]) -> bytes:
    """One row of a sheet."""
    cells = []
    for letter, value in zip(_LETTERS, values, strict=True):
        if isinstance(value, int):
            cells.append(f'<c r="{letter}{number}"><v>{value}</v></c>')
        elif value:
            text = escape(_LOOKS_ESCAPED.sub("_x005F_", value).translate(_UNWRITABLE))
            # Style 1 is "quote prefix": text stays text even after somebody has edited the cell.
            style = ' s="1"' if disarm(value) != value else ""
            content = f'<is><t xml:space="preserve">{text}</t></is>'
            cells.append(f'<c r="{letter}{number}"{style} t="inlineStr">{content}</c>')
    return f'<row r="{number}">{"".join(cells)}</row>'.encode()


def _parts(sheets: int) -> dict[str, str]:
    """Everything else that a workbook of so many sheets is made of."""
    numbers = range(1, sheets + 1)
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    return {
        "[Content_Types].xml": f'{_XML}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kind}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{n}.xml" ContentType="{kind}.worksheet+xml"/>' for n in numbers
        )
        + "</Types>",
        "_rels/.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
        + "".join(f'<sheet name="Trends{"" if n == 1 else f" {n}"}" sheetId="{n}" r:id="rId{n}"/>' for n in numbers)
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{n}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{n}.xml"/>' for n in numbers
        )
        + f'<Relationship Id="rId{sheets + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'{_XML}<styleSheet xmlns="{_MAIN}"><fonts count="1"><font><sz val="11"/><name val="Calibri"/>'
        '</font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill>'
        '<patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/>'
        '<diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/>'
        '</cellStyleXfs><cellXfs count="2"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
        '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyNumberFormat="1"/>'
        "</cellXfs></styleSheet>",
    }


FORMATS = {
    "csv": Format("csv", "text/csv; charset=utf-8", write_csv),
    "xlsx": Format("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_xlsx),
    "json": Format("json", "application/json", write_json),
}
