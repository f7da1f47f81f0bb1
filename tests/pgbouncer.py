"""PgBouncer in transaction mode, for tests that put it in front of a private Postgres."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest

from .places import free_port
from .sentinels import HERE, Place
from .sql import execute
from .waiting import wait_until

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")


class PgBouncer:
    """A pool of ``size`` connections to the database of ``url``; skips the test if PgBouncer is not installed."""

    def __init__(self, folder: Path, url: str, *, size: int, place: Place = HERE) -> None:
        if PROGRAM is None:
            pytest.skip("pgbouncer is not installed")
        self.folder, self.server, self.size, self.place = folder, urlsplit(url), size, place
        self.host, self.port = place.ip, free_port()
        self.process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        login = self.server.netloc.rpartition("@")[0]
        return urlunsplit(self.server._replace(netloc=f"{login}@{self.host}:{self.port}"))

    def start(self) -> None:
        """Write the configuration, start, and wait for an answer of Postgres."""
        server = self.server
        login = f"user={server.username} password={server.password}"
        (self.folder / "users.txt").write_text(f'"{server.username}" "{server.password}"\n')
        (self.folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={server.hostname} port={server.port} {login}\n"
            f"[pgbouncer]\nlisten_addr = {self.host}\nlisten_port = {self.port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {self.folder / 'users.txt'}\n"
            f"pool_mode = transaction\ndefault_pool_size = {self.size}\nmax_client_conn = 500\n"
            "server_login_retry = 1\ntcp_keepidle = 5\ntcp_keepintvl = 2\ntcp_keepcnt = 3\n"
        )
        root = ["-u", "nobody"] if os.getuid() == 0 else []  # PgBouncer refuses to run as root
        with (self.folder / "pgbouncer.log").open("ab") as log:
            command = [*self.place.inside, str(PROGRAM), *root, str(self.folder / "pgbouncer.ini")]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.answers, what="PgBouncer")

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.url, connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Execute one statement through the pool."""
        return execute(self.url, statement)

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None
