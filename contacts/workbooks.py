"""Whether a file is a workbook that can be read without harm. Nothing here needs Django: the reader imports it alone.

Looked at in this order, each step bounded by the one before: the first bytes, the table of contents of the zip file,
the declared sizes, then every cell reference of the first sheet. A reader makes a table of every cell up to the
farthest one: 4.8 kB with a cell in XFD1048576 would take 700 MB of it.
"""

import re
import zipfile
from dataclasses import dataclass
from typing import BinaryIO
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

MAX_ENTRIES = 2000
MAX_RATIO = 300  # unzipped to zipped; honest sheets stay under 100
RATIO_FROM = 8 * 1024 * 1024  # bytes unzipped; below, the ratio is no danger
MAX_COLUMNS = 200
MAX_CELLS = 12_000_000  # of the table that a reader makes
FAR = 20  # a table this many times larger than what it holds, and
FAR_FROM = 100_000  # larger than so many rows, is nothing but a far cell
SMALL_XML = 4 * 1024 * 1024
BLOCK = 1024 * 1024

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ZIP = b"PK\x03\x04"


class Refused(Exception):
    """The file will not be read: ``code`` for programs, the text for people."""

    def __init__(self, code: str, detail: str, cause: str = "") -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.cause = cause  # for the log


@dataclass(frozen=True)
class Limits:
    max_rows: int
    max_unzipped: int  # bytes


def check(file: BinaryIO, limits: Limits) -> None:
    """Raise Refused unless the first sheet of ``file`` can be read in bounds."""
    _check_kind(file)
    try:
        with zipfile.ZipFile(file) as archive:
            _check_sizes(archive, limits)
            _check_content_types(archive)
            _scan(archive, _first_sheet(archive), limits)
    except (zipfile.BadZipFile, EOFError, KeyError, NotImplementedError, UnicodeError, OSError, RuntimeError) as error:
        raise Refused("not_xlsx", "The file is damaged or cut short. Save it again as .xlsx.") from error
    except zipfile.zlib.error as error:  # type: ignore[attr-defined]
        raise Refused("not_xlsx", "The file is damaged. Save it again as .xlsx.") from error
    except DefusedXmlException as error:
        raise Refused("unsafe_file", "The file declares XML entities, which no spreadsheet program writes.") from error
    except ParseError as error:
        raise Refused("not_xlsx", "The workbook inside the file cannot be read. Save it again as .xlsx.") from error


def _check_kind(file: BinaryIO) -> None:
    head = file.read(8)
    if not head:
        raise Refused("not_xlsx", "The file is empty.")
    if head == OLE:
        file.seek(0)
        if "EncryptedPackage".encode("utf-16-le") in file.read(4 * 1024 * 1024):
            raise Refused("not_xlsx", "The file is protected by a password. Save it without one.")
        raise Refused("not_xlsx", "This is an old Excel file (.xls). Save it as .xlsx.")
    if not head.startswith(ZIP):
        kind = "This looks like a text file, such as .csv." if _is_text(head) else "This is not an Excel file."
        raise Refused("not_xlsx", f"{kind} Save it as .xlsx.")
    file.seek(0)


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\r\n" for byte in head)


def _check_sizes(archive: zipfile.ZipFile, limits: Limits) -> None:
    entries = archive.infolist()
    names = {entry.filename for entry in entries}
    if "mimetype" in names and "content.xml" in names:
        raise Refused("not_xlsx", "This is an OpenDocument file (.ods). Save it as .xlsx.")
    if "xl/workbook.bin" in names:
        raise Refused("not_xlsx", "This is a binary workbook (.xlsb). Save it as .xlsx.")
    if "[Content_Types].xml" not in names or not any(name.endswith("workbook.xml") for name in names):
        raise Refused("not_xlsx", "This is a zip file, but not an Excel workbook.")
    if len(entries) > MAX_ENTRIES or len(names) != len(entries):
        raise Refused("unsafe_file", "The file is packed in a way that no spreadsheet program uses.")
    unzipped = sum(entry.file_size for entry in entries)
    if unzipped > limits.max_unzipped:
        raise Refused(
            "unsafe_file",
            f"Unpacked, the file would have {unzipped:,} bytes; at most {limits.max_unzipped:,} are read.",
        )
    for entry in entries:
        if entry.flag_bits & 0x1:
            raise Refused("not_xlsx", "The file is protected by a password. Save it without one.")
        if entry.file_size > RATIO_FROM and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise Refused("unsafe_file", "A part of the file is packed far more tightly than any sheet of contacts.")


