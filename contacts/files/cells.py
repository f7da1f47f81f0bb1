"""The values of cells."""

import re
from dataclasses import dataclass

EXACT = 10**15  # a number from here on may have lost digits
CELL_LENGTH = 32_767  # characters, the limit of spreadsheet programs


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A cell that is not empty and has no value that can be imported. ``text`` is what the cell shows."""

    text: str
    code: str
    message: str


class IsoDate(str):
    """A cell of type ``d``."""

    __slots__ = ()


Cell = str | float | bool | Unreadable

NO_VALUE = Unreadable(
    "", "formula_without_value",
    "The file does not contain the result of this formula. Save it again in a spreadsheet program.",
)  # fmt: skip
_UNREADABLE_MESSAGE = "The value of this cell cannot be read."
_TOO_LONG = f"The cell has more than {CELL_LENGTH:,} characters."
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\Z", re.ASCII)
_ESCAPE = re.compile("_x([0-9A-Fa-f]{4})_")


def cell_of(kind: str, value: str, strings: list[Cell]) -> Cell:
    """Return the value of a cell from its type (the attribute ``t``) and the text of its value, which is not empty.

    The number format is ignored: a phone number that is shown as a date or as hours is still its digits.
    """
    if len(value) > CELL_LENGTH:
        return text_cell(value)
    if kind in ("str", "inlineStr"):
        return unescape(value)
    value = value.strip()
    if kind == "s":
        if value.isdecimal() and len(value) < 10 and int(value) < len(strings):
            return strings[int(value)]
    elif kind == "n":
        if _NUMBER.match(value):
            return float(value)
    elif kind == "b":
        if value in ("0", "1", "true", "false"):
            return value in ("1", "true")
    elif kind == "d":
        return IsoDate(value)
    elif kind == "e":
        return Unreadable(value, "cell_error", f"The cell contains the error {value[:40]}.")
    return Unreadable(value, "cell_unreadable", _UNREADABLE_MESSAGE)


def text_cell(value: str) -> Cell:
    """Return a cell with the text ``value``. One above ``CELL_LENGTH`` is cut: a few of them could fill the memory."""
    if len(value) > CELL_LENGTH:
        return Unreadable(value[:CELL_LENGTH], "cell_unreadable", _TOO_LONG)
    return unescape(value)


def unescape(text: str) -> str:
    """Decode ``_x000D_`` and the like (ECMA-376, ST_Xstring). The result contains no lone surrogates."""
    if "_x" not in text:
        return text
    decoded = _ESCAPE.sub(lambda found: chr(int(found[1], 16)), text)
    return decoded.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def text_of(cell: Cell) -> str:
    """Return a cell as people see it, ``37491123456.0`` as ``37491123456``. NUL is replaced: Postgres rejects it."""
    if isinstance(cell, str):
        return cell.replace("\x00", "\ufffd") if "\x00" in cell else cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, Unreadable):
        return cell.text.replace("\x00", "\ufffd")
    return str(int(cell)) if cell.is_integer() and abs(cell) < EXACT else str(cell)
