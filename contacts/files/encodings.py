"""Finds the text encoding of a CSV file."""

import codecs
from contextlib import suppress
from itertools import islice
from typing import BinaryIO

from .limits import InvalidSheet

HEAD = 4096  # bytes by which a file is text or not
SAMPLE_LINES = 500  # with bytes that are not ASCII, for the detection
SAMPLE_LINE = 2000  # bytes
BLOCK = 1 << 20  # bytes

# In the order of preference: a text of a few accents is the same in many of them.
LEGACY = [
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258", "cp874", "cp932",
    "gb18030", "big5", "cp949", "euc_jp", "koi8_r", "iso8859_2", "mac_roman",
]  # fmt: skip
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before the mark of UTF-16, with which it begins
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1a"))


def detect_encoding(file: BinaryIO) -> str:
    """Return Python's name of the encoding of ``file``, or an empty text if it is empty or not a text file."""
    file.seek(0)
    head = file.read(HEAD)
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if encoding := _utf32_without_mark(head) or _utf16_without_mark(head):
        return encoding
    if not head or head.translate(None, _CONTROLS) != head:
        return ""
    return "utf-8" if _is_utf8(file) else _detect_legacy(file)


def _utf32_without_mark(head: bytes) -> str:
    """Recognise UTF-32: of the four bytes of a character, one is 0 and the next at most 16, and a header has no NUL."""
    sample = head[:200]
    if len(sample) < 16:
        return ""
    for encoding, zero, small in (("utf-32-le", 3, 2), ("utf-32-be", 0, 1)):
        if any(sample[zero::4]) or max(sample[small::4]) > 16:
            continue
        with suppress(UnicodeDecodeError):
            if "\x00" not in sample[: len(sample) // 4 * 4].decode(encoding):
                return encoding
    return ""


def _utf16_without_mark(head: bytes) -> str:
    """Recognise UTF-16 by its first line: of Latin letters, every second byte is zero."""
    sample = head[:200]
    for zero, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        letters, zeros = sample[1 - zero :: 2], sample[zero::2]
        size = min((end for end in map(letters.find, (b"\r", b"\n")) if end > 0), default=len(letters))
        if size >= 3 and zeros[:size].count(0) > 0.7 * size and not letters[:size].count(0):
            return encoding
    return ""


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _detect_legacy(file: BinaryIO) -> str:
    """Let charset-normalizer decide by the lines that are not ASCII; it needs only a few."""
    from charset_normalizer import from_bytes  # 30 ms that no other file has to wait for

    file.seek(0)
    lines = (line[:SAMPLE_LINE] for line in iter(lambda: file.readline(BLOCK), b"") if not line.isascii())
    sample = list(islice(lines, SAMPLE_LINES))
    valid = sum(map(_is_valid_utf8, sample))
    if valid > len(sample) - valid:
        raise InvalidSheet("not_xlsx", "Most lines of the file are UTF-8, but not all. Save it as UTF-8.")
    matches = from_bytes(b"".join(sample), cp_isolation=LEGACY)
    ranked = sorted(matches, key=lambda match: (match.chaos, -match.coherence, _preference(match.encoding)))
    return ranked[0].encoding if ranked else LEGACY[0]


def _is_valid_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _preference(encoding: str) -> int:
    return LEGACY.index(encoding) if encoding in LEGACY else len(LEGACY)
