"""A private Postgres."""

import contextlib
import locale
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg2

from . import LOCALHOST, StartError, binaries, root
from .server import Server

USER = DATABASE = "atrium"

COMMON = {
    "listen_addresses": LOCALHOST,
    "unix_socket_directories": "",  # a socket's path is limited to about 100 bytes; the home's path is not
    "max_connections": "200",
    "shared_buffers": "128MB",
    "max_wal_size": "512MB",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "client_connection_check_interval": "10s",  # ends the query of a killed client
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
    variable = "DATABASE_URL"

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@{LOCALHOST}:{self.port}/{DATABASE}"

    def make_data(self) -> None:
        # Left by a killed server. Postgres does not start if another process has the pid in it, as after a reboot.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        programs = binaries.postgres()
        if not self.data.exists():
            return self._initdb(programs)
        found, ours = (self.data / "PG_VERSION").read_text().strip(), binaries.version(programs)
        if found != str(ours):
            raise StartError(
                f"{self.data} holds data of PostgreSQL {found}; this Atrium comes with {ours}. Nothing was changed. To "
                f"keep the data, start that version on them and set DATABASE_URL to it, or dump them with pg_dump, "
                f"move {self.folder} away, run bin/up and restore the dump. To start empty, move {self.folder} away."
            )

    def command(self) -> list[str]:
        program = binaries.postgres() / "postgres"
        settings = COMMON | {"port": str(self.port)} | ({} if self.durable else THROWAWAY)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*root.prefix(program, self.data), str(program), "-D", str(self.data), *options]

    def problem(self) -> str:
        """Connect, and create the database if it is missing."""
        try:
            connection = psycopg2.connect(self.url, dbname="postgres", connect_timeout=3, sslmode="disable")
            connection.autocommit = True
            with contextlib.closing(connection), connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    cursor.execute(f"CREATE DATABASE {DATABASE}")
        except psycopg2.OperationalError as error:
            return str(error).strip() or "no connection"
        return ""

    def _initdb(self, programs: Path) -> None:
        """Run initdb beside the final folder and rename it at the end, so an interrupted run leaves nothing."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        locales = ["--locale=C.UTF-8"]
        if binaries.version(programs) >= 17:  # the builtin provider sorts the same on every machine
            locales = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
            # pg_trgm asks the C library what a letter is: under plain C, a search for Cyrillic or Kana uses no index.
            locales += ["--lc-ctype=C.UTF-8"] if _has_locale("C.UTF-8") else []
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as password:
            password.write(self.password)
            password.flush()
            command = [
                *root.prefix(programs / "postgres", self.data), str(programs / "initdb"), "-D", str(draft),
                "--username", USER, "--auth=scram-sha-256", f"--pwfile={password.name}", "--encoding=UTF8", *locales,
                *(["--data-checksums"] if self.durable else ["--no-sync"]),
            ]  # fmt: skip
            done = subprocess.run(command, capture_output=True, text=True, env=self.environment())
        if done.returncode != 0:
            raise StartError(f"initdb could not create {self.data}:\n{done.stderr.strip()}")
        draft.rename(self.data)


def _has_locale(name: str) -> bool:
    """Return whether the C library has the locale; glibc includes C.UTF-8 since 2.35."""
    before = locale.setlocale(locale.LC_CTYPE)
    try:
        return bool(locale.setlocale(locale.LC_CTYPE, name))
    except locale.Error:
        return False
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
