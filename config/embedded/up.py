"""``bin/up``: everything, in order, until it is told to stop."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from types import FrameType

from . import Refusal, environment, readiness, strays, welcome
from .environment import ROOT
from .home import lock, make
from .output import Logs, is_lost, report, say
from .postgres import Postgres
from .server import Server
from .supervision import STOP_SECONDS, Supervision
from .valkey import Valkey

ROLES = ("web", "events", "worker", "beat")
READY_SECONDS = 90
AGAIN_SECONDS = 20  # until a program is tried again that ended several times while it started
LOOK_SECONDS = 0.2
ASK_SECONDS = 0.5


class Stopped(BaseException):
    """Ctrl-C, SIGTERM, or the terminal was closed."""


class SupervisorKilled(Exception):
    pass


class Signals:
    """The first signal stops in order; another, a second or more later, at once."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.impatient = False
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup keeps it running
                signal.signal(number, self._take)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.first is None:
            self.first = time.monotonic()
            raise Stopped
        # Some terminals and wrappers deliver the same Ctrl-C twice.
        self.impatient = self.impatient or time.monotonic() - self.first > 1


class Up:
    """One start of the product on its home, with the home locked against another."""

    def __init__(self, signals: Signals) -> None:
        self.signals = signals
        environment.load_given()
        self.home = make(environment.home())
        os.environ["ATRIUM_HOME"] = str(self.home)
        os.umask(0o077)
        self.lock = lock(self.home)
        for name in ("run", "log"):
            make(self.home / name)
        if strays.find(self.home):
            say("Ending what an Atrium that was killed has left running …")
            strays.end(self.home)
        self.port = environment.port()
        self.events_port = environment.events_port(self.port)
        self.servers = self._prepare_servers()
        self._complete_environment()
        self.again: dict[str, float] = {}  # programs that gave up, and when each is tried again

    def _prepare_servers(self) -> list[Server]:
        """The private servers that are needed, where no other is named."""
        servers: list[Server] = []
        if "DATABASE_URL" not in os.environ:
            servers.append(Postgres(self.home / "postgres"))
        if "REDIS_URL" not in os.environ:
            servers.append(Valkey(self.home / "valkey"))
        for server in servers:
            if not server.data.exists():
                say(f"Making a place for the data of {server.title} …")
            server.prepare()
        return servers

    def _complete_environment(self) -> None:
        made = {"PUBLIC_URL": f"http://localhost:{self.port}"}
        os.environ["PORT"] = str(self.port)
        os.environ["EVENTS_PORT"] = str(self.events_port)
        made["EVENTS_URL"] = f"http://localhost:{self.events_port}"
        for server in self.servers:
            if isinstance(server, Postgres):
                made["DATABASE_URL"] = server.url
            elif isinstance(server, Valkey):
                made |= {"REDIS_URL": f"{server.url}/0", "CELERY_BROKER_URL": f"{server.url}/1"}
        if "REDIS_URL" in os.environ:
            made["CELERY_BROKER_URL"] = environment.broker_beside(os.environ["REDIS_URL"])
        environment.complete(self.home, made)

    def run(self) -> None:
        """Until Stopped. Raises Refusal if it cannot go on."""
        while True:
            supervision = Supervision(self.home)
            started = False
            try:
                self._start(supervision)
                started = True
                self._watch(supervision)
            except SupervisorKilled:
                if not started:
                    raise Refusal(
                        f"The supervisor ended by itself; {self.home}/log/supervisord.log says why."
                    ) from None
                report("The supervisor was killed; everything is ended and started again.")
            finally:
                self._stop(supervision)

    def _start(self, supervision: Supervision) -> None:
        self.logs = Logs(self.home / "log", ROLES, on_end=self._ended, on_give_up=self._gave_up)
        supervision.wait_until_ready()
        if self.servers:
            say(f"Starting {' and '.join(server.title for server in self.servers)} …")
        for server in self.servers:
            supervision.start(server.name)
        for server in self.servers:
            try:
                server.wait_until_ready(alive=partial(supervision.is_starting, server.name))
            except TimeoutError as error:
                raise Refusal(f"{error}\nThe end of {self._tail(server.name)}") from error
        prepared = subprocess.run(
            [sys.executable, "-m", "config.embedded.preparation"], cwd=ROOT, start_new_session=True
        )
        if prepared.returncode != 0:
            raise Refusal("Atrium could not be prepared; the reason is above.")
        say(f"Starting {', '.join(ROLES)} …")
        for role in ROLES:
            supervision.start(f"atrium:{role}")
        self._wait_until_ready(supervision)

    def _wait_until_ready(self, supervision: Supervision) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while (missing := readiness.missing(self.port)) != []:
            self._look(supervision)
            if time.monotonic() > deadline:
                say(f"After {READY_SECONDS} s this is still not ready: {', '.join(missing or ['web'])}. Going on.")
                break
            time.sleep(ASK_SECONDS)
        self.logs.show()
        say(welcome.text(self.home))

    def _watch(self, supervision: Supervision) -> None:
        while True:
            self._look(supervision)
            for name, due in list(self.again.items()):
                if time.monotonic() > due:
                    del self.again[name]
                    supervision.start(name)
            if is_lost():
                raise Stopped
            time.sleep(LOOK_SECONDS)

    def _look(self, supervision: Supervision) -> None:
        self.logs.show()
        if supervision.is_gone():
            raise SupervisorKilled

    def _ended(self, name: str, how: str) -> None:
        report(f"{name} ended unexpectedly ({how}); it is started again.")
        strays.end_orphans(self.home)

    def _gave_up(self, name: str) -> None:
        report(f"{name} does not start: {self.home}/log/{name}.log. It is tried again in {AGAIN_SECONDS} s.")
        self.again[f"atrium:{name}" if name in ROLES else name] = time.monotonic() + AGAIN_SECONDS

    def _stop(self, supervision: Supervision) -> None:
        """In order, within STOP_SECONDS; then, or when the user is impatient, by force."""
        if not supervision.is_gone():
            say("\nStopping …")
        supervision.begin_stop()
        deadline = time.monotonic() + STOP_SECONDS
        while not supervision.is_gone() and time.monotonic() < deadline and not self.signals.impatient:
            self.logs.show()
            time.sleep(LOOK_SECONDS / 4)
        supervision.finish()
        self.logs.show()

    def _tail(self, name: str) -> str:
        file = self.home / "log" / f"{name}.log"
        last = file.read_text(errors="replace").splitlines()[-8:] if file.exists() else []
        return "\n".join([f"{file}:", *last])


def main() -> int:
    signals = Signals()
    try:
        Up(signals).run()
    except Stopped:
        say("Stopped.")
    except Refusal as refusal:
        print(refusal, file=sys.stderr, flush=True)
        return 1
    return 0