def _check_content_types(archive: zipfile.ZipFile) -> None:
    types = _small(archive, "[Content_Types].xml")
    if any("macroEnabled" in (element.get("ContentType") or "") for element in types):
        raise Refused("not_xlsx", "This workbook may hold macros (.xlsm). Save it as .xlsx.")


def _small(archive: zipfile.ZipFile, name: str) -> Element:
    if archive.getinfo(name).file_size > SMALL_XML:
        raise Refused("unsafe_file", f"{name} is larger than any spreadsheet program writes it.")
    return fromstring(archive.read(name))


def _first_sheet(archive: zipfile.ZipFile) -> str:
    """The name of the zip entry with the first worksheet."""
    workbook = next(name for name in archive.namelist() if name.endswith("workbook.xml"))
    folder, _, base = workbook.rpartition("/")
    targets = {
        element.get("Id"): element.get("Target") or ""
        for element in _small(archive, f"{folder}/_rels/{base}.rels".lstrip("/"))
    }
    for element in _small(archive, workbook).iter():
        if element.tag.rpartition("}")[2] == "sheet":
            relation = next((value for name, value in element.attrib.items() if name.rpartition("}")[2] == "id"), None)
            target = targets.get(relation, "")
            return target.lstrip("/") if target.startswith("/") else f"{folder}/{target}".lstrip("/")
    raise Refused("not_xlsx", "The workbook has no sheet.")


# In two steps, each of which looks at every byte once, whatever the file makes of it.
_CELL = re.compile(rb"<(?:\w+:)?c(\s[^<>]*)>")
_PLACE = re.compile(rb"""\sr\s*=\s*["']\$?([A-Za-z]{1,4})\$?([0-9]{1,9})["']""")


def _places(text: bytes) -> list[tuple[bytes, bytes]]:
    """Column and row of each cell. One that closes itself has a format and no value: readers pass over it."""
    return _PLACE.findall(b"".join(cell for cell in _CELL.findall(text) if cell[-1:] != b"/"))


def _scan(archive: zipfile.ZipFile, sheet: str, limits: Limits) -> None:
    """Read the whole sheet once, a block at a time, which also proves its checksum."""
    last_row, last_column, rows, size, rest = 0, 1, 0, 0, b""
    with archive.open(sheet) as stream:
        while block := stream.read(BLOCK):
            size += len(block)
            if size > limits.max_unzipped:
                raise Refused("unsafe_file", "The file unpacks to more than it says.")
            text = rest + block
            cut = text.rfind(b"<")
            text, rest = (text[:cut], text[cut:]) if cut > 0 and len(text) - cut < BLOCK else (text, b"")
            if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                raise Refused("unsafe_file", "The file declares XML entities, which no spreadsheet program writes.")
            rows += text.count(b"<row") + text.count(b":row ")
            cells = _places(text)
            last_row = max(last_row, max((int(row) for _, row in cells), default=0))
            last_column = max(last_column, max(map(_column, {letters for letters, _ in cells}), default=0))
    if rows > limits.max_rows + 1:
        raise Refused("too_many_rows", f"The sheet has {rows - 1:,} rows; at most {limits.max_rows:,} are read.")
    if last_column > MAX_COLUMNS or last_row * last_column > MAX_CELLS:
        raise Refused("unsafe_file", "The sheet has a cell far to the right of all others. Delete that column.")
    if last_row > limits.max_rows * 2 or (last_row > FAR_FROM and last_row > FAR * rows):
        raise Refused(
            "unsafe_file", f"The sheet has a cell far below all others, in row {last_row:,}. Delete that row."
        )


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + letter - 64
    return number
