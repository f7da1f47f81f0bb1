"""Invisible characters, blank texts and combining marks: one definition for all apps.

The tables are from Unicode 18. ``public.atrium_fold`` in Postgres uses the same ones, and a test compares the two.
"""

import re
import unicodedata
from functools import cache

# Default_Ignorable_Code_Point: zero-width characters, bidi controls, variation selectors, fillers.
IGNORABLE = (
    r"\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u202A-\u202E\u2060-\u206F\u3164"
    r"\uFE00-\uFE0F\uFEFF\uFFA0\uFFF0-\uFFF8\U0001BCA0-\U0001BCA3\U0001D173-\U0001D17A\U000E0000-\U000E0FFF"
)
# Canonical_Combining_Class other than 0, enclosing marks, and characters that decompose into such a mark.
COMBINING = (
    r"\u0300-\u034E\u0350-\u036F\u0483-\u0489\u0591-\u05BD\u05BF\u05C1\u05C2\u05C4\u05C5\u05C7-\u05C9\u0610-\u061A"
    r"\u064B-\u065F\u0670\u06D6-\u06DC\u06DF-\u06E4\u06E7\u06E8\u06EA-\u06ED\u0711\u0730-\u074A\u07EB-\u07F3\u07FD"
    r"\u0816-\u0819\u081B-\u0823\u0825-\u0827\u0829-\u082D\u0859-\u085B\u0897-\u089F\u08CA-\u08E1\u08E3-\u08FF\u093C"
    r"\u094D\u0951-\u0954\u09BC\u09CD\u09FE\u0A3C\u0A4D\u0ABC\u0ACD\u0B3C\u0B4D\u0BCD\u0C3C\u0C4D\u0C55\u0C56\u0CBC"
    r"\u0CCD\u0D3B\u0D3C\u0D4D\u0DCA\u0E38-\u0E3A\u0E48-\u0E4B\u0EB8-\u0EBA\u0EC8-\u0ECB\u0F18\u0F19\u0F35\u0F37\u0F39"
    r"\u0F71-\u0F75\u0F7A-\u0F7D\u0F80-\u0F84\u0F86\u0F87\u0FC6\u1037\u1039\u103A\u108D\u135D-\u135F\u1714\u1715\u1734"
    r"\u17D2\u17DD\u18A9\u1939-\u193B\u1A17\u1A18\u1A60\u1A75-\u1A7C\u1A7F\u1AB0-\u1AF0\u1B34\u1B44\u1B6B-\u1B73\u1BAA"
    r"\u1BAB\u1BE6\u1BF2\u1BF3\u1C37\u1CD0-\u1CD2\u1CD4-\u1CE0\u1CE2-\u1CE8\u1CED\u1CF4\u1CF8\u1CF9\u1DC0-\u1DFF"
    r"\u20D0-\u20F0\u2CEF-\u2CF1\u2D7F\u2DE0-\u2DFF\u302A-\u302F\u3099\u309A\uA66F-\uA672\uA674-\uA67D\uA69E\uA69F"
    r"\uA6F0\uA6F1\uA806\uA82C\uA8C4\uA8E0-\uA8F1\uA92B-\uA92D\uA953\uA9B3\uA9C0\uAAB0\uAAB2-\uAAB4\uAAB7\uAAB8\uAABE"
    r"\uAABF\uAAC1\uAAF6\uABED\uFB1E\uFE20-\uFE2F\uFF9E\uFF9F\U000101FD\U000102E0\U00010376-\U0001037A\U00010A0D"
    r"\U00010A0F\U00010A38-\U00010A3A\U00010A3F\U00010AE5\U00010AE6\U00010D24-\U00010D27\U00010D69-\U00010D6D"
    r"\U00010EAB\U00010EAC\U00010ECB-\U00010ECF\U00010EF0-\U00010EFB\U00010EFD-\U00010EFF\U00010F46-\U00010F50"
    r"\U00010F82-\U00010F85\U00011046\U00011070\U0001107F\U000110B9\U000110BA\U00011100-\U00011102\U00011133\U00011134"
    r"\U00011173\U000111C0\U000111CA\U00011235\U00011236\U000112E9\U000112EA\U0001133B\U0001133C\U0001134D"
    r"\U00011366-\U0001136C\U00011370-\U00011374\U000113CE-\U000113D0\U00011442\U00011446\U0001145E\U000114C2"
    r"\U000114C3\U000115BF\U000115C0\U0001163F\U000116B6\U000116B7\U0001172B\U00011839\U0001183A\U0001193D\U0001193E"
    r"\U00011943\U000119E0\U00011A34\U00011A47\U00011A99\U00011C3F\U00011D42\U00011D44\U00011D45\U00011D97\U00011F41"
    r"\U00011F42\U0001612F\U00016AF0-\U00016AF4\U00016B30-\U00016B36\U00016FF0\U00016FF1\U0001BC9E\U0001D127\U0001D128"
    r"\U0001D165-\U0001D169\U0001D16D-\U0001D172\U0001D17B-\U0001D182\U0001D185-\U0001D18B\U0001D1AA-\U0001D1AD"
    r"\U0001D242-\U0001D244\U0001D250-\U0001D252\U0001D25B\U0001D25C\U0001D25F\U0001D280\U0001D281"
    r"\U0001E000-\U0001E006\U0001E008-\U0001E018\U0001E01B-\U0001E021\U0001E023\U0001E024\U0001E026-\U0001E02A"
    r"\U0001E08F\U0001E130-\U0001E136\U0001E2AE\U0001E2EC-\U0001E2EF\U0001E4EC-\U0001E4EF\U0001E5EE\U0001E5EF"
    r"\U0001E6E3\U0001E6E6\U0001E6EE\U0001E6EF\U0001E6F5\U0001E8D0-\U0001E8D6\U0001E944-\U0001E94A"
)
BLANK_SYMBOLS = "\u2800"  # the Braille pattern without dots
# White space, control and format characters: the rest of what is_blank ignores.
_SPACE = (
    r"\u0001-\u0020\u007F-\u00A0\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2\u1680\u2000-\u200A\u2028\u2029\u202F\u205F"
    r"\u3000\uFFF9-\uFFFB\U000110BD\U000110CD\U00013430-\U0001343F"
)
BLANK_IN_POSTGRES = f"^[{IGNORABLE}{BLANK_SYMBOLS}{_SPACE}]*$"  # a regular expression for what is_blank says of a text
MAX_MARKS = 30  # in a row; more make Unicode normalization slow and are in no language

