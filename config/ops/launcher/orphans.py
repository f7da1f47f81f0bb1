"""Find and end processes that a killed ``bin/up`` left running, without touching any other process."""

import contextlib
import os
import signal
from pathlib import Path

import psutil

from . import ROOT
from .home import write_private

SERVERS = ("postgres", "valkey-server", "redis-server")


def store_session(home: Path, session: int) -> None:
    """Store the supervisor's pid, which is the session of all its programs, and its start time."""
    write_private(home / "run" / "session", f"{session} {psutil.Process(session).create_time()}\n")


def find(home: Path) -> list[psutil.Process]:
    """Return every process that an earlier ``bin/up`` on ``home`` started.

    These are servers whose working directory is in ``home``, and processes of the stored session that work there or in
    this checkout. The system does not reuse a session's number while a process is in it.
    """
    try:
        session, started = map(float, (home / "run" / "session").read_text().split())
    except (OSError, ValueError):
        session = started = 0
    data = {(home / name / "data").resolve() for name in ("postgres", "valkey")}
    found = []
    for process in psutil.process_iter():
        try:
            folder = Path(process.cwd())
            ours = folder in data and _is_server(process)
            if not ours and session and os.getsid(process.pid) == session and process.create_time() >= started - 1:
                ours = folder in (ROOT, home.resolve()) or folder in data
        except (OSError, psutil.Error):  # it has ended, or belongs to another user
            continue
        if ours and process.pid != os.getpid():
            found.append(process)
    return found


def end(home: Path) -> None:
    """End all of ``find``: the supervisor and its roles, then the servers."""
    _end([process for process in find(home) if not _is_server(process)], signal.SIGTERM)
    for _ in range(5):  # a process may start another one before it ends
        _end(find(home), signal.SIGINT)  # both servers shut down in order on SIGINT
    (home / "run" / "session").unlink(missing_ok=True)


def _end(processes: list[psutil.Process], number: int) -> None:
    """Send a signal to each process, and kill those that are left after 5 s."""
    for each in (number, signal.SIGKILL):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(each)
        _, processes = psutil.wait_procs(processes, timeout=5)


def _is_server(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name().startswith(SERVERS)
    return False
