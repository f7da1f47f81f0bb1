"""What one row means: the keys that are compared, and the faults that keep it out."""

import datetime
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contacts import rows
from contacts.rows import Rejected, Row, email_key_of, phone_key_of

PHONES = {
    "+37491123456": "37491123456",
    "(+374) 91-12-34-56": "37491123456",
    "0037491123456": "37491123456",
    " 00 374 91 12.34/56 ": "37491123456",
    "+374\u00a091\u00a0123\u2011456": "37491123456",
    "\u202a+37491123456\u202c": "37491123456",
    "٣٧٤٩١١٢٣٤٥٦": "37491123456",
    "＋３７４９１１２３４５６": "37491123456",
    "091123456": "091123456",
    "14": "14",
}
NO_PHONES = [
    "call me", "+", "()", "1", "00", "+1234567890123456", "12a34", "=1+1", "1+1", "1;2", "12345\n6@x", "0" * 65,
    "ext. 5", "½½½", "++1234",
]  # fmt: skip


@pytest.mark.parametrize("text, key", PHONES.items())
def test_spellings_of_one_phone_have_one_key(text: str, key: str) -> None:
    assert phone_key_of(text, text) == (key, None)


@pytest.mark.parametrize("text", NO_PHONES)
def test_what_is_no_phone_is_said_so(text: str) -> None:
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
        (datetime.date(2020, 1, 1), "", "phone_invalid"),
        ("3.74911E+11", "", "phone_precision_lost"),
        ("", "", None),
        ("  ", "", None),
    ],
)
def test_a_number_cell_is_its_digits(cell: object, key: str, code: str | None) -> None:
    found, fault = phone_key_of(rows.text_of(cell), cell)
    assert (found, fault and fault.code) == (key, code)


EMAILS = {
    "ANA@Example.com ": "ana@example.com",
    "\u200bana@example.com\ufeff": "ana@example.com",
    "müller@exämple.de": "müller@exämple.de",
    "mu\u0308ller@example.de": "müller@example.de",
    "b.eng..13@example.com": "b.eng..13@example.com",
    "o'neil+tag@sub.example.co.uk": "o'neil+tag@sub.example.co.uk",
    "a@xn--exmple-cua.de": "a@xn--exmple-cua.de",
    "someone@host.local": "someone@host.local",
}
NO_EMAILS = [
    "not-an-address", "a@b", "@example.com", "a@", "a b@example.com", "a@example..com", "a@-example.com",
    "a@example.com,b@example.com", "Ana <ana@example.com>", "x" * 65 + "@example.com", "a@" + "b" * 64 + ".com",
    "a@" + "b." * 130 + "com", "a@b@example.com", "=cmd@example.com\t|", "a@exam_ple.com", "a@[127.0.0.1]",
]  # fmt: skip


@pytest.mark.parametrize("text, key", EMAILS.items())
def test_spellings_of_one_address_have_one_key(text: str, key: str) -> None:
    assert email_key_of(text) == (key, None)


@pytest.mark.parametrize("text", NO_EMAILS)
def test_what_is_no_address_is_said_so(text: str) -> None:
    key, fault = email_key_of(text)
    assert (key, fault and fault.code, fault and fault.value) == ("", "email_invalid", text)


texts = st.text(st.sampled_from("aAzZ09.-_+%'@ \u00e4ü--"), max_size=30)


@given(texts)
def test_the_fast_path_for_addresses_says_what_the_library_says(text: str) -> None:
    fast = email_key_of(text)
    with patch.object(rows, "_PLAIN_EMAIL", rows.re.compile(r"(?!)")):
        slow = email_key_of(text)
    assert (fast[0], bool(fast[1])) == (slow[0], bool(slow[1]))


@given(st.text(st.sampled_from("0123456789+ ()-./"), max_size=20))
def test_the_fast_path_for_phones_says_what_the_library_says(text: str) -> None:
    fast = phone_key_of(text, text)
    with patch.object(rows, "_PLAIN_PHONE", rows.re.compile(r"(?!)")):
        slow = phone_key_of(text, text)
    assert (fast[0], bool(fast[1])) == (slow[0], bool(slow[1]))


cells = st.one_of(
    st.text(max_size=300), st.floats(), st.integers(), st.booleans(), st.none(), st.dates(), st.datetimes(), st.times()
)


@given(cells, cells, cells)
def test_any_cells_are_a_row_or_its_fault_and_hold_no_nul(name: object, phone: object, email: object) -> None:
    row = rows.read(2, name, phone, email)
    if isinstance(row, Row):
        assert row.phone_key or row.email_key
        assert row.phone_key == "" or (row.phone_key.isascii() and row.phone_key.isdigit())
    else:
        assert isinstance(row, Rejected)
        assert row.fault.code
        assert row.fault.message
    assert "\x00" not in "".join(str(part) for part in row)


def test_a_row_with_several_faults_names_them_all() -> None:
    row = rows.read(5, "x" * 201, "call me", "nobody")
    assert isinstance(row, Rejected)
    assert (row.fault.column, row.fault.code) == ("Name", "name_too_long")
    assert "phone number" in row.fault.message
    assert "@" in row.fault.message
