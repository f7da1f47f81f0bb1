"""Processes of Atrium on their own servers, for tests that kill them."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg2
import psycopg2.extensions
import redis
import requests

from .. import private_servers
from ..places import ROOT, free_port
from ..sql import execute
from ..waiting import wait_until


class Reachable(Protocol):
    """What a client of an installation needs."""

    url: str

    def manage(self, *arguments: str, **extra: str) -> str: ...


THROTTLES = ("ANON", "USER", "LOGIN", "REGISTER", "MAIL", "SEND", "UPLOAD")


class Stack:
    """An installation with its own Postgres and Valkey: start processes, send requests and SQL, kill any of them.

    Nothing here uses Django's connection, which belongs to the servers of the test run.
    """

    def __init__(self, folder: Path, *, database: Path | None = None, **settings: str) -> None:
        """``database`` is the folder of a stopped Postgres, of which this one gets a copy."""
        self.folder, self.settings = folder, settings
        if database:
            shutil.copytree(database / "data", folder / "servers/postgres/data")
            shutil.copy2(database / "password", folder / "servers/postgres/password")
        self.servers = private_servers.start(folder / "servers")
        self.processes: list[subprocess.Popen] = []
        self.port, self.events_port, self.front_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"  # the web process itself
        self.front_url = f"http://127.0.0.1:{self.front_port}"

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            **os.environ,
            "ATRIUM_HOME": str(self.folder),
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "CELERY_BROKER_URL": self.servers.broker_url,
            "PUBLIC_URL": self.url,
            "EVENTS_URL": f"http://127.0.0.1:{self.events_port}",
            "PORT": str(self.front_port),
            "WEB_PORT": str(self.port),
            "EVENTS_PORT": str(self.events_port),
            "TRENDS_INBOX": str(self.folder / "inbox"),
            "TRENDS_BACKUP": str(self.folder / "backup"),
            "WORKER_CONCURRENCY": "1",
            "PYTHONUNBUFFERED": "1",
            **dict.fromkeys((f"THROTTLE_{scope}" for scope in THROTTLES), ""),
            **self.settings,
            **extra,
        }  # fmt: skip

    def manage(self, *arguments: str, fails: bool = False, **extra: str) -> str:
        """Run ``manage.py`` and return its output. It must succeed, unless it ``fails`` for another reason."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment(**extra), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert fails or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, role: str, *, inside: Sequence[str] = (), **extra: str) -> subprocess.Popen:
        """Start a role, run by the command ``inside``; wait until ``web`` or ``front`` answers."""
        log = (self.folder / f"{role}-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [*inside, sys.executable, "-m", "config.ops.processes", role],
            cwd=ROOT, env=self.environment(**extra), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        if role in ("web", "front"):
            url = self.url if role == "web" else self.front_url
            wait_until(lambda: self.answers(url), timeout=120, what=f"an answer from the {role} process")
        return process

    def answers(self, url: str = "") -> bool:
        try:
            return requests.get(f"{url or self.url}/healthz/", timeout=2).ok
        except requests.RequestException:
            return False

    def ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz/", timeout=5).ok
        except requests.RequestException:
            return False

    def kill(self, process: subprocess.Popen) -> None:
        """Send SIGKILL to a process and all its children."""
        os.killpg(process.pid, 9)
        process.wait(15)

    def connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(self.servers.database_url)
        connection.autocommit = True
        return connection

    def sql(self, statement: str, *values: Any) -> list[tuple]:
        """Execute one statement and return its rows."""
        return execute(self.servers.database_url, statement, *values)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.servers.redis_url)

    def log(self, role: str) -> str:
        """Return the log of all processes of one role."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob(f"{role}-*.log")))

    def logs(self) -> str:
        """Return the end of every log, without requests that succeeded: they would push tracebacks out of sight."""
        return "\n".join(f"--- {path.name}\n{_remarkable(path)[-8000:]}" for path in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGUSR1)  # Celery writes the stacks of its threads to its log, others end
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(2)
                with contextlib.suppress(ProcessLookupError):
                    self.kill(process)
        print(self.logs())
        self.servers.stop()


def _remarkable(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if " INFO " not in line or "request_finished" not in line)
