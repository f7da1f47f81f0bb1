"""A Postgres of one's own."""

import contextlib
import locale
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg2

from . import Refusal, binaries, ports, root
from .server import Server

USER = DATABASE = "atrium"

COMMON = {
    "listen_addresses": ports.LOCALHOST,
    "unix_socket_directories": "",  # a socket's path may not be long, and a checkout's may
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "client_connection_check_interval": "10s",  # a query whose client was killed ends soon
}
THROWAWAY = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum_naptime": "5min",
}


class Postgres(Server):
    name = "postgres"
    title = "PostgreSQL"

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@{ports.LOCALHOST}:{self.port}/{DATABASE}"

    def make_data(self) -> None:
        programs = binaries.postgres()
        if self.data.exists():
            self._check_version(binaries.version(programs))
        else:
            self._initdb(programs)

    def command(self) -> list[str]:
        programs = binaries.postgres()
        settings = COMMON | {"port": str(self.port)} | ({} if self.durable else THROWAWAY)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        program = programs / "postgres"
        return [*root.prefix(program, self.data), str(program), "-D", str(self.data), *options]

    def clear_up(self) -> None:
        """The pid file of a killed server: its pid may since be somebody else's, and Postgres would refuse to start."""
        file = self.data / "postmaster.pid"
        try:
            process = psutil.Process(int(file.read_text().split()[0]))
            if process.name().startswith("postgres") and Path(process.cwd()) == self.data.resolve():
                return  # it is really there, and the new one will say so
        except (OSError, ValueError, IndexError, psutil.Error):
            pass  # no file, no such process, or not one of this user
        file.unlink(missing_ok=True)

    def wait_until_ready(self, *, seconds: float = 60, alive: Callable[[], bool] = lambda: True) -> None:
        """The database exists then too."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                with contextlib.closing(self._connect("postgres")) as connection:
                    connection.autocommit = True
                    with connection.cursor() as cursor:
                        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                        if cursor.fetchone() is None:
                            cursor.execute(f"CREATE DATABASE {DATABASE}")
                return
            except psycopg2.OperationalError as error:
                if time.monotonic() > deadline or not alive():
                    raise TimeoutError(f"Postgres does not answer: {error}".strip()) from error
            time.sleep(0.05)

    def _connect(self, database: str) -> "psycopg2.extensions.connection":
        return psycopg2.connect(
            host=ports.LOCALHOST, port=self.port, user=USER, password=self.password, dbname=database,
            connect_timeout=3, sslmode="disable",
        )  # fmt: skip

    def _check_version(self, ours: int) -> None:
        theirs = (self.data / "PG_VERSION").read_text().strip()
        if theirs != str(ours):
            raise Refusal(
                f"The data in {self.data} are of PostgreSQL {theirs}, and this Atrium comes with {ours}. Nothing was "
                f"changed. To keep them, start that version on them and either set DATABASE_URL to it, or dump them "
                f"with pg_dump, move {self.folder} away, run bin/up and load the dump. To begin anew, move "
                f"{self.folder} away."
            )

    def _initdb(self, programs: Path) -> None:
        """Made beside the final place and renamed at the end, so that one cut short leaves nothing half done."""
        unfinished = self.folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        where = ["--locale=C.UTF-8"]
        if binaries.version(programs) >= 17:  # the same on every machine, whatever its C library
            where = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            # pg_trgm still asks the C library what a letter is: under plain C, Cyrillic or Kana have none, and a search
            # for them, though it finds the same, has no use of the index.
            where += ["--lc-ctype=C.UTF-8"] if _knows_locale("C.UTF-8") else []
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as password:
            password.write(self.password)
            password.flush()
            command = [
                *root.prefix(programs / "postgres", self.data), str(programs / "initdb"), "-D", str(unfinished),
                "--username", USER, "--auth=scram-sha-256", f"--pwfile={password.name}", "--encoding=UTF8", *where,
                *(["--data-checksums"] if self.durable else ["--no-sync"]),
            ]  # fmt: skip
            made = subprocess.run(command, capture_output=True, text=True, env=self.environment())
        if made.returncode != 0:
            raise Refusal(f"Postgres could not make its data folder {self.data}:\n{made.stderr.strip()}")
        unfinished.rename(self.data)


def _knows_locale(name: str) -> bool:
    """Whether this machine's C library has the locale; glibc has carried C.UTF-8 within itself since 2.35."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        locale.setlocale(locale.LC_CTYPE, name)
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    return True
