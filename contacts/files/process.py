"""Starts the reader process, reads its output, and interprets its exit."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

import orjson
from django.conf import settings

from .choice import DEFAULT, Choice
from .limits import InvalidSheet
from .rows import AnyRow, row_from_json

# At most two checks at a time in a web process, to bound the memory of its readers.
_checks = threading.BoundedSemaphore(2)


class ReaderKilled(Exception):
    """The reader was killed from outside, for example on a machine short of memory. The file may be valid."""


class Checked(NamedTuple):
    """A valid file: its rows with content, and the encoding of CSV (empty for a workbook)."""

    total_rows: int
    encoding: str


def check_file(path: str | Path, *, choice: Choice = DEFAULT) -> Checked:
    """Check a file and count its rows; raises InvalidSheet, ReaderKilled."""
    with _checks, _reader(path, "check", choice) as lines:
        checked = next(lines)
        return Checked(checked["total"], checked["encoding"])


class Overview(NamedTuple):
    """What a file contains, and the mapping that was chosen or guessed; ``problems`` say why an upload would fail.

    ``total_rows`` is None if the rows can be decided.
    """

    sheets: list[str]
    encoding: str
    columns: list[str]
    mapping: dict[str, list[str] | str]
    problems: list[dict[str, str]]
    total_rows: int | None


@contextmanager
def preview(
    path: str | Path, *, choice: Choice, chunk_rows: int, max_rows: int
) -> Iterator[tuple[Overview, Iterator[list[AnyRow]]]]:
    """Yield the overview of a file and an iterator of its rows, in chunks; raises InvalidSheet, ReaderKilled."""
    with _reader(path, "preview", choice, chunk=chunk_rows, max_rows=max_rows) as lines:
        found = next(lines)
        overview = Overview(
            *(found[name] for name in ("sheets", "encoding", "columns", "mapping", "problems", "total_rows"))
        )
        yield overview, ([row_from_json(values) for values in line] for line in lines if isinstance(line, list))


@contextmanager
def read_rows(
    path: str | Path, *, after: int, chunk_rows: int, choice: Choice = DEFAULT
) -> Iterator[Iterator[list[AnyRow]]]:
    """Yield an iterator of the rows behind row ``after``, in chunks; it raises InvalidSheet, ReaderKilled."""
    with _reader(path, "rows", choice, after=after, chunk=chunk_rows) as lines:
        yield ([row_from_json(values) for values in line] for line in lines if isinstance(line, list))


@contextmanager
def _reader(
    path: str | Path, task: str, choice: Choice, *, after: int = 0, chunk: int = 0, max_rows: int | None = None
) -> Iterator[Iterator[Any]]:
    options = {
        "path": str(path),
        "task": task,
        "choice": asdict(choice),
        "after": after,
        "chunk": chunk,
        "memory": settings.CONTACT_READER_MEMORY,
        # An import also decides about each row, which takes as long again.
        "cpu": settings.CONTACT_READER_SECONDS * (1 if task == "check" else 3),
        "max_rows": settings.CONTACT_MAX_ROWS if max_rows is None else max_rows,
        "max_unzipped": settings.CONTACT_MAX_UNZIPPED,
    }
    # Not multiprocessing: the processes of a Celery worker are daemons, which may not have children of that kind. The
    # environment contains no secrets, in case a file takes control of the process.
    with TemporaryFile() as file:  # an argument may have 128 kB, which the titles of a mapping can exceed
        file.write(orjson.dumps(options))
        file.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-m", "contacts.files.reader"],
            cwd=settings.BASE_DIR,
            env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ},
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    try:
        yield _lines(process)
    finally:
        process.kill()
        process.communicate()


def _lines(process: subprocess.Popen) -> Iterator[Any]:
    output, errors = process.stdout, process.stderr
    for line in output or ():
        message = orjson.loads(line)
        if isinstance(message, dict) and "invalid" in message:
            raise InvalidSheet(message["invalid"], message["detail"], message["cause"], message["attr"])
        yield message
        if isinstance(message, dict) and "end" in message:
            return
    cause = errors.read(4000).decode(errors="replace") if errors else ""
    if process.wait() == -signal.SIGKILL:
        raise ReaderKilled("The reader process was killed.")
    # It reached its own limits, or failed in a way that no valid file causes.
    raise InvalidSheet("unsafe_file", "Reading the file needs more memory or time than is allowed.", cause)
