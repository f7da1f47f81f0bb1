"""Reads one file in a process of its own, so that a malicious file can end only this process.

``python -m contacts.files.reader`` reads ``{"path": …, "after": …, …}`` from standard input, limits its own memory and
CPU time, checks the file, and writes JSON lines to standard output. With the task ``check``:
``{"total": n, "encoding": …}``. With ``rows``: chunks of the rows behind row ``after``. With ``preview``: an overview
of the file, then chunks of its rows. Then ``{"end": true}``, or ``{"invalid": code, "detail": …}`` at any point.
Without an end the process has died. It does not import Django, and its environment contains no secrets.
"""

import gc
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson

from .choice import DEFAULT, FIELDS, Choice
from .guess import guess_mapping, last_name
from .header import MAX_TITLE, Header, read_header, titles_of
from .limits import InvalidSheet, Limits
from .rows import AnyRow, extra_cell, first_value, has_content, joined_name, read_row, unreadable_row
from .table import NumberedCells, Table, open_table
from .worksheet import WHOLE_ROW, Cells

NO_ROWS = "The file has a header but no rows."
NO_MAPPED_ROWS = "No row has a value in the columns of the mapping."
MAX_CHUNK = 4_000_000  # characters, besides the last row


def main(options: dict[str, Any]) -> None:
    limit_resources(memory=options["memory"], cpu=options["cpu"])
    gc.disable()  # a quarter of the time; the reader creates no reference cycles
    limits = Limits(options["max_rows"], options["max_unzipped"])
    choice = Choice(**options["choice"])
    try:
        with open_table(options["path"], limits, choice) as table:
            if options["task"] == "check":
                _, rows = find_rows(table, choice)
                nothing = NO_ROWS if choice.mapping is None else NO_MAPPED_ROWS
                write({"total": count(rows, limits.max_rows, nothing), "encoding": table.encoding})
            elif options["task"] == "rows":
                header, rows = find_rows(table, choice)
                for chunk in chunks(header, rows, after=options["after"], size=options["chunk"]):
                    write(chunk)
            else:
                preview(table, choice, limits, options["chunk"])
        write({"end": True})
    except InvalidSheet as error:
        write({"invalid": error.code, "detail": error.detail, "cause": error.cause, "attr": error.attr})


def limit_resources(*, memory: int, cpu: int) -> None:
    """Limit this process to ``memory`` bytes of address space and ``cpu`` seconds; forbid it to write files."""
    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        # macOS does not support the first limit. The checks of the file still apply there.
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (limit, limit))


def write(message: object) -> None:
    sys.stdout.buffer.write(orjson.dumps(message, default=tuple) + b"\n")
    sys.stdout.buffer.flush()


@contextmanager
def open_sheet(path: str, limits: Limits, choice: Choice = DEFAULT) -> Iterator[tuple[Header, Iterator[NumberedCells]]]:
    """Yield the header of the sheet to import, and its rows with content."""
    with open_table(path, limits, choice) as table:
        yield find_rows(table, choice)


def find_rows(table: Table, choice: Choice) -> tuple[Header, Iterator[NumberedCells]]:
    """Read the header of ``table``; return it, and an iterator of the rows with content below it."""
    header = read_header(titles_of(_header_cells(table)), table.name, choice.mapping)
    return header, ((number, cells) for number, cells in table.rows if header.has_content(cells))


def _header_cells(table: Table) -> Cells:
    """Return the first row with content."""
    first = next((cells for _, cells in table.rows if any(map(has_content, cells.values()))), None)
    if first is None:
        detail = f"The sheet {table.name[:60]!r} is empty." if table.name else "The file is empty."
        raise InvalidSheet("bad_header", detail)
    return first


