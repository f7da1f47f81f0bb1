"""Timeouts of Postgres for each kind of process, connected directly or through PgBouncer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.utils import ConnectionHandler

from config.models import CacheGeneration

from ..places import ROOT, free_port
from ..waiting import wait_until

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
TIMEOUTS = {"statement_timeout": 300, "lock_timeout": 200, "idle_in_transaction_session_timeout": 5000}

pytestmark = pytest.mark.django_db(transaction=True)


def connect(**changes: Any) -> Any:
    """A connection of the product's backend with ``TIMEOUTS``."""
    settings = {**deepcopy(connection.settings_dict), "TIMEOUTS": TIMEOUTS, **changes}
    return ConnectionHandler({"default": settings})["default"]


@pytest.fixture
def direct() -> Iterator[Any]:
    wrapper = connect()
    yield wrapper
    wrapper.close()


@pytest.fixture
def pgbouncer(tmp_path: Path) -> Iterator[int]:
    """The port of a PgBouncer in transaction mode with one connection to the test's Postgres."""
    if PGBOUNCER is None:
        pytest.skip("pgbouncer is not installed")
    database, port = connection.settings_dict, free_port()
    (tmp_path / "users.txt").write_text(f'"{database["USER"]}" "{database["PASSWORD"]}"\n')
    (tmp_path / "pgbouncer.ini").write_text(
        "[databases]\n"
        f"* = host={database['HOST']} port={database['PORT']} user={database['USER']} password={database['PASSWORD']}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {tmp_path / 'users.txt'}\n"
        "pool_mode = transaction\ndefault_pool_size = 1\n"
    )
    root = ["-u", "nobody"] if os.getuid() == 0 else []
    if root:
        tmp_path.chmod(0o755)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([PGBOUNCER, *root, str(tmp_path / "pgbouncer.ini")], stdout=log, stderr=log)
    yield port
    process.terminate()
    process.wait(10)


@pytest.fixture
def pooled(pgbouncer: int) -> Iterator[Any]:
    wrapper = connect(HOST="127.0.0.1", PORT=str(pgbouncer))

    def connected() -> bool:
        try:
            wrapper.ensure_connection()
        except OperationalError:
            return False
        return True

    wait_until(connected, what="PgBouncer")
    yield wrapper
    wrapper.close()


def current(wrapper: Any, name: str = "statement_timeout") -> str:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return cursor.fetchone()[0]


def sleep(wrapper: Any) -> None:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(20)")


def test_a_slow_statement_is_cancelled(direct: Any) -> None:
    assert not direct.is_pooled
    assert current(direct, "idle_in_transaction_session_timeout") == "5s"
    with pytest.raises(OperationalError, match="statement timeout"):
        sleep(direct)
    assert current(direct) == "300ms"


def test_a_slow_statement_is_cancelled_behind_pgbouncer_with_and_without_a_transaction(pooled: Any) -> None:
    with pytest.raises(OperationalError, match="statement timeout"):
        sleep(pooled)
    pooled.set_autocommit(False)
    with pytest.raises(OperationalError, match="statement timeout"):
        sleep(pooled)
    pooled.rollback()
    assert pooled.is_pooled


def test_a_wait_for_a_lock_ends_behind_pgbouncer(pooled: Any) -> None:
    CacheGeneration.objects.create(scope="locked")
    with transaction.atomic():
        CacheGeneration.objects.filter(scope="locked").update(value=2)
        with pytest.raises(OperationalError, match="lock timeout"), pooled.cursor() as cursor:
            cursor.execute("UPDATE config_cachegeneration SET value = 3 WHERE scope = 'locked'")


def test_timeouts_do_not_stay_on_a_connection_that_other_processes_use(pooled: Any, pgbouncer: int) -> None:
    assert current(pooled) == "300ms"
    other = connect(HOST="127.0.0.1", PORT=str(pgbouncer), TIMEOUTS={})
    try:
        assert current(other) == "0"
    finally:
        other.close()


def test_results_and_counts_are_those_of_the_statement_behind_pgbouncer(pooled: Any) -> None:
    with pooled.cursor() as cursor:
        cursor.execute("INSERT INTO config_cachegeneration VALUES ('a', 1), ('b', 1)")
        assert cursor.rowcount == 2
        cursor.executemany("UPDATE config_cachegeneration SET value = %s WHERE scope = %s", [(5, "a"), (6, "b")])
        cursor.execute("SELECT scope, value FROM config_cachegeneration ORDER BY scope")
        assert cursor.fetchall() == [("a", 5), ("b", 6)]
    assert pooled.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]


@pytest.mark.parametrize(
    "process, statement, lock",
    [("web", "15s", "5s"), ("beat", "15s", "5s"), ("worker", "10min", "1min"), ("manage", "0", "0")],
)
def test_each_kind_of_process_has_its_own_timeouts(process: str, statement: str, lock: str) -> None:
    code = (
        "import django; django.setup(); from django.db import connection; cursor = connection.cursor(); "
        "cursor.execute(\"SELECT current_setting('statement_timeout'), current_setting('lock_timeout')\"); "
        "print(*cursor.fetchone())"
    )
    environment = {**os.environ, "ATRIUM_PROCESS": process, "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [statement, lock]
