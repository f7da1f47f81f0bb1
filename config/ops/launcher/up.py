"""Start everything in order, and run it until it is interrupted."""

import os
import subprocess
import sys
import time

from . import ROOT, StartError, environment, orphans, ready, supervision
from .home import lock, make
from .logs import Logs, report, say
from .postgres import Postgres
from .valkey import Valkey

ROLES = ("front", "web", "events", "worker", "webhooks", "beat")
READY_SECONDS = 90
STOP_SECONDS = 14
POLL_SECONDS = 0.2


class Up:
    """One run of Atrium on its home, which is locked against a second one."""

    def __init__(self, *, dev: bool) -> None:
        environment.load(dev=dev)
        self.home = make(ROOT / os.environ.get("ATRIUM_HOME", ".atrium"))
        os.umask(0o077)
        self.lock = lock(self.home)
        for name in ("run", "log"):
            make(self.home / name)
        if orphans.find(self.home):
            say("Ending processes of an earlier start that was killed …")
            orphans.end(self.home)
        environment.choose_ports()
        own = (Postgres(self.home / "postgres"), Valkey(self.home / "valkey"))
        self.servers = [server for server in own if server.variable not in os.environ]
        for server in self.servers:
            say(f"Preparing {server.title} …")
            server.prepare()
        defaults = {server.variable: server.url for server in self.servers}
        defaults["PUBLIC_URL"] = f"http://localhost:{os.environ['PORT']}"
        defaults["CELERY_BROKER_URL"] = environment.broker_url(os.environ.get("REDIS_URL") or defaults["REDIS_URL"])
        os.environ["ATRIUM_HOME"] = str(self.home)
        environment.complete(self.home, defaults)

    def run(self) -> None:
        """Run until KeyboardInterrupt; raises StartError."""
        while True:
            self.logs = Logs(self.home / "log", ROLES)
            self.supervisor = supervision.start(self.home, [server.name for server in self.servers])
            try:
                self._start()
                while self._is_running():
                    self.logs.show()
                    time.sleep(POLL_SECONDS)
                report("The supervisor was killed. Restarting everything.")
            finally:
                self._stop()

    def _start(self) -> None:
        for server in self.servers:
            try:
                server.wait_until_ready(alive=self._is_running)
            except TimeoutError as error:
                raise StartError(f"{error}. See {self.home}/log/{server.name}.log.") from error
        say("Preparing the database …")
        command = [sys.executable, "-m", "config.ops.launcher.prepare"]
        if subprocess.run(command, cwd=ROOT, start_new_session=True).returncode != 0:
            raise StartError("Atrium could not be prepared; see the message above.")
        say(f"Starting {', '.join(ROLES)} …")
        (self.home / "run" / "prepared").touch()
        deadline = time.monotonic() + READY_SECONDS
        while missing := ready.missing():
            self.logs.show()
            if not self._is_running():
                raise StartError(f"The supervisor ended. See {self.home}/log/supervisord.log.")
            if time.monotonic() > deadline:
                say(f"Not ready after {READY_SECONDS} s: {', '.join(missing)}. Continuing.")
                break
            time.sleep(POLL_SECONDS)
        self.logs.show()
        say(ready.welcome(self.home))

    def _is_running(self) -> bool:
        return self.supervisor.poll() is None

    def _stop(self) -> None:
        """Stop everything in order; after STOP_SECONDS, kill what is left."""
        if self._is_running():
            say("\nStopping …")
        self.supervisor.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        while self._is_running() and time.monotonic() < deadline:
            self.logs.show()
            time.sleep(POLL_SECONDS / 4)
        self.supervisor.kill()
        self.supervisor.wait()
        orphans.end(self.home)
        self.logs.show()