def preview(table: Table, choice: Choice, limits: Limits, size: int) -> None:
    """Write the columns of ``table`` and a mapping, which is guessed if none is chosen and one is needed.

    Then write its rows. Without a column of phone numbers or e-mail addresses they cannot be decided: ``total_rows`` is
    then their number, and otherwise null.
    """
    titles = titles_of(_header_cells(table))
    columns = [title for title in titles.values() if len(title) <= MAX_TITLE]
    header, mapping, problems = _header_or_guess(titles, columns, table.name, choice)
    total = None
    if header is None:
        has_any = ((number, cells) for number, cells in table.rows if any(map(has_content, cells.values())))
        total = count(has_any, limits.max_rows)
    write({
        "sheets": table.sheets, "encoding": table.encoding, "columns": columns, "mapping": mapping,
        "problems": problems, "total_rows": total,
    })  # fmt: skip
    if header is None:
        return
    others = read = 0

    def with_content() -> Iterator[NumberedCells]:
        nonlocal others
        for number, cells in table.rows:
            if header.has_content(cells):
                yield number, cells
            else:
                others += any(map(has_content, cells.values()))

    for chunk in chunks(header, with_content(), after=0, size=size):
        read += len(chunk)
        check_total(read, limits.max_rows)
        write(chunk)
    if not read and choice.mapping is not None:
        raise InvalidSheet("bad_header", NO_MAPPED_ROWS)
    if not read and not others:  # otherwise the guess was wrong, and the columns are shown to choose from
        raise InvalidSheet("bad_header", NO_ROWS)


def _header_or_guess(
    titles: dict[int, str], columns: list[str], sheet: str, choice: Choice
) -> tuple[Header | None, dict[str, Any], list[dict[str, str]]]:
    """Return the header, the mapping by which it was found, and what is wrong with an upload without this mapping."""
    try:
        header = read_header(titles, sheet, choice.mapping)
    except InvalidSheet as error:
        if choice.mapping is not None:
            raise
        problems = [{"attr": "mapping", "code": error.code, "detail": error.detail}]
    else:
        if choice.mapping is not None:
            return header, dict(choice.mapping), []
        places = (header.name[0], header.phone[0], header.email[0])
        return header, {field: titles[place] for field, place in zip(FIELDS, places, strict=True)}, []
    guess = guess_mapping(columns)
    if rest := last_name(columns, guess.get("name", "")):
        detail = f"The names are in several columns. To join them, send a list of columns that contains {rest!r} too."
        problems.append({"attr": "mapping.name", "code": "split_name", "detail": detail})
    if not guess.keys() & {"phone_number", "email_address"}:
        detail = "No column of phone numbers or e-mail addresses was found. Send a mapping that names one."
        return None, guess, [*problems, {"attr": "mapping", "code": "no_phone_or_email", "detail": detail}]
    return read_header(titles, sheet, {field: [title] for field, title in guess.items()}), guess, problems


def count(rows: Iterator[NumberedCells], limit: int, nothing: str = NO_ROWS) -> int:
    """Return the number of rows; raises InvalidSheet if there is none (``nothing``), or more than ``limit``."""
    total = 0
    for total, _ in enumerate(rows, 1):
        check_total(total, limit)
    if not total:
        raise InvalidSheet("bad_header", nothing)
    return total


def check_total(total: int, limit: int) -> None:
    if total > limit:
        raise InvalidSheet("too_many_rows", f"The sheet has more than {limit:,} rows.")


def chunks(header: Header, rows: Iterator[NumberedCells], *, after: int, size: int) -> Iterator[list[AnyRow]]:
    """Yield the decided rows behind row ``after`` in lists of ``size``, or fewer if their texts are long."""
    chunk: list[AnyRow] = []
    length = 0
    for number, cells in rows:
        if number <= after:
            continue
        row = _decide(header, number, cells)
        chunk.append(row)
        length += len(row.name) + len(row.phone_number) + len(row.email_address)
        if len(chunk) == size or length > MAX_CHUNK:
            yield chunk
            chunk, length = [], 0
    if chunk:
        yield chunk


def _decide(header: Header, number: int, cells: Cells) -> AnyRow:
    if WHOLE_ROW in cells:
        return unreadable_row(number, cells[WHOLE_ROW])
    decide = extra_cell if header.has_extra(cells) else read_row
    return decide(
        number,
        joined_name(cells, header.name),
        first_value(cells, header.phone),
        first_value(cells, header.email),
    )


if __name__ == "__main__":
    with suppress(BrokenPipeError):
        main(orjson.loads(sys.stdin.buffer.read()))
