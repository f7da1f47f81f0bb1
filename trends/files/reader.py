"""Read CSV files as a stream: memory does not grow with the length of the file.

The reader accepts what spreadsheets and programs write: a ``sep=`` line, columns without a name, delimiters at the end
of lines, rows without their last empty columns, white space around quotation marks and any line end.
"""

import csv
import re
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, BinaryIO, NamedTuple

from config.delimited import BLANK, DELIMITERS, SEPARATOR_LINE, RowLines, TooManyOpenQuotes, explain

from .columns import COLUMNS, HEADINGS, REQUIRED, Problem, Row, column_named, parse_row, row_problems
from .lines import Unreadable, read_lines, unreadable_at

BATCH = 5_000  # rows
_UNNAMED = re.compile(r"\s*(Unnamed: \d+(_level_\d+)?)?\s*")  # pandas names a column without a name like this


class Batch(NamedTuple):
    """Some thousand rows of a file. ``rejected`` counts rows; each may have several ``problems``."""

    rows: list[Row]
    problems: list[Problem]
    rejected: int


class CSVReader:
    """The rows of a CSV file.

    ``stream`` is a binary file at its beginning; raises Unreadable unless it is UTF-8 with a header that names the ten
    columns.
    """

    def __init__(self, stream: BinaryIO) -> None:
        lines = read_lines(stream)
        skipped = 0
        for first in lines:
            if first.strip(BLANK) and not SEPARATOR_LINE.fullmatch(first):
                break
            skipped += 1
        else:
            raise Unreadable("The file is empty.")
        self._delimiter = _delimiter(first)
        self._lines = RowLines(first, lines, before=skipped, delimiter=self._delimiter)
        self._reader = self._new_reader()
        try:
            header = next(self._reader)
        except csv.Error as error:
            raise Unreadable(f"The header cannot be read. {explain(error)}") from error
        self._width = len(header)
        places, self._unnamed = _column_places(header)
        self._pick = itemgetter(*places)
        self._required_width = max(places[COLUMNS.index(name)] for name in REQUIRED) + 1

    def batches(self, size: int = BATCH) -> Iterator[Batch]:
        """Yield the rows of the file, ``size`` at a time.

        Raises Unreadable at a line that is not UTF-8.
        """
        rows: list[Row] = []
        problems: list[Problem] = []
        rejected = 0
        for row, found in self._rows():
            if row is None:
                rejected += 1
                problems += found
            else:
                rows.append(row)
            if len(rows) + rejected >= size:
                yield Batch(rows, problems, rejected)
                rows, problems, rejected = [], [], 0
        if rows or rejected:
            yield Batch(rows, problems, rejected)

    def _rows(self) -> Iterator[tuple[Row | None, list[Problem]]]:
        lines, width, unnamed, pick = self._lines, self._width, self._unnamed, self._pick
        while True:
            line = lines.begin_row()
            try:
                values = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield None, [Problem(line, "", "", "bad_quotes", explain(error))]
                # A quotation mark that is not closed has consumed the lines of other rows.
                try:
                    lines.go_back_to_second()
                except TooManyOpenQuotes as error:
                    raise unreadable_at(error.line, "bad_quotes", str(error)) from error
                self._reader = self._new_reader()
                continue
            if len(values) == width and not unnamed and (row := parse_row(pick(values))):
                yield row, []
            elif any(value.strip() for value in values):
                yield self._parse_unusual(line, values)

    def _parse_unusual(self, line: int, values: list[str]) -> tuple[Row | None, list[Problem]]:
        """Parse a row that is invalid, or longer or shorter than the header."""
        count = len(values)
        if count > self._width and any(value.strip() for value in values[self._width :]):
            # R writes the names of the rows without a heading.
            if count == self._width + 1 and values[0].strip().isdecimal() and self._is_valid(values[1:]):
                return parse_row(self._pick(values[1:])), []
            message = f"The row has {count} values; the header has {self._width} columns."
            return None, [Problem(line, "", "", "too_many_values", message)]
        if count < self._required_width:
            message = f"The row ends after {count} of {self._width} columns."
            return None, [Problem(line, "", "", "too_few_values", message)]
        values = [*values, *[""] * (self._width - count)]  # spreadsheets omit empty columns at the end
        for place in self._unnamed:
            if values[place].strip():
                message = f"Column {place + 1} has a value but no name in the header."
                return None, [Problem(line, "", values[place].strip(), "too_many_values", message)]
        picked = self._pick(values)
        row = parse_row(picked)
        return row, [] if row else row_problems(line, picked)

    def _is_valid(self, values: list[str]) -> bool:
        return not any(values[place].strip() for place in self._unnamed) and parse_row(self._pick(values)) is not None

    def _new_reader(self) -> Any:
        return csv.reader(self._lines, delimiter=self._delimiter, strict=True)


def _delimiter(line: str) -> str:
    """Return the delimiter that finds the most columns in the header's first line."""

    def found(delimiter: str) -> int:
        return sum(column_named(name) is not None for name in next(csv.reader([line], delimiter=delimiter), []))

    return max(DELIMITERS, key=found)


def _column_places(header: list[str]) -> tuple[list[int], list[int]]:
    """Return the place of each of ``COLUMNS`` in a row, and the places of unnamed columns that must be empty.

    Unnamed columns before the first named one are ignored: programs write the row number there. Raises Unreadable if a
    column is missing, unknown or repeated.
    """
    places: dict[str, int] = {}
    unnamed = []
    problems = []
    for place, heading in enumerate(header):
        name = column_named(heading)
        if name is None and _UNNAMED.fullmatch(heading):
            if places:
                unnamed.append(place)
        elif name is None:
            shown = heading.strip().replace("\x00", "\N{SYMBOL FOR NULL}")  # Postgres stores no NUL
            problems.append(Problem(1, "", shown, "unknown_column", f"The column “{shown[:100]}” is unknown."))
        elif name in places:
            message = f"The column “{HEADINGS[name]}” is repeated."
            problems.append(Problem(1, name, heading, "repeated_column", message))
        else:
            places[name] = place
    problems += [
        Problem(1, name, "", "missing_column", f"The column “{HEADINGS[name]}” is missing.")
        for name in COLUMNS
        if name not in places
    ]
    if problems:
        listed = " ".join(problem.message for problem in problems[:20])
        raise Unreadable(f"The header is invalid. {listed}", problems)
    return [places[name] for name in COLUMNS], unnamed
