"""The version before this one, in a folder and a virtual environment of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from ..faults.stack import Stack
from ..places import ROOT
from ..waiting import wait_until

COMMIT = "2d7bbbc0c450f1682b229b275e7101b419d3a5f7"


def install(folder: Path) -> Path:
    """Unpack the previous version into ``folder``, install its locked requirements, and return ``folder``.

    Skips the test if the history of this checkout does not have the commit.
    """
    known = subprocess.run(["git", "cat-file", "-e", COMMIT], cwd=ROOT, capture_output=True, check=False)
    if known.returncode:
        pytest.skip(f"the git history does not contain {COMMIT[:7]}, the previous version (a shallow clone?)")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "installed").exists():
        archive = subprocess.run(["git", "archive", COMMIT], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        subprocess.run([sys.executable, "-m", "venv", folder / ".venv"], check=True)
        pip = [str(folder / ".venv/bin/python"), "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*pip, "-r", str(folder / "requirements-up.txt")], check=True)
        (folder / "installed").touch()
    return folder


class Previous:
    """The previous version on the servers, the files and the keys of ``stack``."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        self.folder, self.stack, self.python = folder, stack, str(folder / ".venv/bin/python")

    def environment(self) -> dict[str, str]:
        # Its web process listens on PORT itself: there was no front process.
        environment = self.stack.environment(PORT=str(self.stack.port), EVENTS_URL="")
        return {name: value for name, value in environment.items() if name != "PYTHONPATH"}

    def manage(self, *arguments: str, code: str = "") -> str:
        """Run its ``manage.py`` with ``code`` as the input, and return the output."""
        done = subprocess.run(
            [self.python, "manage.py", *arguments],
            cwd=self.folder, env=self.environment(), input=code, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, role: str) -> subprocess.Popen:
        """Start one of its processes; wait until ``web`` answers."""
        log = (self.stack.folder / f"previous-{role}-{len(self.stack.processes)}.log").open("wb")
        process = subprocess.Popen(
            [self.python, "-m", "config.processes", role],
            cwd=self.folder, env=self.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self.stack.processes.append(process)
        if role == "web":
            wait_until(self.stack.answers, what="an answer from the previous version")
        return process
