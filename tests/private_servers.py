"""A private Postgres and Valkey for a test run or a benchmark.

``start()`` leaves them to a daemon (``python -m tests.private_servers``), which ends them with the process that started
it, even after ``kill -9``: its standard input ends then. The daemon prints the addresses as a line of JSON, then reads
commands such as ``kill postgres`` and answers each with a line.
"""

import argparse
import contextlib
import fcntl
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.ops.launcher import ROOT, StartError, home
from config.ops.launcher.environment import broker_url
from config.ops.launcher.postgres import Postgres
from config.ops.launcher.server import Server
from config.ops.launcher.valkey import Valkey

PATIENCE = 60  # seconds


@dataclass
class Servers:
    """A running Postgres and Valkey. The methods take the name ``postgres`` or ``valkey``."""

    database_url: str
    redis_url: str
    broker_url: str
    _daemon: subprocess.Popen = field(repr=False)

    def urls(self) -> dict[str, str]:
        return {"database_url": self.database_url, "redis_url": self.redis_url, "broker_url": self.broker_url}

    def kill(self, name: str) -> None:
        """End a server with SIGKILL."""
        self._call("kill", name)

    def restart(self, name: str) -> None:
        """Start a killed server at the same address and wait until it answers."""
        self._call("restart", name)

    def freeze(self, name: str) -> None:
        """Stop a server with SIGSTOP: its connections stay open and get no answer until ``thaw``."""
        self._call("freeze", name)

    def thaw(self, name: str) -> None:
        self._call("thaw", name)

    def stop(self) -> None:
        """End both servers in order. A second call does nothing."""
        if self._daemon.stdin and not self._daemon.stdin.closed:
            self._daemon.stdin.close()
            self._daemon.wait(60)

    def _call(self, *words: str) -> None:
        print(*words, file=self._daemon.stdin, flush=True)
        _answer(self._daemon)


def start(folder: Path | None = None, *, durable: bool = True) -> Servers:
    """Start both servers and return once they answer; raises StartError.

    Their data are in ``folder``, by default a temporary one that is deleted with them. With ``durable=False`` they are
    fast and keep nothing: for tests.
    """
    arguments = [str(Path(folder).absolute())] if folder else []
    daemon = subprocess.Popen(
        [sys.executable, "-m", "tests.private_servers", *arguments, *([] if durable else ["--throwaway"])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        start_new_session=True,  # Ctrl-C must not reach it
    )
    return Servers(**_answer(daemon), _daemon=daemon)


def _answer(daemon: subprocess.Popen) -> dict[str, Any]:
    line = daemon.stdout.readline() if daemon.stdout else ""
    answer = json.loads(line or '{"error": "The daemon of the private servers ended unexpectedly."}')
    if error := answer.pop("error", None):
        raise StartError(error)
    return answer


class ServerProcess:
    """A server and its running process, in the daemon."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.process: subprocess.Popen | None = None

    def start(self, *, prepare: bool = False) -> None:
        """Start the server, and try again for PATIENCE seconds.

        A chosen port may be taken before the server binds it, and Postgres does not start beside a backend of the
        server that was killed.
        """
        deadline = time.monotonic() + PATIENCE
        while True:
            if prepare:
                self.server.prepare()
            with (self.server.folder / "log").open("ab") as log:
                command, environment = self.server.command(), self.server.environment()
                process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.process = process
            try:
                return self.server.wait_until_ready(alive=lambda process=process: process.poll() is None)
            except TimeoutError:
                self.end(signal.SIGKILL)
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def signal(self, number: int) -> None:
        if self.process:
            self.process.send_signal(number)

    def end(self, number: int) -> None:
        """Send a signal and wait; kill after 20 s."""
        if self.process is None:
            return
        self.process.send_signal(number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def execute(self, action: str) -> None:
        if action == "kill":
            self.end(signal.SIGKILL)
        elif action == "restart":
            self.start()
        elif action == "freeze":
            self.signal(signal.SIGSTOP)
        elif action == "thaw":
            self.signal(signal.SIGCONT)


def _serve(folder: Path, *, durable: bool, idle: int) -> None:
    postgres = Postgres(folder / "postgres", durable=durable)
    valkey = Valkey(folder / "valkey", durable=durable)
    processes = {server.name: ServerProcess(server) for server in (postgres, valkey)}
    try:
        for process in processes.values():
            process.start(prepare=True)
        _print(database_url=postgres.url, redis_url=valkey.url, broker_url=broker_url(valkey.url))
        if idle:
            return _wait_until_idle(folder / "run.lock", idle)
        for line in sys.stdin:
            action, name = line.split()
            processes[name].execute(action)
            _print()
    finally:
        processes["valkey"].end(signal.SIGTERM)
        processes["postgres"].end(signal.SIGINT)  # a fast shutdown: it disconnects clients and writes a checkpoint


def _wait_until_idle(file: Path, seconds: int) -> None:
    """Return once no run has held the lock on ``file`` for ``seconds``; the lock then keeps new runs out."""
    lock = file.open("a")
    while True:
        time.sleep(5)
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - file.stat().st_mtime > seconds:
                return
            fcntl.flock(lock, fcntl.LOCK_UN)


def _print(**content: Any) -> None:
    print(json.dumps(content), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", nargs="?", type=Path)
    parser.add_argument("--throwaway", action="store_true")
    parser.add_argument("--idle", type=int, default=0, help="end after so many seconds without a run (tests/run.py)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    folder = options.home or Path(tempfile.mkdtemp(prefix="atrium-"))
    try:
        with home.lock(home.make(folder)):
            if options.idle:  # the files of throwaway servers may be damaged
                for name in ("postgres", "valkey"):
                    shutil.rmtree(folder / name, ignore_errors=True)
            _serve(folder, durable=not options.throwaway, idle=options.idle)
    except (StartError, TimeoutError) as error:
        _print(error=str(error))
    finally:
        if options.home is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
