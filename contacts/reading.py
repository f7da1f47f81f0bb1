"""The parent's side of the reader process: starts it, hears it, and says what its silence means."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from django.conf import settings

from .workbooks import Refused

CHUNK = 5000  # rows
# A check is short and mostly calamine's: two at a time in a web process leave the others' memory alone.
_checks = threading.BoundedSemaphore(2)


class ReaderKilled(Exception):
    """The reader was ended from outside (a machine short of memory, an operator): the file may be fine."""


def count_rows(path: str | Path) -> int:
    """How many rows the sheet has; raises Refused for a file that is not a readable sheet of contacts."""
    with _checks, _reader(path, after=None) as lines:
        return next(lines)["total"]


@contextmanager
def read_rows(path: str | Path, *, after: int) -> Iterator[Iterator[list]]:
    """Chunks of decided rows (rows.Row, rows.Rejected as lists) behind row ``after``; raises Refused, ReaderKilled."""
    with _reader(path, after=after) as lines:
        yield (line for line in lines if isinstance(line, list))


@contextmanager
def _reader(path: str | Path, *, after: int | None) -> Iterator[Iterator[Any]]:
    options = {
        "path": str(path),
        "after": after,
        "chunk": CHUNK,
        "memory": settings.CONTACT_READER_MEMORY,
        "cpu": settings.CONTACT_READER_SECONDS,
        "max_rows": settings.CONTACT_MAX_ROWS,
        "max_unzipped": settings.CONTACT_MAX_UNZIPPED,
    }
    # Not multiprocessing: a Celery child is a daemon and may have no children of that kind. The environment is bare, so
    # that a file which took the process over would find no secret in it.
    process = subprocess.Popen(
        [sys.executable, "-m", "contacts.reader", json.dumps(options)],
        cwd=settings.BASE_DIR,
        env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ},
        stdin=subprocess.DEVNULL,
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
        if isinstance(message, dict) and "refused" in message:
            raise Refused(message["refused"], message["detail"])
        yield message
        if isinstance(message, dict) and "end" in message:
            return
    cause = errors.read(4000).decode(errors="replace") if errors else ""
    if process.wait() == -signal.SIGKILL:
        raise ReaderKilled("The reader process was killed.")
    # It ran into its own limits, or failed in a way that no honest file makes it fail.
    raise Refused("unsafe_file", "Reading the file takes more memory or time than a sheet of contacts needs.", cause)
