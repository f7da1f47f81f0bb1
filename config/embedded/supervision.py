"""The supervisor that keeps the programs of ``supervisord.conf`` running, and the way to talk to it."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from supervisor import supervisord
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions
from supervisor.xmlrpc import Faults, SupervisorTransport

from . import strays

CONFIGURATION = Path(__file__).with_name("supervisord.conf")
ROOT = Path(__file__).resolve().parents[2]
LONGEST_SOCKET = 80  # the system's limit is about 104, of which the supervisor needs some for a temporary name
SHORT_FOLDER = Path(os.sep) / "tmp"  # TMPDIR may be as long as the home
STOP_SECONDS = 14


class Orphanable(supervisord.Supervisor):
    """Stops everything in order when the process that started it is gone."""

    parent = os.getppid()

    def tick(self, now: float | None = None) -> None:
        super().tick(now)
        if os.getppid() != self.parent:
            self.parent = os.getppid()
            os.kill(os.getpid(), signal.SIGTERM)


class Supervision:
    """The supervisor as a child of this process, in a session of its own, where Ctrl-C does not reach it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.socket = home / "run" / "supervisor.sock"
        if len(os.fsencode(self.socket)) > LONGEST_SOCKET:
            self.socket = Path(tempfile.mkdtemp(prefix="atrium-", dir=SHORT_FOLDER)) / "supervisor.sock"
        with (home / "log" / "supervisord.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.embedded.supervision"],
                env={
                    **os.environ,
                    "ATRIUM_SOCKET": str(self.socket),
                    "ATRIUM_ROOT": str(ROOT),
                    "ATRIUM_PYTHON": sys.executable,
                    "PYTHONUNBUFFERED": "1",
                    # Whoever starts it as root knows.
                    "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
                },
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        strays.remember(home, self.process.pid)
        self.transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        self.calls: Any = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=self.transport).supervisor

    def wait_until_ready(self) -> None:
        """Return once it takes calls; raises TimeoutError."""
        deadline = time.monotonic() + 30
        while True:
            try:
                self.calls.getState()
                return
            except OSError as error:  # its socket is not there yet
                self.transport.close()
                if self.is_gone() or time.monotonic() > deadline:
                    raise TimeoutError("The supervisor did not start.") from error
            time.sleep(0.05)

    def is_gone(self) -> bool:
        return self.process.poll() is not None

    def start(self, name: str) -> None:
        """Have a program started, without waiting until it runs. One that starts already is left to it."""
        try:
            self.calls.startProcess(name, False)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != Faults.ALREADY_STARTED:
                raise

    def is_starting(self, name: str) -> bool:
        """Whether the program runs, or is being started; not whether it is of any use yet."""
        return self.calls.getProcessInfo(name)["statename"] in ("STARTING", "RUNNING", "BACKOFF")

    def begin_stop(self) -> None:
        """Have everything end in order; ``is_gone`` once it has."""
        if not self.is_gone():
            self.process.send_signal(signal.SIGTERM)

    def finish(self) -> None:
        """Kill whatever is left, and forget about it."""
        self.process.kill()
        self.process.wait()
        strays.end(self.home)
        self.socket.unlink(missing_ok=True)
        if self.socket.parent != self.home / "run":
            self.socket.parent.rmdir()


def main() -> None:
    options = ServerOptions()
    os.chdir(os.environ["ATRIUM_HOME"])  # what the paths in the file are relative to
    options.realize(["-c", str(CONFIGURATION)])
    options.first, options.test = True, False
    with contextlib.suppress(asyncore.ExitNow):
        Orphanable(options).main()


if __name__ == "__main__":
    main()
