"""Reads the cells of a worksheet as a stream, with expat. Namespace prefixes are ignored.

Memory does not grow with the sheet, so a cell far from all others costs nothing. Every cell keeps its type. It takes
1.6 times the processor time of python-calamine and its check (docs/decisions/worksheets-are-streamed.md).
"""

from collections.abc import Callable, Iterator
from typing import IO, Any
from xml.parsers import expat

from .cells import NO_VALUE, Cell, cell_of, text_cell, text_of
from .limits import InvalidSheet
from .package import ENTITIES, TOO_LARGE

BLOCK = 256 * 1024  # bytes
MAX_ROW = 1_048_576
MAX_COLUMN = 16_384
# Rows have this key if two of their cells claim the same place.
SECOND_VALUE = MAX_COLUMN
# The only column of a row of a CSV file that cannot be read.
WHOLE_ROW = -1

Cells = dict[int, Cell]


def _parser(start: Callable, end: Callable) -> Any:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    return parser


def _refuse_doctype(*_: Any) -> None:
    raise InvalidSheet("unsafe_file", ENTITIES)


def read_shared_strings(stream: IO[bytes]) -> list[Cell]:
    """Return the texts of a shared strings part, without their phonetic readings."""
    strings: list[Cell] = []
    pieces: list[str] = []
    phonetic = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal phonetic
        if name == "t":
            if not phonetic:
                parser.CharacterDataHandler = pieces.append
        elif name == "rPh":
            phonetic = True
        elif ":" in name:
            start(name.rpartition(":")[2], attributes)

    def end(name: str) -> None:
        nonlocal phonetic
        if name == "t":
            parser.CharacterDataHandler = None
        elif name == "rPh":
            phonetic = False
        elif name == "si":
            strings.append(text_cell("".join(pieces)))
            pieces.clear()
        elif ":" in name:
            end(name.rpartition(":")[2])

    parser = _parser(start, end)
    _feed(parser, stream)
    return strings


def read_rows(stream: IO[bytes], strings: list[Cell], max_text: int) -> Iterator[tuple[int, Cells]]:
    """Yield the number of each row that has a value, and its cells by column (A is 0).

    Row numbers always increase. Raises InvalidSheet if the cells refer to shared texts of more than ``max_text``
    characters in all, and ValueError or expat.ExpatError for XML that is not well-formed.
    """
    rows: list[tuple[int, Cells]] = []
    cells: Cells = {}
    pieces: list[str] = []
    columns = _Columns()
    row = column = 0
    kind = "n"
    text_left = max_text
    # What the parser is in: an open row, an open cell; and what the open cell has contained so far.
    in_row = in_cell = phonetic = False
    formula = valued = inline = False

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal row, column, kind, in_row, in_cell, phonetic, formula, valued, inline, cells
        if name == "c":
            if in_row:
                in_cell, formula, valued, inline = True, False, False, False
                kind = attributes.get("t", "n")
                place = attributes.get("r")
                found = columns[place.rstrip("0123456789")] if place else -1
                column = found if found >= 0 else column + 1
        elif name == "v":
            if in_cell:
                valued = True
                parser.CharacterDataHandler = pieces.append
        elif name == "t":
            if in_cell and not phonetic:
                inline = True
                parser.CharacterDataHandler = pieces.append
        elif name == "f":
            formula = True
        elif name == "row":
            in_row = True
            cells = {}
            column = -1
            row = _row_number(attributes.get("r", ""), after=row)
        elif name == "rPh":
            phonetic = True
        elif ":" in name:
            start(name.rpartition(":")[2], attributes)

    def end(name: str) -> None:
        nonlocal in_row, in_cell, phonetic, text_left
        if name == "v" or name == "t":
            parser.CharacterDataHandler = None
        elif name == "c":
            if not in_cell:
                return
            in_cell = False
            value = "".join(pieces)
            pieces.clear()
            if value.isspace() and not inline and kind != "str":
                value = ""  # the indentation of pretty-printed XML
            if value or kind == "e":
                cell = cell_of("inlineStr" if inline else kind, value, strings)
                if kind == "s":
                    text_left -= len(text_of(cell))
                    if text_left < 0:
                        raise InvalidSheet("unsafe_file", TOO_LARGE)
            elif formula and not (kind == "str" and valued):
                cell = NO_VALUE
            else:
                return
            cells[column if column not in cells else SECOND_VALUE] = cell
        elif name == "row":
            in_row = False
            if cells:
                rows.append((row, cells))
        elif name == "rPh":
            phonetic = False
        elif ":" in name:
            end(name.rpartition(":")[2])

    parser = _parser(start, end)
    for _ in _blocks(parser, stream):
        yield from rows
        rows.clear()


class _Columns(dict[str, int]):
    """Maps ``AB`` and ``$AB$`` to 27; anything else to -1."""

    def __missing__(self, letters: str) -> int:
        number = 0
        for letter in letters.replace("$", "").upper():
            number = number * 26 + ord(letter) - 64 if "A" <= letter <= "Z" and number < MAX_COLUMN else -MAX_COLUMN
        number = number - 1 if 0 < number <= MAX_COLUMN else -1
        if len(self) < MAX_COLUMN:
            self[letters] = number
        return number


def _row_number(declared: str, *, after: int) -> int:
    """Return the declared number of a row, or the next one if it is missing, invalid or not behind the last row."""
    number = int(declared) if declared.isdecimal() and len(declared) < 9 else 0
    return number if after < number <= MAX_ROW else after + 1


def _blocks(parser: Any, stream: IO[bytes]) -> Iterator[None]:
    while block := stream.read(BLOCK):
        parser.Parse(block)
        yield
    parser.Parse(b"", True)
    yield


def _feed(parser: Any, stream: IO[bytes]) -> None:
    for _ in _blocks(parser, stream):
        pass
