"""A Postgres with a streaming standby, each on a host of its own, set up as docs/scaling.md describes."""

import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psycopg2

from config.ops.launcher import binaries
from config.ops.launcher.postgres import DATABASE, USER, Postgres

from .sentinels import Place
from .sql import execute
from .waiting import wait_until

PORT = 5432
SETTINGS = {
    "wal_sender_timeout": "5s",
    "wal_receiver_timeout": "5s",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "client_connection_check_interval": "2s",
    "wal_keep_size": "256MB",  # a standby that was cut off for a minute catches up
}


class HostPostgres(Postgres):
    """A Postgres that listens on the address of its host; ``subnet`` is where its clients are."""

    def __init__(self, folder: Path, place: Place, subnet: str) -> None:
        super().__init__(folder)
        self.place, self.subnet = place, subnet
        self.process: subprocess.Popen | None = None

    @property
    def port(self) -> int:
        return PORT

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{self.password}@{self.place.ip}:{PORT}/{DATABASE}"

    def command(self) -> list[str]:
        settings = SETTINGS | {"listen_addresses": self.place.ip}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return [*self.place.inside, *super().command(), *options]  # the last value of an option counts

    def start(self) -> None:
        """Start on existing data and wait until it answers."""
        self.make_data()
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), env=self.environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.wait_until_ready()

    def allow_hosts(self) -> None:
        """Let the hosts of the subnet connect, also for replication."""
        with (self.data / "pg_hba.conf").open("a") as file:
            file.writelines(f"host {name} all {self.subnet} scram-sha-256\n" for name in ("all", "replication"))

    def copy_from(self, primary: "HostPostgres") -> None:
        """Make the data of a standby of ``primary``, which is running."""
        login = f"user={USER} password={primary.password} host={primary.place.ip} port={PORT} dbname=postgres"
        subprocess.run(
            [
                str(binaries.postgres() / "pg_basebackup"), "--pgdata", str(self.data), "--write-recovery-conf",
                "--checkpoint=fast", "--dbname", f"{login} application_name=standby",
            ],
            check=True, env=self.environment(), capture_output=True, timeout=120,
        )  # fmt: skip

    def sql(self, statement: str, *values: Any) -> list[tuple]:
        """Execute one statement and return its rows."""
        return execute(self.url, statement, *values)

    def is_followed(self) -> bool:
        """Return whether the standby receives everything that this primary writes."""
        streaming = (
            "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'standby'"
        )
        return self.sql(streaming) == [(1,)]

    def received(self) -> int:
        """Return the position up to which this standby has the WAL, once its primary is dead."""
        wait_until(lambda: not self.sql("SELECT 1 FROM pg_stat_wal_receiver"), what="the end of the replication")
        position = "pg_wal_lsn_diff(greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), '0/0')"
        return int(self.sql(f"SELECT {position}")[0][0])


class Positions(threading.Thread):
    """Samples how far the WAL of a primary is written, to find out what its standby can have missed."""

    def __init__(self, primary: HostPostgres) -> None:
        super().__init__(daemon=True)
        self.primary = primary
        self.samples: list[tuple[float, int]] = []

    def run(self) -> None:
        """Sample until the primary dies."""
        try:
            connection = psycopg2.connect(self.primary.url)
            connection.autocommit = True
            with connection.cursor() as cursor:
                while True:
                    before = time.monotonic()
                    cursor.execute("SELECT pg_wal_lsn_diff(pg_current_wal_flush_lsn(), '0/0')")
                    self.samples.append((before, int(cursor.fetchone()[0])))
                    time.sleep(0.02)
        except psycopg2.Error:
            pass

    def instant(self, position: int) -> float:
        """Return an instant (of ``time.monotonic()``) before which everything committed is below ``position``."""
        return max(at for at, written in self.samples if written <= position)
