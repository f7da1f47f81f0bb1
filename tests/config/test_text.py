"""Invisible characters, blank texts and combining marks, in Python and in Postgres."""

import time
import unicodedata

import pytest
from django.db import connection

from config import text

LATIN_MARKS = "".join(map(chr, range(0x300, 0x34F)))


@pytest.mark.parametrize("value", [
    "", " ", "\t\n", "\u200b", "\u2800", "\u3164", "\uffa0", "\u115f", "\ufeff", "\u00ad", "\u2066\u2069", "\U000e0020",
    "\u00a0\u3000", "\u180e", "\x00\x1f", "\ufe0f",
])  # fmt: skip
def test_a_text_that_displays_nothing_is_blank(value: str) -> None:
    assert text.is_blank(value)


@pytest.mark.parametrize("value", ["a", "´", "\u0301", "❤\ufe0f", "\u200bx\u200b", "ㅤa", ".", "١"])
def test_a_text_that_displays_something_is_not_blank(value: str) -> None:
    assert not text.is_blank(value)


def test_invisible_characters_are_removed() -> None:
    assert text.remove_invisible("Ho\u200bme\u202a \u2066sweet\u2069\u00ad") == "Home sweet"


@pytest.mark.parametrize(
    "mark", ["\u0301", "\u093e", "\u20dd", "\uff9e", "\u0654", "\ufe0f", "\U000e0100", "\U0001d165"]
)
def test_thirty_marks_in_a_row_are_allowed_and_more_are_not(mark: str) -> None:
    assert not text.has_long_mark_run("e" + mark * 30 + "x" + mark * 30)
    assert text.has_long_mark_run("e" + mark * 31)


def test_invisible_characters_do_not_interrupt_a_run_of_marks() -> None:
    assert text.has_long_mark_run("e" + "\u0301\u200b" * 31)
    assert not text.has_long_mark_run("e" + "\u200b" * 100)


@pytest.mark.parametrize("value", ["नमस्ते दुनिया " * 5000, "שָׁלוֹם " * 9000, "plain " * 20000, "👨‍👩‍👧‍👦" * 5000])
def test_texts_of_languages_and_emoji_have_no_long_runs(value: str) -> None:
    assert not text.has_long_mark_run(value)


@pytest.mark.thorough
@pytest.mark.django_db
def test_python_and_postgres_ignore_the_same_characters_in_a_search() -> None:
    codes = [*range(1, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT code FROM unnest(%s::int[]) AS code WHERE public.atrium_fold(chr(code)) = ''", [codes])
        ignored = {code for (code,) in cursor.fetchall()}
    assert ignored == {code for code in codes if text.folds_to_nothing(chr(code))}


@pytest.mark.django_db
def test_python_and_postgres_agree_which_texts_are_blank() -> None:
    def blank_in_postgres(values: list[str]) -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT value FROM unnest(%s) AS value WHERE value ~ %s", [values, text.BLANK_IN_POSTGRES])
            return [value for (value,) in cursor.fetchall()]

    # Python's Unicode version may be older than the table's, and lacks some of its characters.
    chars = [chr(code) for code in (*range(1, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000))]
    chars = [char for char in chars if unicodedata.category(char) != "Cn"]
    assert blank_in_postgres(chars) == [char for char in chars if text.is_blank(char)]
    assert blank_in_postgres(["\u3164\n\u2800", "\u3164\na", "a\n\u3164"]) == ["\u3164\n\u2800"]


@pytest.mark.thorough
@pytest.mark.django_db
@pytest.mark.parametrize("value", [
    LATIN_MARKS * 1300, "e" + "\u0327\u0301" * 50_000, "\uff9e\u0301" * 50_000, "\u094d\u093c" * 50_000,
    "\u0301\u200b\u0327" * 33_000, "ế" * 100_000, "\u0344" * 100_000, "\u1fbf\u0301" * 50_000, "привет " * 14_000,
])  # fmt: skip
def test_folding_takes_linear_time(value: str) -> None:
    def seconds(text: str) -> float:
        started = time.monotonic()
        cursor.execute("SELECT length(public.atrium_fold(%s))", [text])
        return time.monotonic() - started

    with connection.cursor() as cursor:
        seconds("é")
        tenth = min(seconds(value[: len(value) // 10]) for _ in range(3))
        # Quadratic time would be a hundred times as long. A busy machine delays one of three attempts, not all.
        assert min(seconds(value) for _ in range(3)) < 50 * tenth + 0.1


FOLDED = [
    ("phone +39 333", "\u202a+39\u202c"), ("a\u2066b\u2069c", "abc"), ("x\u061cy", "xy"),
    ("\u845b\U000e0100\u98fe", "\u845b\u98fe"), ("\u0623\u062d\u0645\u062f", "\u0627\u062d\u0645\u062f"),
    ("آخر", "اخر"), ("مؤمن", "مومن"), ("don't", "don´t"), ("don't", "don’t"), ("don't", "don`t"), ("don't", "donʼt"),
    ("ガス", "ｶﾞｽ"), ("é", "e\u0301"), ("Việt", "viet"), ("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8"),
    ("1\ufe0f\u20e3", "1"), ("ﬁ", "FI"), ("ΆΣ", "ας"), ("Ｆ", "f"), ("ชื่อ", "ชือ"), ("İ", "i"), ("ё", "Е"),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("first, second", FOLDED)
def test_spellings_of_one_text_fold_to_the_same(first: str, second: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT position(public.atrium_fold(%s) IN public.atrium_fold(%s))", [second, first])
        assert cursor.fetchone()[0]


@pytest.mark.django_db
@pytest.mark.parametrize("sign", [chr(code) for code in range(0xA0, 0x10000) if chr(code) in "´¨¯¸˘˙˚˛˜˝ͺ΄΅‗‾゛゜￣"])
def test_a_lone_sign_does_not_fold_to_a_space(sign: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.atrium_fold(%s)", [sign])
        folded = cursor.fetchone()[0]
    assert folded
    assert " " not in folded
