"""Reads a phone number from a cell."""

import re
import unicodedata
from decimal import Decimal
from typing import NamedTuple

from config.text import is_blank, remove_invisible

from .cells import EXACT, Cell, IsoDate

PHONE = "Phone Number"
MAX_TEXT = 64  # characters of one number as people write it
MIN_DIGITS, MAX_DIGITS = 2, 15  # E.164 ends at fifteen
INVALID = "This is not a phone number. Use digits, spaces and + ( ) - . / only."
SEVERAL = "The cell contains more than one phone number. Use one row for each."
DIGITS_LOST = (
    "The number is so large that the sheet has lost its last digits. Format the column as text and type it again."
)


class Fault(NamedTuple):
    """Why a row is rejected: the column, a code for programs, a sentence for people, and the invalid text."""

    column: str
    code: str
    message: str
    value: str


_SIMPLE = re.compile(r"\(?\+?[0-9 ()-]{1,64}\Z", re.ASCII)
_PLAIN = re.compile(r" *\(? *\+?[0-9 ()./-]+\Z", re.ASCII)
_PLUS_ONLY_IN_FRONT = re.compile(r"[^0-9+]*\+?[^+]*\Z")
_DROP = str.maketrans("", "", "+ ()./-")
_SCIENTIFIC = re.compile(r"[0-9](?:[.,]([0-9]+))?[eE]\+?([0-9]{1,3})\Z", re.ASCII)
# A number that a program wrote as a floating-point number: 15551234567.0
_FLOAT = re.compile(r"(\+?[0-9]+)[.,]0\Z|(\+?[0-9]{7,})[.,]00\Z", re.ASCII)
# These separate two numbers in one cell. Some of them also separate an area code, which has fewer than seven digits.
_SEPARATOR = re.compile(r"[/⁄∕\t•·∙⋅・･]")
_SHORTEST_NUMBER = 7  # digits
# Spaces, dashes and brackets of any script.
_PUNCTUATION = {"Zs", "Pd", "Ps", "Pe"}
# Characters that look like a dash, a full stop or a slash and are in none of these categories.
_MORE_PUNCTUATION = "+./·•․⁄∕∙⋅・･−˗ー~～\t"
_FULL_WIDTH = str.maketrans("＋．／，－（）", "+./,-()")


def phone_key_of(text: str, cell: Cell | None = None) -> tuple[str, Fault | None]:
    """Return the digits that are compared, without a leading ``00``, and what is wrong with the number.

    Invisible characters are ignored. An empty text is ``("", None)``. ``cell`` is the value of a cell that is no text.
    """
    if isinstance(cell, int | float):
        if isinstance(cell, bool) or cell < 0 or not (float(cell).is_integer() or abs(cell) >= EXACT):
            return "", _fault(INVALID, text)
        if cell >= EXACT:
            return "", _fault(DIGITS_LOST, text, "phone_precision_lost")
    elif isinstance(cell, IsoDate):
        return "", _fault(INVALID, text)
    number = remove_invisible(text).strip()
    if _SIMPLE.match(number):  # most numbers: no need to look for any of the following
        return _checked(number.translate(_DROP), text)
    if not number or is_blank(number):
        return "", None
    if len(number) > MAX_TEXT:
        return "", _fault(INVALID, text)
    if not number.isascii():
        number = _with_ascii_digits(number)
    if found := _FLOAT.match(number):
        number = found[1] or found[2]
    elif found := _SCIENTIFIC.match(number):
        if len(found[1] or "") < int(found[2]):
            return "", _fault(DIGITS_LOST, text, "phone_precision_lost")
        number = str(int(Decimal(number.replace(",", "."))))
    if len(number.splitlines()) > 1 or _is_two_numbers(number):
        return "", _fault(SEVERAL, text)
    digits = number.translate(_DROP) if _PLAIN.match(number) else _digits_among_punctuation(number)
    return ("", _fault(INVALID, text)) if digits is None else _checked(digits, text)


def _checked(digits: str, text: str) -> tuple[str, Fault | None]:
    digits = digits.removeprefix("00")
    if not MIN_DIGITS <= len(digits) <= MAX_DIGITS:
        return "", _fault(f"A phone number has {MIN_DIGITS} to {MAX_DIGITS} digits.", text)
    return digits, None


def _with_ascii_digits(number: str) -> str:
    """Return ``number`` with the digits of any script, and the signs of full width, as ASCII."""
    return "".join(str(unicodedata.decimal(char, char)) for char in number.translate(_FULL_WIDTH))


def _is_two_numbers(number: str) -> bool:
    if number.startswith(("+", "00")):  # the first part may be a country and an area code
        return False
    parts = _SEPARATOR.split(number)
    return len(parts) == 2 and all(sum(map(str.isdecimal, part)) >= _SHORTEST_NUMBER for part in parts)


def _digits_among_punctuation(number: str) -> str | None:
    """Return the digits, or None if there is anything but digits and a number's punctuation."""
    if not _PLUS_ONLY_IN_FRONT.match(number):
        return None
    for char in number:
        if not (char.isdecimal() or char in _MORE_PUNCTUATION or unicodedata.category(char) in _PUNCTUATION):
            return None
    return "".join(filter(str.isdecimal, number))


def _fault(message: str, text: str, code: str = "phone_invalid") -> Fault:
    return Fault(PHONE, code, message, text)
