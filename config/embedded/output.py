"""What ``up`` shows: its own sentences, and the lines of every process's log as they come, in one stream."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

OWN_LINE = re.compile(r"\d\d:\d\d:\d\d |\{")  # begins with the time or is JSON: it names its process itself

_lost = False


def say(text: str = "") -> None:
    """Print a line, or nothing once there is nobody left to read it (see ``is_lost``)."""
    global _lost
    if _lost:
        return
    try:
        print(text, flush=True)
    except OSError:  # the terminal or the pipe is closed
        _lost = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_lost() -> bool:
    """Whether whoever read our output is gone."""
    return _lost


def report(text: str) -> None:
    """A line of ``up`` itself among those of its processes."""
    say(f"{time.strftime('%H:%M:%S')} {'up':<8} {'INFO':<7} {text}")


class Log:
    """A log file that somebody else writes and rotates, read from where it ends now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        path.touch(mode=0o600)
        self._file = path.open("rb")
        self._file.seek(0, os.SEEK_END)
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """The whole lines that came since the last call."""
        yield from self._read()
        if self._is_rotated():
            yield from self._read()  # what came between the two
            self._file.close()
            self._file = self.path.open("rb")
            yield from self._read()

    def _read(self) -> Iterator[str]:
        *whole, self._rest = (self._rest + self._file.read()).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")

    def _is_rotated(self) -> bool:
        try:
            there, ours = self.path.stat(), os.fstat(self._file.fileno())
        except FileNotFoundError:  # in the midst of it
            return False
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)


class Logs:
    """The logs of all processes, shown line by line; those of the supervisor turned into sentences."""

    def __init__(
        self,
        folder: Path,
        names: Iterable[str],
        *,
        on_end: Callable[[str, str], None],
        on_give_up: Callable[[str], None],
    ) -> None:
        """``on_end`` is told a program that ended unexpectedly, and how; ``on_give_up``, one that does not start."""
        self.processes = [Log(folder / f"{name}.log") for name in names]
        self.supervisor = Log(folder / "supervisord.log")
        self.on_end = on_end
        self.on_give_up = on_give_up

    def show(self) -> None:
        """Print what came since the last call."""
        for log in self.processes:
            for line in log.lines():
                if line.strip():
                    say(line if OWN_LINE.match(line) else f"{'':8} {log.name:<8} {line}")
        for line in self.supervisor.lines():
            self._translate(line)

    def _translate(self, line: str) -> None:
        if found := re.search(r"exited: (\S+) \((.+); (?:not )?expected\)", line):
            self.on_end(found[1], found[2])
        elif found := re.search(r"killing '(\S+)' \(\d+\) with SIGKILL", line):
            report(f"{found[1]} did not end in time and was killed.")
        elif found := re.search(r"gave up: (\S+) entered FATAL", line):
            self.on_give_up(found[1])
