"""The output of ``bin/up``: its own lines, and every process's log as one stream."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

OWN_LINE = re.compile(r"\d\d:\d\d:\d\d |\{")  # starts with a time or is JSON, so it names its process


def say(text: str = "") -> None:
    """Print a line. When the reader is gone, discard the output and stop ``bin/up``."""
    try:
        print(text, flush=True)
    except OSError:  # the terminal or the pipe is closed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.kill(os.getpid(), signal.SIGTERM)


def report(text: str) -> None:
    """Print a line in the format of the processes' logs."""
    say(f"{time.strftime('%H:%M:%S')} {'up':<8} {'INFO':<7} {text}")


class Log:
    """A log file that another process writes and rotates, read from its present end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        path.touch(mode=0o600)
        self._file = path.open("rb")
        self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """Yield the complete lines since the last call."""
        yield from self._read()
        try:
            rotated = not os.path.samestat(self.path.stat(), os.fstat(self._file.fileno()))
        except FileNotFoundError:  # between rename and creation
            return
        if rotated:
            yield from self._read()  # lines written before the rename
            self._file.close()
            self._file = self.path.open("rb")
            yield from self._read()

    def _read(self) -> Iterator[str]:
        *lines, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace")


class Logs:
    """The logs of all processes, and the supervisor's log as sentences."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self.processes = [Log(folder / f"{name}.log") for name in names]
        self.supervisor = Log(folder / "supervisord.log")

    def show(self) -> None:
        """Print the lines since the last call."""
        for log in self.processes:
            for line in log.lines():
                if line.strip():
                    say(line if OWN_LINE.match(line) else f"{'':8} {log.name:<8} {line}")
        for line in self.supervisor.lines():
            if match := re.search(r"exited: (\S+) \((.+); (?:not )?expected\)", line):
                file = self.supervisor.path.with_name(f"{match[1]}.log")
                report(f"{match[1]} ended unexpectedly ({match[2]}). Restarting it; see {file}.")
            elif match := re.search(r"killing '(\S+)' \(\d+\) with SIGKILL", line):
                report(f"{match[1]} did not stop in time and was killed.")
