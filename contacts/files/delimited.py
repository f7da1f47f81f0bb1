"""Reads the rows of a CSV file as a stream, with the cells of a sheet."""

import csv
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from typing import Any, BinaryIO, TextIO

from config.delimited import BLANK, DELIMITERS, MAX_LINE, SEPARATOR_LINE, RowLines, TooManyOpenQuotes, explain
from config.sheets import unescape_formula

from .cells import Cell, Unreadable
from .limits import InvalidSheet
from .worksheet import WHOLE_ROW, Cells

SHOWN = 200  # characters of a row that cannot be read
ENCODING = "The text encoding of the file is not supported. Save it as UTF-8."


def read_records(file: BinaryIO, encoding: str, is_known: Callable[[str], bool]) -> Iterator[tuple[int, Cells]]:
    """Yield the number of each row, as a spreadsheet program shows it, and its cells by column from 0.

    The delimiter is the one that finds the most columns whose titles are known. A row that cannot be read has one
    cell in the column ``WHOLE_ROW``. Raises InvalidSheet if the file is not text in ``encoding``.
    """
    file.seek(0)
    text = TextIOWrapper(file, encoding=encoding, newline="")
    try:
        yield from _records(text, is_known)
    except UnicodeError as error:
        raise InvalidSheet("not_xlsx", ENCODING, repr(error)) from error
    except TooManyOpenQuotes as error:
        raise InvalidSheet("unsafe_file", f"{error} See line {error.line}.") from error


def _records(text: TextIO, is_known: Callable[[str], bool]) -> Iterator[tuple[int, Cells]]:
    lines = _lines(text)
    declared = ""
    skipped = 0
    for first in lines:
        if not declared and (found := SEPARATOR_LINE.fullmatch(first)):
            declared = found[1]
        elif first.strip(BLANK):
            break
        else:
            skipped += 1
    else:
        return
    delimiter = declared or _delimiter(first, is_known)
    row_lines = RowLines(first, lines, before=skipped, delimiter=delimiter)
    reader = _reader(row_lines, delimiter)
    number = skipped
    while True:
        number += 1
        row_lines.begin_row()
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, {WHOLE_ROW: Unreadable(row_lines.first_of_row[:SHOWN].strip(), "bad_quotes", explain(error))}
            # A quotation mark that is not closed has consumed the lines of other rows.
            row_lines.go_back_to_second()
            reader = _reader(row_lines, delimiter)
            continue
        cells: dict[int, Cell] = {
            place: unescape_formula(value) if value[0] == "'" else value for place, value in enumerate(values) if value
        }
        if cells:
            yield number, cells


def _lines(text: TextIO) -> Iterator[str]:
    number = 0
    while line := text.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            raise InvalidSheet("unsafe_file", f"Line {number:,} is longer than {MAX_LINE:,} characters.")
        yield line


def _reader(lines: RowLines, delimiter: str) -> Any:
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _delimiter(line: str, is_known: Callable[[str], bool]) -> str:
    """Return the delimiter that finds the most known columns in the header's first line, or else the most columns."""

    def found(delimiter: str) -> tuple[int, int]:
        titles = next(csv.reader([line], delimiter=delimiter), [])
        return sum(map(is_known, titles)), len(titles)

    return max(DELIMITERS, key=found)
