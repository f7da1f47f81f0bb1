"""A web process, workers and beats on servers of their own, to be killed one by one."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions
import redis
import requests

from config.embedded import servers

from ..places import ROOT, free_port
from ..waiting import wait_until

THROTTLES = ("ANON", "USER", "LOGIN", "REGISTER", "MAIL", "SEND", "UPLOAD")


class House:
    """``start()`` a role of config.processes, ask the web process over HTTP and Postgres by SQL, kill what you like.

    Nothing here goes through Django's connection, which belongs to the test run's own servers.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.settings = folder, settings
        self.servers = servers.start(folder / "servers")
        self.processes: list[subprocess.Popen] = []
        self.port, self.events_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def environment(self, **extra: str) -> dict[str, str]:
        return {
            **os.environ,
            "ATRIUM_HOME": str(self.folder),
            "DATABASE_URL": self.servers.database_url,
            "REDIS_URL": self.servers.redis_url,
            "CELERY_BROKER_URL": self.servers.broker_url,
            "PUBLIC_URL": self.url,
            "EVENTS_URL": f"http://127.0.0.1:{self.events_port}",
            "PORT": str(self.port),
            "EVENTS_PORT": str(self.events_port),
            "TRENDS_INBOX": str(self.folder / "inbox"),
            "TRENDS_BACKUP": str(self.folder / "backup"),
            "WORKER_CONCURRENCY": "1",
            "PYTHONUNBUFFERED": "1",
            **dict.fromkeys((f"THROTTLE_{scope}" for scope in THROTTLES), ""),
            **self.settings,
            **extra,
        }  # fmt: skip

    def manage(self, *arguments: str, **extra: str) -> str:
        """Run ``manage.py`` and return what it said."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment(**extra), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(self, role: str, *, inside: Sequence[str] = (), **extra: str) -> subprocess.Popen:
        """Start ``web``, ``events``, ``worker`` or ``beat``, by the command ``inside``; waits for the first two."""
        log = (self.folder / f"{role}-{len(self.processes)}.log").open("wb")
        process = subprocess.Popen(
            [*inside, sys.executable, "-m", "config.processes", role],
            cwd=ROOT, env=self.environment(**extra), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        self.processes.append(process)
        if role == "web":
            wait_until(self.answers, what="a web process that answers")
        return process

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/healthz/", timeout=2).ok
        except requests.RequestException:
            return False

    def ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/readyz/", timeout=5).ok
        except requests.RequestException:
            return False

    def kill(self, process: subprocess.Popen) -> None:
        """``kill -9`` a process and all its children."""
        os.killpg(process.pid, 9)
        process.wait(15)

    def connect(self) -> psycopg2.extensions.connection:
        connection = psycopg2.connect(self.servers.database_url)
        connection.autocommit = True
        return connection

    def sql(self, statement: str, *values: Any) -> list[tuple]:
        """The rows of one statement."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.servers.redis_url)

    def log(self, role: str) -> str:
        """All that the processes of one role have said."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob(f"{role}-*.log")))

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}" for path in sorted(self.folder.glob("*.log"))
        )

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill(process)
        print(self.logs())
        self.servers.stop()