_IGNORABLE = re.compile(f"[{IGNORABLE}]")
_COMBINING = re.compile(f"[{COMBINING}]")
_FOLDED_AWAY = re.compile(f"[{IGNORABLE}{COMBINING}\u0640]")


def remove_invisible(text: str) -> str:
    """Return ``text`` without characters that are never displayed (Default_Ignorable_Code_Point)."""
    return text if text.isascii() else _IGNORABLE.sub("", text)


def is_blank(text: str) -> bool:
    """Return whether ``text`` displays nothing: only white space, control and invisible characters."""
    rest = remove_invisible(text).translate({ord(char): None for char in BLANK_SYMBOLS})
    return all(char.isspace() or unicodedata.category(char) in ("Cc", "Cf") for char in rest)


def folds_to_nothing(text: str) -> bool:
    """Return whether a search (``public.atrium_fold``) ignores every character of ``text``."""
    if text.isascii():
        return not text
    decomposed = unicodedata.normalize("NFKD", _FOLDED_AWAY.sub("", text))
    return not _FOLDED_AWAY.sub("", decomposed)


def has_long_mark_run(text: str) -> bool:
    """Return whether more than MAX_MARKS combining marks follow each other, invisible characters aside.

    Check this before any normalization, whose time grows with the square of the run.
    """
    return not text.isascii() and _LONG_RUN in text.translate(_marks_only())


# Stands for any mark in a translated text; a noncharacter, which the table replaces where a text contains it.
_MARK = "\uffff"
_LONG_RUN = _MARK * (MAX_MARKS + 1)


@cache
def _marks_only() -> dict[int, str | None]:
    """Return a table for ``str.translate``. All marks are in its blocks; built on first use, because it takes 50 ms."""
    codes = (0xAD, *range(0x300, 0x20000), *range(0xE0000, 0xE1000))
    table: dict[int, str | None] = {code: None for code in codes if _IGNORABLE.match(chr(code))}
    marks = (code for code in codes if unicodedata.category(chr(code)).startswith("M") or _COMBINING.match(chr(code)))
    return table | dict.fromkeys(marks, _MARK) | {ord(_MARK): " "}
