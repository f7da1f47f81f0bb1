"""Write trends as CSV, JSON or XLSX. Rows are read in batches, so memory does not grow with the table.

A value that a spreadsheet would run as a formula is shown as text: in CSV by an apostrophe in front, which an import
removes again; in a workbook by a text cell that stays text when it is edited.
"""

import csv
from collections.abc import Callable, Iterable
from io import TextIOWrapper
from typing import Any, BinaryIO, NamedTuple

from django.db.models import QuerySet
from django.utils import timezone

from config import sheets
from config.json import dumps

from ..models import Trend
from .columns import COLUMNS, HEADINGS

FETCH = 2_000  # rows in memory at a time
WIDTHS = (32, 32, 32, 14, 14, 14, 14, 14, 32, 32)  # characters

Rows = Iterable[tuple[Any, ...]]


class Format(NamedTuple):
    name: str
    content_type: str
    write_rows: Callable[[BinaryIO, Rows], None]

    def write(self, file: BinaryIO, trends: "QuerySet[Trend]") -> None:
        self.write_rows(file, trends.values_list(*COLUMNS).iterator(FETCH))

    @property
    def filename(self) -> str:
        return f"trends-{timezone.now():%Y-%m-%d}.{self.name}"


def write_csv(file: BinaryIO, rows: Rows) -> None:
    """Write CSV with ``;``, UTF-8 and CRLF, which imports again to the same rows."""
    text = TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, delimiter=";")
    writer.writerow(HEADINGS.values())
    writer.writerows(
        [sheets.escape_formula(value) if isinstance(value, str) else value for value in row] for row in rows
    )
    text.detach()


def write_json(file: BinaryIO, rows: Rows) -> None:
    """Write a list of objects with the ten columns."""
    separator = b"["
    for row in rows:
        file.write(separator + b"\n" + dumps(dict(zip(COLUMNS, row, strict=True))))
        separator = b","
    file.write(b"[]\n" if separator == b"[" else b"\n]\n")


def write_xlsx(file: BinaryIO, rows: Rows) -> None:
    """Write a workbook; counts are numbers, other values are text."""
    sheets.write_xlsx(file, rows, title="Trends", columns=list(HEADINGS.values()), widths=WIDTHS)


FORMATS = {
    "csv": Format("csv", "text/csv; charset=utf-8", write_csv),
    "xlsx": Format("xlsx", sheets.CONTENT_TYPE, write_xlsx),
    "json": Format("json", "application/json", write_json),
}
