"""Reads CSV as spreadsheets and programs write it: what the readers of trends and of contacts have in common.

The ``csv`` module reads the rows; ``RowLines`` gives it the lines, so that a quotation mark that is not closed costs
one row and not the rest of the file.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator

DELIMITERS = (";", ",", "\t", "|")
MAX_LINE = 1_000_000  # bytes or characters
MAX_ROW = 1_000_000  # characters; a row may span several lines
MAX_REREAD = 100_000_000  # characters read a second time after quotation marks that are not closed
# Ctrl-Z ended files under DOS; programs that write in blocks, and interrupted copies, leave NULs at the end.
END_OF_FILE = "\x00\x1a"
BLANK = f' \t\r\n"{"".join(DELIMITERS)}{END_OF_FILE}'  # a line of these has no values
SEPARATOR_LINE = re.compile(r'"?sep=([^"\r\n\x00]?)"?[;,\t|]*\s*', re.IGNORECASE)  # the sign may be missing

csv.field_size_limit(MAX_LINE + MAX_ROW)  # rows are limited here, and with a message of our own


class TooManyOpenQuotes(Exception):
    """So many quotation marks are not closed that reading their rows again would take too long."""

    def __init__(self, line: int) -> None:
        super().__init__("Too many quotation marks are not closed.")
        self.line = line


class RowLines:
    """The lines of a file, normalised for the csv module. The lines of the current row can be read a second time."""

    def __init__(self, first: str, rest: Iterator[str], *, before: int, delimiter: str) -> None:
        self._rest = rest
        self._again = deque([first])
        self._row: list[str] = []
        self._before = before
        self._reread = 0
        self._clean_quotes = _QuoteCleaner(delimiter)

    def __iter__(self) -> Iterator[str]:
        again, row, length = self._again, self._row, 0
        while line := again.popleft() if again else next(self._rest, ""):
            row.append(line)
            length = length + len(line) if len(row) > 1 else len(line)
            if length > MAX_ROW:
                raise csv.Error(f"longer than {MAX_ROW:,}")
            if "\x00" in line or "\x1a" in line:
                line = _without_end_of_file(line, first=len(row) == 1)
            # The csv module asks for another line of a row only inside quotation marks.
            yield self._clean_quotes(line, inside=len(row) > 1) if '"' in line else line

    @property
    def first_of_row(self) -> str:
        """The first line of the current row; empty at the end of the file."""
        return self._row[0] if self._row else ""

    def begin_row(self) -> int:
        """Forget the lines of the last row; returns the number of the line in which the next one begins."""
        self._before += len(self._row)
        self._row.clear()
        return self._before + 1

    def go_back_to_second(self) -> None:
        """Return all lines of this row but the first once more; raises TooManyOpenQuotes above ``MAX_REREAD``."""
        again = self._row[1:]
        del self._row[1:]
        self._again.extendleft(reversed(again))
        self._reread += sum(map(len, again))
        if self._reread > MAX_REREAD:
            raise TooManyOpenQuotes(self._before + 1)


def _without_end_of_file(line: str, *, first: bool) -> str:
    """Remove Ctrl-Z and NULs from the last line of the file, and from the beginning of a row.

    They are in front of a row if one file was appended to another.
    """
    if first:
        line = line.lstrip(END_OF_FILE)
    content = line.rstrip("\r\n")
    if content == line or (first and not content.strip(f" {END_OF_FILE}")):
        return content.rstrip(END_OF_FILE) + line[len(content) :]
    return line


class _QuoteCleaner:
    """Removes white space between a delimiter and a quotation mark, which the csv module reads as part of the value."""

    def __init__(self, delimiter: str) -> None:
        sign = re.escape(delimiter)
        # White space within a line, also without a break, and the marks that begin or join appended files.
        space = r"[^\S\r\n\t]" if delimiter == "\t" else r"[^\S\r\n]"
        space = rf"(?:{space}|[\u200b\ufeff])"
        end = rf"(?={sign}|[\r\n]*\Z)"
        # The first begins with its only literal sign, so it takes 0.5 µs a line; the second takes 6 µs.
        self._near = re.compile(rf'"(?:(?<={space}")|(?={space}))')
        self._suspect = re.compile(rf'(?:\A|{sign}){space}+"|"{space}+{end}')
        self._closing = re.compile(rf'((?:[^"]|"")*"){space}*{end}')
        # A value in quotation marks, the beginning of one that continues in the next line, or any other value.
        self._field = re.compile(
            rf'(\A|{sign})(?:{space}*("(?:[^"]|"")*"){space}*{end}|{space}*("(?:[^"]|"")*)\Z|([^{sign}\r\n]*))'
        )

    def __call__(self, line: str, *, inside: bool) -> str:
        """Return ``line`` without such white space; ``inside`` says that it begins inside a quoted value."""
        if not (self._near.search(line) and self._suspect.search(line)):
            return line
        before = ""
        if inside:
            found = self._closing.match(line)
            if not found:
                return line
            before, line = found[1], line[found.end() :]
        return before + self._field.sub(lambda found: "".join(filter(None, found.groups())), line)


def explain(error: csv.Error) -> str:
    """Return the reason of ``error`` for people."""
    reason = str(error)
    if "longer than" in reason:
        return f"The row is longer than {MAX_ROW:,} characters. Check its quotation marks."
    if "expected after" in reason:
        return "Text follows a closing quotation mark. Double every quotation mark inside a quoted value."
    return "A quotation mark is not closed."
