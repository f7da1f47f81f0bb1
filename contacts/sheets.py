"""Writing .xlsx: openpyxl makes the workbook around them, the rows are streamed into it.

Every cell is a string cell in text format with a quote prefix. A text such as ``=1+1`` or ``+49…`` is therefore shown
as it came, read again as it came, and calculated by no spreadsheet program, also after somebody has edited it.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Font
from openpyxl.worksheet.worksheet import Worksheet

CONTENT_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHEET_ROWS = 1_048_575  # below the header; where Excel's sheets end
CELL_CHARACTERS = 32_767
TEXT_FORMAT = "@"
PIECE = 64 * 1024


def template(columns: Sequence[str]) -> bytes:
    """An empty sheet with these columns, each in text format: what is typed there stays as it is typed."""
    return _saved(_workbook(columns, sheets=1))


def stream(columns: Sequence[str], rows: Iterable[Sequence[str]], *, count: int) -> Iterator[bytes]:
    """The file with ``rows``, piece by piece. ``count`` (about as many rows) says how many sheets there have to be."""
    book = _workbook(columns, sheets=count // SHEET_ROWS + 1, example=True)
    frame = zipfile.ZipFile(io.BytesIO(_saved(book)))
    rows = iter(rows)
    pipe = _Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for entry in frame.infolist():
            content = frame.read(entry)
            if not entry.filename.startswith("xl/worksheets/sheet"):
                archive.writestr(entry.filename, content)
                continue
            head, style, tail = _cut(content)
            with archive.open(entry.filename, "w") as part:
                part.write(head)
                lines = _lines(islice(rows, SHEET_ROWS), style, columns=len(columns))
                while text := "".join(islice(lines, 500)):
                    part.write(text.encode())
                    if pipe.size > PIECE:
                        yield pipe.take()
                part.write(tail)
    yield pipe.take()


class _Pipe(io.RawIOBase):
    """Takes what zipfile writes, and gives it on. It has no ``seek``, so zipfile never goes back to what is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self.pieces.append(piece)
        self.size += len(piece)
        return len(piece)

    def close(self) -> None:
        """Nothing is held open; zipfile's type asks for it."""

    def take(self) -> bytes:
        taken, self.pieces, self.size = b"".join(self.pieces), [], 0
        return taken


def _workbook(columns: Sequence[str], *, sheets: int, example: bool = False) -> Workbook:
    book = Workbook()
    sheet: Worksheet = book.active
    sheet.title = "Contacts"
    for number in range(sheets):
        if number:
            sheet = book.create_sheet(f"Contacts {number + 1}")
        sheet.append(list(columns))
        sheet.freeze_panes = "A2"
        for place, cell in enumerate(sheet[1], 1):
            cell.font = Font(bold=True)
            column = sheet.column_dimensions[cell.column_letter]
            column.width, column.number_format = 30, TEXT_FORMAT
            if example:
                filled = sheet.cell(2, place, "example")
                filled.number_format, filled.quotePrefix = TEXT_FORMAT, True
    return book


def _saved(book: Workbook) -> bytes:
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def _cut(sheet: bytes) -> tuple[bytes, str, bytes]:
    """The sheet's XML before and after its example row, and the number of that row's style."""
    found = re.search(rb'<row r="2".*?</row>', sheet, re.DOTALL)
    style = re.search(rb'<c r="A2" s="([0-9]+)"', sheet)
    if found is None or style is None:
        raise ValueError("openpyxl writes its rows in another way now.")
    return sheet[: found.start()], style[1].decode(), sheet[found.end() :]


# What XML cannot hold, in the spelling of ECMA-376 (ST_Xstring), and what would be taken for that spelling.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_MARKUP = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def escaped(text: str) -> str:
    text = text[:CELL_CHARACTERS].translate(_MARKUP)
    return _UNPRINTABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def _lines(rows: Iterable[Sequence[str]], style: str, *, columns: int) -> Iterator[str]:
    letters = [chr(65 + place) for place in range(columns)]
    kind = f' s="{style}" t="inlineStr"><is><t xml:space="preserve">'
    for number, row in enumerate(rows, 2):
        cells = "".join(
            f'<c r="{letter}{number}"{kind}{escaped(text)}</t></is></c>'
            for letter, text in zip(letters, row, strict=True)
            if text
        )
        yield f'<row r="{number}">{cells}</row>'
