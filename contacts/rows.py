"""What one row of a sheet means: its three texts, the keys that are compared, or the faults that keep it out.

Nothing here needs Django: the reader process imports it alone.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

NAME, PHONE, EMAIL = "Name", "Phone Number", "Email Address"
COLUMNS = (NAME, PHONE, EMAIL)

NAME_LENGTH = 200
PHONE_TEXT = 64  # characters of one phone number as people write it
PHONE_DIGITS = (2, 15)  # E.164 ends at fifteen
EMAIL_LENGTH = 254
EXACT_FLOAT = 10**15  # from here on a sheet's number has lost digits

Cell = object  # what calamine gives: str, float, int, bool, or one of datetime's


class Fault(NamedTuple):
    """Why a row is rejected: the column's name, a code for programs, a sentence for people, and the text at fault."""

    column: str
    code: str
    message: str
    value: str


class Row(NamedTuple):
    """A row that may be stored. An empty key means that it has none of that kind."""

    row: int
    name: str
    phone_number: str
    email_address: str
    phone_key: str
    email_key: str


class Rejected(NamedTuple):
    row: int
    name: str
    phone_number: str
    email_address: str
    fault: Fault


def text_of(cell: Cell) -> str:
    """A cell as the text that people see, ``37491123456.0`` as ``37491123456``. Postgres holds no NUL."""
    if isinstance(cell, str):
        return cell.replace("\x00", "\ufffd") if "\x00" in cell else cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < EXACT_FLOAT:
        return str(int(cell))
    return "" if cell is None else str(cell)


def is_blank(cells: Sequence[Cell]) -> bool:
    return not any(not isinstance(cell, str) or cell.strip() for cell in cells)


def read(number: int, name_cell: Cell, phone_cell: Cell, email_cell: Cell) -> Row | Rejected:
    """Decide row ``number`` of a sheet: either what may be stored, or its faults."""
    name, phone, email = text_of(name_cell), text_of(phone_cell), text_of(email_cell)
    faults: list[Fault] = []
    if len(name) > NAME_LENGTH:
        faults.append(Fault(NAME, "name_too_long", f"A name has at most {NAME_LENGTH} characters.", name))
    phone_key, fault = phone_key_of(phone, phone_cell)
    if fault:
        faults.append(fault)
    email_key, fault = email_key_of(email)
    if fault:
        faults.append(fault)
    if not (phone_key or email_key or faults):
        faults.append(
            Fault(f"{PHONE}, {EMAIL}", "no_phone_or_email", "A row needs a phone number or an e-mail address.", "")
        )
    if faults:
        first = faults[0]
        return Rejected(number, name, phone, email, first._replace(message=" ".join(f.message for f in faults)))
    return Row(number, name, phone, email, phone_key, email_key)


def stray(number: int, name_cell: Cell, phone_cell: Cell, email_cell: Cell) -> Rejected:
    """A row with something outside the three columns: storing the rest of it would lose that silently."""
    return Rejected(
        number, text_of(name_cell), text_of(phone_cell), text_of(email_cell),
        Fault("", "extra_cell", f"There is something outside the columns {', '.join(COLUMNS)}.", ""),
    )  # fmt: skip


_PLAIN_PHONE = re.compile(r"[ (]*\+?[0-9 ()./-]+\Z", re.ASCII)
_ONE_PLUS_IN_FRONT = re.compile(r"[^0-9+＋]*[+＋]?[^+＋]*\Z")
_DROP = str.maketrans("", "", "+ ()./-")
_SCIENTIFIC = re.compile(r"[0-9]([.,][0-9]+)?[eE]\+?[0-9]+\Z")
# Spaces, dashes and brackets of any script, and the invisible marks that address books leave around a number.
_PUNCTUATION = {"Zs", "Pd", "Ps", "Pe", "Cf", "Cc"}


def phone_key_of(text: str, cell: Cell = None) -> tuple[str, Fault | None]:
    """The digits that are compared, ``00`` in front dropped as ``+`` is; ``("", None)`` for an empty text."""
    if isinstance(cell, (int, float)) and not isinstance(cell, bool):
        if abs(cell) >= EXACT_FLOAT:
            return "", _lost(text)
        if not (cell >= 0 and float(cell).is_integer()):
            return "", _no_phone(text)
    elif not text or text.isspace():
        return "", None
    elif not isinstance(cell, (str, type(None))):
        return "", _no_phone(text)
    if len(text) > PHONE_TEXT:
        return "", _no_phone(text)
    if _PLAIN_PHONE.match(text):
        digits = text.translate(_DROP)
    else:
        if _SCIENTIFIC.match(text.strip()):
            return "", _lost(text)
        spelled = _digits_of_any_script(text)
        if spelled is None:
            return "", _no_phone(text)
        digits = spelled
    digits = digits.removeprefix("00")
    if not PHONE_DIGITS[0] <= len(digits) <= PHONE_DIGITS[1]:
        return "", Fault(
            PHONE, "phone_invalid", f"A phone number has {PHONE_DIGITS[0]} to {PHONE_DIGITS[1]} digits.", text
        )
    return digits, None


def _digits_of_any_script(text: str) -> str | None:
    """The digits as ASCII, by phonenumbers; None where something else than a number's punctuation stands between."""
    stripped = "".join(c for c in text if unicodedata.category(c) != "Cf").strip()
    if not _ONE_PLUS_IN_FRONT.match(stripped):
        return None
    for char in stripped:
        if not (char.isdecimal() or char in "+＋./·" or unicodedata.category(char) in _PUNCTUATION):
            return None
    import phonenumbers

    return phonenumbers.normalize_digits_only(stripped)


def _no_phone(text: str) -> Fault:
    return Fault(PHONE, "phone_invalid", "This is not a phone number: digits, spaces and + ( ) - . / only.", text)


def _lost(text: str) -> Fault:
    return Fault(
        PHONE,
        "phone_precision_lost",
        "The sheet holds this as a number so large that its last digits are lost. Format the column as text and type "
        "it again.",
        text,
    )


_PLAIN_EMAIL = re.compile(r"[a-z0-9_+%'.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z", re.ASCII)
# What str.strip() leaves standing, and no address begins or ends with.
_INVISIBLE = "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"


def email_key_of(text: str) -> tuple[str, Fault | None]:
    """The address trimmed, NFC and in lower case; ``("", None)`` for an empty text."""
    trimmed = text.strip().strip(_INVISIBLE).strip()
    if not trimmed:
        return "", None
    key = trimmed.lower()
    plain = _PLAIN_EMAIL.match(key) and "--" not in key and len(key) <= EMAIL_LENGTH
    if plain:
        return key, None
    key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", trimmed).lower())
    problem = _problem_with_email(key)
    return ("", Fault(EMAIL, "email_invalid", problem, text)) if problem else (key, None)


def _problem_with_email(address: str) -> str:
    """What is wrong with an address beyond the plain ones, by email-validator; "" when nothing is."""
    from email_validator import EmailNotValidError, validate_email

    if len(address) > EMAIL_LENGTH:
        return f"An e-mail address has at most {EMAIL_LENGTH} characters."
    # Dots side by side or at an end stand in no RFC, but in many an address that works (docomo gave them out).
    local, at, domain = address.rpartition("@")
    local = re.sub(r"\.{2,}", ".", local).strip(".") or local
    try:
        checked = validate_email(
            local + at + domain, check_deliverability=False, globally_deliverable=False, strict=True
        )
    except EmailNotValidError as error:
        return str(error)
    return "" if "." in checked.domain else "The part after the @ has no dot."
