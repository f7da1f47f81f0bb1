"""Reading one row: its keys, and the errors that reject it."""

import re
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts.files import email_addresses, phone_numbers, rows
from contacts.files.cells import Cell, IsoDate, Unreadable, text_of
from contacts.files.email_addresses import email_key_of
from contacts.files.phone_numbers import phone_key_of
from contacts.files.rows import Rejected, Row

PHONES = {
    "+37491123456": "37491123456",
    "(+374) 91-12-34-56": "37491123456",
    "0037491123456": "37491123456",
    " 00 374 91 12.34/56 ": "37491123456",
    "+374\u00a091\u00a0123\u2011456": "37491123456",
    "\u202a+37491123456\u202c": "37491123456",
    "+374 91\u200b123\u00ad456" + " " * 70: "37491123456",
    "+374\u221291\u2212123456": "37491123456",
    "37491123456.0": "37491123456",
    "+37491123456.0 ": "37491123456",
    "37491123456.00": "37491123456",
    "37491123456,0": "37491123456",
    "3.7491123456E+10": "37491123456",
    "030/1234567": "0301234567",
    "12.34.00": "123400",
    "٣٧٤٩١١٢٣٤٥٦": "37491123456",
    "＋３７４９１１２３４５６": "37491123456",
    "３７４９１１２３４５６.0": "37491123456",
    "３７４９１１２３４５６．０": "37491123456",
    "٣٧٤٩١١٢٣٤٥٦.0": "37491123456",
    "\ufeff37491123456.0\u200b": "37491123456",
    "（０３０）１２３／４５６７": "0301234567",
    "030·1234567": "0301234567",
    "0037491/1234567": "374911234567",
    "+374910/1234567": "3749101234567",
    "091123456": "091123456",
    "14": "14",
}
INVALID_PHONES = [
    "call me", "+", "()", "1", "00", "+1234567890123456", "12a34", "=1+1", "1+1", "1;2", "12345\n6@x", "0" * 65,
    "ext. 5", "½½½", "++1234", "5555581\n5552698", "5555581\r\n5552698", "5555581\u20285552698", "5555581/5552698",
    "5555581\u200b / 5552698", "5555581／5552698", "5555581⁄5552698", "5555581\t5552698", "5555581 • 5552698",
    "٥٥٥٥٥٨١/٥٥٥٢٦٩٨", "5555581\x0b5552698", "5555581\x855552698",
    "+37491123456\x00", "12\x00345",
]  # fmt: skip


@pytest.mark.parametrize("text, key", PHONES.items())
def test_all_spellings_of_a_phone_number_have_one_key(text: str, key: str) -> None:
    assert phone_key_of(text, text) == (key, None)


@pytest.mark.parametrize("text", INVALID_PHONES)
def test_an_invalid_phone_number_is_rejected(text: str) -> None:
    key, fault = phone_key_of(text, text)
    assert (key, fault and fault.code) == ("", "phone_invalid")


@pytest.mark.parametrize(
    "cell, key, code",
    [
        (37491123456.0, "37491123456", None),
        (14.0, "14", None),
        (999999999999999.0, "999999999999999", None),
        (1e15, "", "phone_precision_lost"),
        (3.7e20, "", "phone_precision_lost"),
        (-14.0, "", "phone_invalid"),
        (14.5, "", "phone_invalid"),
        (float("nan"), "", "phone_invalid"),
        (float("inf"), "", "phone_precision_lost"),
        (True, "", "phone_invalid"),
        (IsoDate("2020-01-01"), "", "phone_invalid"),
        ("3.74911E+11", "", "phone_precision_lost"),
        ("", "", None),
        ("  ", "", None),
        ("\u200b\ufeff", "", None),
        ("\u3164\u2800 \u00ad", "", None),
    ],
)
def test_a_number_cell_is_its_digits(cell: object, key: str, code: str | None) -> None:
    found, fault = phone_key_of(text_of(cell), cell)
    assert (found, fault and fault.code) == (key, code)


