"""Write contacts as a workbook, as CSV or as vCards. Rows are read in batches: memory does not grow with the list."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import TextIOWrapper
from typing import BinaryIO, NamedTuple

from config import sheets

from .files.rows import COLUMNS
from .querysets import ContactQuerySet

LINE_BYTES = 75  # of a line of a vCard, without its line break

Rows = Iterable[tuple[str, str, str]]


class Format(NamedTuple):
    name: str
    content_type: str
    write_rows: Callable[[BinaryIO, Rows], None]

    def write(self, file: BinaryIO, contacts: ContactQuerySet) -> None:
        """Write the name, phone number and e-mail address of ``contacts`` to ``file``, the oldest first."""
        self.write_rows(file, contacts.in_batches("name", "phone_number", "email_address"))


def write_xlsx(file: BinaryIO, rows: Iterable[Sequence[str]], columns: Sequence[str] = COLUMNS) -> None:
    """Write a workbook whose cells are text."""
    sheets.write_xlsx(file, rows, title="Contacts", columns=columns)


def write_csv(file: BinaryIO, rows: Iterable[Sequence[str]], columns: Sequence[str] = COLUMNS) -> None:
    """Write CSV with commas, CRLF and UTF-8 with a BOM, by which Excel recognises it.

    A text that a spreadsheet program would run as a formula gets an apostrophe in front.
    """
    text = TextIOWrapper(file, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(map(sheets.escape_formula, row) for row in rows)
    text.detach()


def write_vcards(file: BinaryIO, rows: Rows) -> None:
    """Write vCards 4.0 (RFC 6350)."""
    for row in rows:
        file.write(b"".join(map(_fold, _vcard(*row))))


def _vcard(name: str, phone_number: str, email_address: str) -> Iterator[str]:
    """Yield the lines of a card, unfolded. FN is required: without a name it is the e-mail address or the number."""
    yield "BEGIN:VCARD"
    yield "VERSION:4.0"
    yield f"FN:{_escape(name.strip() or email_address.strip() or phone_number.strip())}"
    if phone_number:
        yield f"TEL:{_escape(phone_number)}"
    if email_address:
        yield f"EMAIL:{_escape(email_address)}"
    yield "END:VCARD"


_SPECIAL = re.compile(r"[\\,;]|\r\n?|\n")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _escape(text: str) -> str:
    """Return ``text`` as a value: special characters get a backslash, line breaks become ``\\n`` (section 3.4).

    Control characters, which a vCard cannot contain, are omitted.
    """
    return _CONTROL.sub("", _SPECIAL.sub(lambda found: f"\\{found[0]}" if found[0] in "\\,;" else "\\n", text))


def _fold(line: str) -> bytes:
    """Return ``line`` in pieces of at most 75 bytes, which never divide a character (section 3.2)."""
    rest = line.encode()
    pieces = []
    while len(rest) > LINE_BYTES:
        end = LINE_BYTES
        while rest[end] & 0xC0 == 0x80:  # a continuation byte of UTF-8
            end -= 1
        pieces.append(rest[:end])
        rest = b" " + rest[end:]
    return b"\r\n".join([*pieces, rest, b""])


XLSX = Format("xlsx", sheets.CONTENT_TYPE, write_xlsx)
CSV = Format("csv", "text/csv; charset=utf-8", write_csv)
VCARD = Format("vcf", "text/vcard; charset=utf-8", write_vcards)
