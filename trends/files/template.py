"""An empty file with the ten columns, to fill in."""

from functools import cache
from io import BytesIO
from typing import Any

import xlsxwriter

from ..models import MAX_COUNT
from .columns import CHOICES, COUNTS, HEADINGS, describe
from .exports import WIDTHS, write_csv

_ROWS = 10_000  # of the workbook that are checked while they are typed


@cache
def csv() -> bytes:
    """Return a CSV file with the header only."""
    file = BytesIO()
    write_csv(file, ())
    return file.getvalue()


@cache
def xlsx() -> bytes:
    """Return a workbook whose cells offer the choices of their column, say its rule, and refuse other values."""
    file = BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet("Trends")
        sheet.freeze_panes(1, 0)
        bold, text = book.add_format({"bold": True}), book.add_format({"num_format": "@"})
        for place, (name, heading) in enumerate(HEADINGS.items()):
            sheet.set_column(place, place, max(WIDTHS[place], len(heading) + 2), None if name in COUNTS else text)
            sheet.write_string(0, place, heading, bold)
            sheet.data_validation(1, place, _ROWS, place, _rule(name, heading))
    return file.getvalue()


def _rule(name: str, heading: str) -> dict[str, Any]:
    message = {"input_title": heading[:32], "input_message": describe(name), "error_message": describe(name)}
    if name in CHOICES:
        return {**message, "validate": "list", "source": [choice for choice in CHOICES[name].values() if choice]}
    if name in COUNTS:
        return {**message, "validate": "integer", "criteria": "between", "minimum": 0, "maximum": MAX_COUNT}
    return {**message, "validate": "any"}


TEMPLATES = {"csv": csv, "xlsx": xlsx}
