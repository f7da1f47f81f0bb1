"""CSV files as people make them, read as a stream: however long the file, no more than a batch is held."""

import csv
from collections import deque
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, BinaryIO

from .columns import COLUMNS, HEADINGS, Problem, explain, known, take

DELIMITERS = (";", ",", "\t", "|")
BATCH = 5_000  # rows
MAX_LINE = 1_000_000  # bytes of a line, and characters of a row, which may have many lines
MAX_AGAIN = 100_000_000  # characters read a second time, after rows whose quotes do not close

Batch = tuple[list[tuple[str, ...]], list[Problem]]


class Unreadable(Exception):
    """The file as a whole cannot be read; ``problems`` say where and why."""

    def __init__(self, reason: str, problems: list[Problem] | None = None) -> None:
        super().__init__(reason)
        self.problems = problems or [Problem(1, "", "", "unreadable", reason)]


class Sheet:
    """The rows of a CSV file.

    Made from a stream of bytes at its beginning; raises Unreadable unless that is UTF-8 with a header that names the
    ten columns. Then :meth:`batches` gives the rows, while ``total_rows`` and ``rejected`` count them.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.total_rows = 0
        self.rejected = 0
        lines = _lines(stream)
        blank = 0
        for first in lines:
            if first.strip():
                break
            blank += 1
        else:
            raise Unreadable("The file is empty.")
        self._lines = _Again(first, lines, before=blank)
        try:
            self._delimiter = _delimiter(first)
            self._reader = self._new_reader()
            header = next(self._reader)
        except csv.Error as error:
            reason = "its lines do not end in LF or CRLF" if "\r" in first.rstrip("\r\n") else str(error)
            raise Unreadable(f"The header cannot be read: {reason}.") from error
        self._width = len(header)
        self._pick = itemgetter(*_places(header))

    def batches(self, size: int = BATCH) -> Iterator[Batch]:
        """The good rows, as they are stored, with the problems of the bad ones, some thousand rows at a time.

        Raises Unreadable at a line that is not UTF-8.
        """
        rows: list[tuple[str, ...]] = []
        problems: list[Problem] = []
        for row, found in self._rows():
            self.total_rows += 1
            if found:
                self.rejected += 1
                problems += found
            elif row is not None:
                rows.append(row)
            if len(rows) >= size or len(problems) >= size:
                yield rows, problems
                rows, problems = [], []
        if rows or problems:
            yield rows, problems

    def _rows(self) -> Iterator[tuple[tuple[str, ...] | None, list[Problem]]]:
        lines, width, pick = self._lines, self._width, self._pick
        while True:
            begins = lines.begin_row()
            try:
                values = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield None, [Problem(begins, "", "", "bad_quotes", f"The row cannot be read: {error}.")]
                # A quote that does not close has taken lines of other rows along.
                lines.go_back_to_second()
                self._reader = self._new_reader()
                continue
            if len(values) == width:
                picked = pick(values)
                if row := take(picked):
                    yield row, []
                elif any(value.strip() for value in values):
                    yield None, explain(begins, picked)
            elif any(value.strip() for value in values):
                code = "too_few_values" if len(values) < width else "too_many_values"
                message = f"The row has {len(values)} values where the header has {width}."
                yield None, [Problem(begins, "", "", code, message)]

    def _new_reader(self) -> Any:
        return csv.reader(self._lines, delimiter=self._delimiter, strict=True)


class _Again:
    """Lines, of which those of the row at hand can be read again. Each iteration goes on where the last one ended."""

    def __init__(self, first: str, rest: Iterator[str], *, before: int) -> None:
        self._coming = rest
        self._again = deque([first])
        self._row: list[str] = []
        self._before = before
        self._read_again = 0

    def __iter__(self) -> Iterator[str]:
        again, row, length = self._again, self._row, 0
        while line := again.popleft() if again else next(self._coming, ""):
            row.append(line)
            length = length + len(line) if len(row) > 1 else len(line)
            if length > MAX_LINE:
                raise csv.Error(f"it is longer than {MAX_LINE:,} characters")
            yield line

    def begin_row(self) -> int:
        """Forget the lines of the last row; the number of the line in which the next one begins."""
        self._before += len(self._row)
        self._row.clear()
        return self._before + 1

    def go_back_to_second(self) -> None:
        """Have all lines of this row but its first come once more; raises Unreadable if that is too much."""
        again = self._row[1:]
        del self._row[1:]
        self._again.extendleft(reversed(again))
        self._read_again += sum(map(len, again))
        if self._read_again > MAX_AGAIN:
            raise _at(self._before + 1, "bad_quotes", "Too many rows have a quote that does not close.")


def _lines(stream: BinaryIO) -> Iterator[str]:
    """The lines of ``stream`` with their ends, without the byte order mark."""
    number = 0
    while raw := stream.readline(MAX_LINE):
        number += 1
        if number == 1:
            raw = _without_mark(raw)
        if len(raw) >= MAX_LINE and not raw.endswith(b"\n"):
            raise _at(number, "too_long", f"Line {number} is longer than {MAX_LINE:,} bytes.")
        try:
            yield raw.decode()
        except UnicodeDecodeError as error:
            shown = raw[max(error.start - 20, 0) : error.end + 20].decode("latin-1").strip()
            reason = f"Line {number} is not UTF-8: byte 0x{raw[error.start]:02X}. Save the file as UTF-8."
            raise _at(number, "wrong_encoding", reason, shown) from error


def _at(line: int, code: str, reason: str, value: str = "") -> Unreadable:
    return Unreadable(reason, [Problem(line, "", value, code, reason)])


def _without_mark(raw: bytes) -> bytes:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _at(1, "wrong_encoding", "The file is UTF-16. Save it as UTF-8.")
    if raw.startswith(b"PK\x03\x04"):
        raise _at(1, "not_csv", "This is a workbook or an archive. Save the sheet as CSV, UTF-8.")
    return raw.removeprefix(b"\xef\xbb\xbf")


def _delimiter(line: str) -> str:
    """The delimiter that finds the most of our columns in the header's first line."""

    def found(delimiter: str) -> int:
        return sum(known(name) is not None for name in next(csv.reader([line], delimiter=delimiter), []))

    return max(DELIMITERS, key=found)


def _places(header: list[str]) -> list[int]:
    """Where in a row each of ``COLUMNS`` stands; raises Unreadable naming each that is missing, unknown or repeated."""
    places: dict[str, int] = {}
    problems = []
    for place, heading in enumerate(header):
        name = known(heading)
        if name is None:
            shown = heading.strip()
            message = f"There is no column “{shown[:100]}”." if shown else f"Column {place + 1} has no name."
            problems.append(Problem(1, "", shown, "unknown_column", message))
        elif name in places:
            message = f"The column “{HEADINGS[name]}” is there twice."
            problems.append(Problem(1, name, heading, "repeated_column", message))
        else:
            places[name] = place
    problems += [
        Problem(1, name, "", "missing_column", f"The column “{HEADINGS[name]}” is missing.")
        for name in COLUMNS
        if name not in places
    ]
    if problems:
        told = " ".join(problem.message for problem in problems[:20])
        raise Unreadable(f"The header does not fit. {told}", problems)
    return [places[name] for name in COLUMNS]
