"""Opens a file as a table, whether it is a workbook or CSV: its content decides, not its name."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from .choice import Choice
from .encodings import detect_encoding
from .guess import KNOWN, letters_of
from .header import EXACT_KEYS, key_of
from .limits import InvalidSheet, Limits
from .package import damaged_files, is_package, open_package
from .workbook import find_sheet
from .worksheet import Cells, read_rows

HEAD = 1024  # bytes by which another text format is recognised
# Some of these are saved with the ending .xls or .csv by the programs that write them.
OTHER_TEXTS = {
    r"<\?xml|<!doctype|<!--|<(?:html|head|meta|style|body|div|table)\b":
        "a web page or an XML file. Open it in a spreadsheet program and save it as .xlsx.",
    r"%PDF-": "a PDF document. Save the table as .xlsx or .csv.",
    r"\{\\rtf": "a text document. Save the table as .xlsx or .csv.",
    r"BEGIN:VCARD": "a vCard file. Export the contacts as CSV instead.",
}  # fmt: skip

NumberedCells = tuple[int, Cells]


@dataclass(frozen=True, slots=True)
class Table:
    """The numbered rows of a sheet. ``sheets`` is empty and ``encoding`` is not for CSV."""

    rows: Iterator[NumberedCells]
    name: str = ""
    sheets: list[str] = field(default_factory=list)
    encoding: str = ""


@contextmanager
def open_table(path: str, limits: Limits, choice: Choice) -> Iterator[Table]:
    """Yield the chosen sheet of the file at ``path``; raises InvalidSheet, also while rows are read."""
    with open(path, "rb") as file:
        encoding = "" if is_package(file) else choice.encoding or detect_encoding(file)
        if encoding:
            _refuse_other_texts(file, encoding)
            yield _delimited(file, encoding, choice)
            return
        with open_package(file, limits) as package:
            sheet = find_sheet(package, choice.sheet)
            with damaged_files(), package.open(sheet.part) as stream:
                rows = read_rows(stream, sheet.strings, limits.max_unzipped)
                yield Table(rows, sheet.name, sheet.names)


def _refuse_other_texts(file: BinaryIO, encoding: str) -> None:
    """Raise InvalidSheet if ``file`` is a text, but not a table: its first line would be an unknown column."""
    file.seek(0)
    head = file.read(HEAD).decode(encoding, errors="ignore").lstrip("\ufeff \t\r\n")
    for pattern, kind in OTHER_TEXTS.items():
        if re.match(pattern, head, re.IGNORECASE):
            raise InvalidSheet("not_xlsx", f"This is {kind}")


def _delimited(file: BinaryIO, encoding: str, choice: Choice) -> Table:
    from .delimited import read_records  # a workbook does not have to wait for its libraries

    if choice.sheet:
        raise InvalidSheet("unknown_sheet", "A CSV file has no sheets.", attr="sheet")
    mapped = {key_of(title) for titles in (choice.mapping or {}).values() for title in titles}
    wanted = mapped | EXACT_KEYS.keys()

    def is_known(title: str) -> bool:
        return key_of(title) in wanted or letters_of(title) in KNOWN

    return Table(read_records(file, encoding, is_known), encoding=encoding)
