"""What a killed ``up`` left running, found so that no other process can be mistaken for it."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from .home import write_private

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ("postgres", "valkey-server", "redis-server")


def remember(home: Path, session: int) -> None:
    """Note the supervisor, which leads the session that all its programs are in, with the instant of its start."""
    write_private(home / "run" / "session", f"{session} {psutil.Process(session).create_time()}\n")


def find(home: Path) -> list[psutil.Process]:
    """Every process that an earlier ``up`` on ``home`` started.

    They are the servers that work in ``home``, and those of the noted session that work there or in this checkout. A
    session's number is not given out again while a process is in it.
    """
    session, started = _session(home)
    data = {(home / name / "data").resolve() for name in ("postgres", "valkey")}
    found = []
    for process in psutil.process_iter():
        try:
            folder = Path(process.cwd())
            ours = folder in data and process.name().startswith(SERVERS)
            if not ours and session and os.getsid(process.pid) == session and process.create_time() >= started - 1:
                ours = folder in (ROOT, home.resolve()) or folder in data
        except (OSError, psutil.Error):  # ended meanwhile, or somebody else's
            continue
        if ours and process.pid != os.getpid():
            found.append(process)
    return found


def end(home: Path, *, patience: float = 15) -> None:
    """End them, the supervisor first: it has ``patience`` seconds to end the others in order."""
    session, _ = _session(home)
    supervisor = [process for process in find(home) if process.pid == session]
    _send(signal.SIGTERM, supervisor)
    psutil.wait_procs(supervisor, timeout=patience)
    _end(lambda: [process for process in find(home) if not _is_server(process)], signal.SIGTERM)
    _end(lambda: find(home), signal.SIGINT)  # at once and in order, to Postgres and Valkey alike
    (home / "run" / "session").unlink(missing_ok=True)


def end_orphans(home: Path) -> None:
    """End what a killed program has left of itself, such as granian's workers, which go on serving without it."""
    session, _ = _session(home)
    there = find(home)
    pids = {process.pid for process in there}
    orphans = []
    for process in there:
        with contextlib.suppress(psutil.Error):
            if process.pid != session and process.ppid() not in pids:
                orphans.append(process)
    _end(lambda: [process for process in orphans if process.is_running()], signal.SIGTERM)


def _end(whom: Callable[[], list[psutil.Process]], number: int) -> None:
    """Signal them, wait for 5 s, and kill whoever is left or has come since."""
    processes = whom()
    _send(number, processes)
    psutil.wait_procs(processes, timeout=5)
    for _ in range(5):
        if not (left := whom()):
            return
        _send(signal.SIGKILL, left)
        psutil.wait_procs(left, timeout=2)


def _send(number: int, processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def _is_server(process: psutil.Process) -> bool:
    try:
        return process.name().startswith(SERVERS)
    except psutil.Error:
        return False


def _session(home: Path) -> tuple[int, float]:
    """The session that was noted last, and the instant of its start; 0 if there is none."""
    try:
        session, started = (home / "run" / "session").read_text().split()
        return int(session), float(started)
    except (OSError, ValueError):
        return 0, 0.0
