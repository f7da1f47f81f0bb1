"""Run a role and restart it when a source file changes, for ``bin/dev``."""

import contextlib
import signal
import subprocess
import sys
import time
from pathlib import Path

from . import ROOT

FOLDERS = ("config", "accounts", "notes", "messaging", "contacts", "trends")
SUFFIXES = (".py", ".html", ".txt")  # templates, too: Django caches them
POLL_SECONDS = 0.7


def run(role: str) -> None:
    """Run ``role`` until SIGTERM. After an error in the source, wait for the next change."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    process: subprocess.Popen | None = None
    try:
        while True:
            state = _state()
            process = subprocess.Popen([sys.executable, "-m", "config.ops.processes", role], cwd=ROOT)
            while _state() == state:
                if process.poll() is not None:
                    print(f"{role} ended with {process.returncode}; waiting for a change.", flush=True)
                    while _state() == state:
                        time.sleep(POLL_SECONDS)
                    break
                time.sleep(POLL_SECONDS)
            print(f"A source file changed; restarting {role}.", flush=True)
            _end(process)
    finally:
        if process:
            _end(process)


def _state() -> dict[str, int]:
    """Return the modification time of every source file."""
    state = {}
    for folder in FOLDERS:
        for path in Path(ROOT, folder).rglob("*.*"):
            if path.suffix in SUFFIXES:
                with contextlib.suppress(FileNotFoundError):
                    state[str(path)] = path.stat().st_mtime_ns
    return state


def _end(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
