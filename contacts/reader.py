"""Reads one sheet in a process of its own, so that a file made to do harm ends nothing but this process.

``python -m contacts.reader '{"path": …, "after": …, …}'`` limits its own memory and processor time, checks the file,
reads it by calamine, and writes JSON lines to standard output: ``{"total": n}`` first, then lists of rows (those behind
row ``after``; none where that is null), then ``{"end": n}``; or ``{"refused": code, "detail": …}`` at any point. A
missing end says that the process died. It imports no Django and gets no secret in its environment.
"""

import json
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import orjson

from . import rows
from .workbooks import Limits, Refused, check

_HEADERS = {"name": 0, "phonenumber": 1, "emailaddress": 2}
_REASON = "reason"  # the column that our own sheets of rejected rows have besides


def main(options: dict[str, Any]) -> None:
    limit_resources(memory=options["memory"], cpu=options["cpu"])
    try:
        sheet, header, columns = open_sheet(options["path"], Limits(options["max_rows"], options["max_unzipped"]))
        total = sum(1 for _ in filled_rows(sheet, header))
        if total > options["max_rows"]:
            raise Refused("too_many_rows", f"The sheet has {total:,} rows; at most {options['max_rows']:,} are read.")
        if total == 0:
            raise Refused("bad_header", "Below the header there is no row.")
        say({"total": total})
        if options["after"] is not None:
            for chunk in chunks(sheet, header, columns, after=options["after"], size=options["chunk"]):
                say(chunk)
        say({"end": total})
    except Refused as refusal:
        say({"refused": refusal.code, "detail": refusal.detail})


def limit_resources(*, memory: int, cpu: int) -> None:
    """``memory`` in bytes of address space, ``cpu`` in seconds; nothing may be written to a file."""
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        # Some systems refuse one or the other (macOS the first); the checks of the file hold there all the same.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def say(message: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(message, default=tuple) + b"\n")
    sys.stdout.buffer.flush()


def open_sheet(path: str, limits: Limits) -> tuple[Any, int, list[int]]:
    """The first sheet, its header's index, and where the three columns stand in each row."""
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    with open(path, "rb") as file:
        check(file, limits)
    try:
        sheet = CalamineWorkbook.from_path(path).get_sheet_by_index(0)
    except PasswordError as error:
        raise Refused("not_xlsx", "The file is protected by a password. Save it without one.") from error
    except (CalamineError, OSError, ValueError) as error:
        raise Refused("not_xlsx", "The workbook inside the file cannot be read. Save it again as .xlsx.") from error
    for index, cells in enumerate(sheet.iter_rows()):
        if not rows.is_blank(cells):
            return sheet, index, columns_of(cells)
    raise Refused("bad_header", "The first sheet is empty.")


def columns_of(header: Sequence[rows.Cell]) -> list[int]:
    """Where Name, Phone Number and Email Address stand, then what is passed over.

    Raises Refused unless the three are there once, and alone.
    """
    found: dict[int, int] = {}
    ignored: list[int] = []
    for place, cell in enumerate(header):
        title = rows.text_of(cell)
        key = "".join(title.split()).casefold()
        if not key:
            continue
        if key == _REASON:
            ignored.append(place)
            continue
        column = _HEADERS.get(key)
        if column is None:
            raise Refused("bad_header", f"There is a column {title[:60]!r}. The columns are {', '.join(rows.COLUMNS)}.")
        if column in found:
            raise Refused("bad_header", f"The column {rows.COLUMNS[column]!r} is there twice.")
        found[column] = place
    missing = [title for column, title in enumerate(rows.COLUMNS) if column not in found]
    if missing:
        raise Refused("bad_header", f"The first row has to name the columns; missing: {', '.join(missing)}.")
    return [found[column] for column in range(3)] + ignored


def filled_rows(sheet: Any, header: int) -> Iterator[tuple[int, list[rows.Cell]]]:
    """The rows that hold anything below the header, each with its number in the sheet."""
    for index, cells in enumerate(sheet.iter_rows(), 1):
        if index > header + 1 and not rows.is_blank(cells):
            yield index, cells


def chunks(sheet: Any, header: int, columns: list[int], *, after: int, size: int) -> Iterator[list]:
    name, phone, email = columns[:3]
    chunk: list = []
    for number, cells in filled_rows(sheet, header):
        if number <= after:
            continue
        if len(cells) > 3 and any(
            not isinstance(cell, str) or cell.strip() for place, cell in enumerate(cells) if place not in columns
        ):
            chunk.append(rows.stray(number, cells[name], cells[phone], cells[email]))
        else:
            chunk.append(rows.read(number, cells[name], cells[phone], cells[email]))
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main(json.loads(sys.argv[1]))