EMAILS = {
    "ANA@Example.com ": "ana@example.com",
    "\u200bana@example.com\ufeff": "ana@example.com",
    "\u202aana@\u200bexample.com\u202c\u00a0": "ana@example.com",
    "\u200b \u3164": "",
    "müller@exämple.de": "müller@exämple.de",
    "mu\u0308ller@example.de": "müller@example.de",
    "b.eng..13@example.com": "b.eng..13@example.com",
    "o'neil+tag@sub.example.co.uk": "o'neil+tag@sub.example.co.uk",
    "a@xn--exmple-cua.de": "a@xn--exmple-cua.de",
    "someone@host.local": "someone@host.local",
}
INVALID_EMAILS = [
    "not-an-address", "a@b", "@example.com", "a@", "a b@example.com", "a@example..com", "a@-example.com",
    "a@example.com,b@example.com", "Ana <ana@example.com>", "x" * 65 + "@example.com", "a@" + "b" * 64 + ".com",
    "a@" + "b." * 130 + "com", "a@b@example.com", "=cmd@example.com\t|", "a@exam_ple.com", "a@[127.0.0.1]",
]  # fmt: skip


@pytest.mark.parametrize("text, key", EMAILS.items())
def test_all_spellings_of_an_address_have_one_key(text: str, key: str) -> None:
    assert email_key_of(text) == (key, None)


@pytest.mark.parametrize("text", INVALID_EMAILS)
def test_an_invalid_address_is_rejected(text: str) -> None:
    key, fault = email_key_of(text)
    assert (key, fault and fault.code, fault and fault.value) == ("", "email_invalid", text)


NOTHING = re.compile(r"(?!)")
texts = st.text(st.sampled_from("aAzZ09.-_+%'@ \u00e4ü--"), max_size=30)


@given(texts)
def test_the_fast_path_for_addresses_agrees_with_the_library(text: str) -> None:
    fast = email_key_of(text)
    with patch.object(email_addresses, "_PLAIN", NOTHING):
        slow = email_key_of(text)
    assert (fast[0], bool(fast[1])) == (slow[0], bool(slow[1]))


@given(st.text(st.sampled_from("0123456789+ ()-./"), max_size=20))
def test_the_fast_paths_for_phone_numbers_agree_with_the_slow_one(text: str) -> None:
    fast = phone_key_of(text, text)
    with patch.multiple(phone_numbers, _SIMPLE=NOTHING, _PLAIN=NOTHING):
        slow = phone_key_of(text, text)
    assert (fast[0], bool(fast[1])) == (slow[0], bool(slow[1]))


unreadable = st.builds(Unreadable, st.text(max_size=20), st.just("cell_error"), st.just("It cannot be read."))
cells = st.one_of(
    st.text(max_size=300), st.floats(), st.booleans(), st.builds(IsoDate, st.text(max_size=20)), unreadable
)


@given(cells, cells, cells)
def test_any_cells_give_a_row_or_a_reason_without_nul(name: object, phone: object, email: object) -> None:
    row = rows.read_row(2, name, phone, email)
    if isinstance(row, Row):
        assert row.phone_key or row.email_key
        assert row.phone_key == "" or (row.phone_key.isascii() and row.phone_key.isdigit())
    else:
        assert isinstance(row, Rejected)
        assert row.fault.code
        assert row.fault.message
    assert "\x00" not in "".join(str(part) for part in row)


@pytest.mark.parametrize("place", range(3))
def test_an_unreadable_cell_rejects_its_row_and_is_not_empty(place: int) -> None:
    values: list[Cell] = ["Ana", "+37491123456", "ana@example.com"]
    values[place] = Unreadable("#N/A", "cell_error", "The cell contains the error #N/A.")
    row = rows.read_row(2, *values)
    assert isinstance(row, Rejected)
    assert (row.fault.column, row.fault.code, row.fault.value) == (rows.COLUMNS[place], "cell_error", "#N/A")


@pytest.mark.parametrize("place", range(3))
def test_a_long_run_of_combining_marks_rejects_its_row(place: int) -> None:
    values = ["Ana", "+37491123456", "ana@example.com"]
    values[place] += "\u0301\u0323" * 16
    row = rows.read_row(2, *values)
    assert isinstance(row, Rejected)
    assert row.fault.code == "too_many_marks"


def test_a_row_with_several_errors_lists_them_all() -> None:
    row = rows.read_row(5, "x" * 201, "call me", "nobody")
    assert isinstance(row, Rejected)
    assert (row.fault.column, row.fault.code) == ("Name", "name_too_long")
    assert "phone number" in row.fault.message
    assert "@" in row.fault.message
