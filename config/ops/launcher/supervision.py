"""The supervisor that runs the programs of ``supervisord.conf``."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

from supervisor import supervisord
from supervisor.medusa import asyncore_25 as asyncore
from supervisor.options import ServerOptions

from . import ROOT, orphans


def start(home: Path, servers: Collection[str]) -> subprocess.Popen:
    """Start the private ``servers`` and all roles; the roles wait for the file ``run/prepared``.

    The supervisor has its own session, which Ctrl-C does not reach. It stops everything in order on SIGTERM.
    """
    (home / "run" / "prepared").unlink(missing_ok=True)
    environment = {
        **os.environ,
        "ATRIUM_ROOT": str(ROOT),
        "ATRIUM_PYTHON": sys.executable,
        "ATRIUM_OWN_POSTGRES": str("postgres" in servers),
        "ATRIUM_OWN_VALKEY": str("valkey" in servers),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
    }
    with (home / "log" / "supervisord.log").open("ab") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "config.ops.launcher.supervision"],
            env=environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    orphans.store_session(home, supervisor.pid)
    return supervisor


class Options(ServerOptions):
    """Options that end the children of a killed process, such as granian's workers, which would go on serving."""

    def waitpid(self) -> tuple[int | None, int | None]:
        pid, status = super().waitpid()
        if pid:
            with contextlib.suppress(OSError):  # it has left no children
                os.killpg(pid, signal.SIGKILL)
        return pid, status


class Supervisor(supervisord.Supervisor):
    """A supervisor that stops everything in order when its parent process is gone."""

    parent = os.getppid()

    def tick(self, now: float | None = None) -> None:
        super().tick(now)
        if os.getppid() != self.parent:
            self.parent = os.getppid()
            os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    options = Options()
    os.chdir(os.environ["ATRIUM_HOME"])  # the base of the paths in the configuration
    options.realize(["-c", str(Path(__file__).with_name("supervisord.conf"))])
    options.first, options.test = True, False
    with contextlib.suppress(asyncore.ExitNow):
        Supervisor(options).main()
