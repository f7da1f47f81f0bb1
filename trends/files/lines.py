"""Split a stream of bytes into lines of text: any line end, UTF-8, without end-of-file characters."""

import re
from collections.abc import Iterator
from typing import BinaryIO

from config.delimited import MAX_LINE

from .columns import Problem

CHUNK = 1 << 16  # bytes

# CRLF, LF, CR, the LF-CR of some old systems, and the CR-CR-LF of files converted twice.
_LINES = re.compile(rb"[^\r\n]*(?:\r+\n|\n\r?|\r|(?<=[^\r\n])\Z)")

_SIGNATURES = {
    b"PK": "a workbook or a ZIP archive. Save the sheet as CSV (UTF-8)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook. Save the sheet as CSV (UTF-8)",
    b"\x1f\x8b": "compressed with gzip. Decompress it first",
    b"BZh": "compressed with bzip2. Decompress it first",
    b"\xfd7zXZ": "compressed with xz. Decompress it first",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard. Decompress it first",
    b"7z\xbc\xaf": "a 7-Zip archive. Extract the CSV file first",
    b"Rar!": "a RAR archive. Extract the CSV file first",
    b"%PDF": "a PDF document. Save the table as CSV (UTF-8)",
    b"{\\rtf": "a text document. Save the table as CSV (UTF-8)",
    b"<": "a web page or an XML file. Open it in a spreadsheet program and save it as CSV (UTF-8)",
}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Unreadable(Exception):
    """The file as a whole cannot be read; ``problems`` list the places and the reasons."""

    def __init__(self, reason: str, problems: list[Problem] | None = None) -> None:
        super().__init__(reason)
        self.problems = problems or [Problem(1, "", "", "unreadable", reason)]


def unreadable_at(line: int, code: str, reason: str, value: str = "") -> Unreadable:
    return Unreadable(reason, [Problem(line, "", value, code, reason)])


def read_lines(stream: BinaryIO) -> Iterator[str]:
    """Yield the lines of ``stream`` with their ends, without the byte order mark.

    Raises Unreadable if the file is not text, a line is not UTF-8 or longer than ``MAX_LINE``.
    """
    for number, raw in enumerate(_raw_lines(stream), 1):
        try:
            yield raw.decode()
        except UnicodeDecodeError as error:
            shown = raw[max(error.start - 20, 0) : error.end + 20].decode("latin-1").strip()
            reason = f"Line {number} is not UTF-8: byte 0x{raw[error.start]:02X}. Save the file as UTF-8."
            raise unreadable_at(number, "wrong_encoding", reason, shown) from error


def _raw_lines(stream: BinaryIO) -> Iterator[bytes]:
    rest = stream.read(CHUNK).removeprefix(b"\xef\xbb\xbf")
    _check_signature(rest)
    number = 0
    while chunk := stream.read(CHUNK):
        if chunk.count(0) == len(chunk) and rest.endswith(b"\x00"):
            continue  # padding, however long
        lines, rest = _split(rest + chunk)
        number += len(lines)
        yield from lines
        if len(rest) > MAX_LINE:
            raise unreadable_at(number + 1, "too_long", f"Line {number + 1} is longer than {MAX_LINE:,} bytes.")
    lines, rest = _split(rest)
    yield from lines
    if rest:
        yield rest


def _split(block: bytes) -> tuple[list[bytes], bytes]:
    """Return the complete lines of ``block``, and its last line, whose text or end the next bytes may continue."""
    if b"\n\r" in block or b"\r\r\n" in block:
        lines = _LINES.findall(block)
    else:
        lines = block.splitlines(keepends=True)  # four times as fast
    return lines, lines.pop() if lines else b""


def _check_signature(start: bytes) -> None:
    head = start[:200].lstrip()
    for signature, kind in _SIGNATURES.items():
        if head.startswith(signature):
            raise unreadable_at(1, "not_csv", f"The file is {kind}.")
    # Of a header in Latin letters, every second byte is zero in UTF-16, and three of four in UTF-32.
    sample = start[:200].strip(b"\x00")
    if sample.count(0) > len(sample) * 0.6:
        raise unreadable_at(1, "wrong_encoding", "The file is UTF-32. Save it as UTF-8.")
    if sample.startswith(_UTF16_MARKS) or abs(sample[::2].count(0) - sample[1::2].count(0)) > len(sample) // 3:
        raise unreadable_at(1, "wrong_encoding", "The file is UTF-16. Save it as UTF-8.")
