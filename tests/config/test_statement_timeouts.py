"""Timeouts of Postgres for each kind of process, connected directly or through PgBouncer."""

import os
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.utils import ConnectionHandler

from config.db import prepared
from config.models import CacheGeneration

from ..pgbouncer import PgBouncer
from ..places import ROOT

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
def pgbouncer(tmp_path: Path) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode with one connection to the test's Postgres."""
    database = connection.settings_dict
    server = PgBouncer(tmp_path, "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database), size=1)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def pooled(pgbouncer: PgBouncer) -> Iterator[Any]:
    wrapper = connect(HOST=pgbouncer.host, PORT=str(pgbouncer.port))
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


def test_timeouts_do_not_stay_on_a_connection_that_other_processes_use(pooled: Any, pgbouncer: PgBouncer) -> None:
    assert current(pooled) == "300ms"
    other = connect(HOST=pgbouncer.host, PORT=str(pgbouncer.port), TIMEOUTS={})
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


def timeouts_of(process: str, **environment: str) -> list[str]:
    """Return the timeouts of a query in a process of this kind."""
    code = (
        "import django; django.setup(); from django.db import connection; cursor = connection.cursor(); "
        "cursor.execute(\"SELECT current_setting('statement_timeout'), current_setting('lock_timeout')\"); "
        "print(*cursor.fetchone())"
    )
    variables = {**os.environ, "ATRIUM_PROCESS": process, "DJANGO_SETTINGS_MODULE": "config.settings", **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    "process, statement, lock",
    [("web", "15s", "5s"), ("beat", "15s", "5s"), ("worker", "10min", "1min"), ("manage", "0", "0")],
)
def test_each_kind_of_process_has_its_own_timeouts(process: str, statement: str, lock: str) -> None:
    assert timeouts_of(process) == [statement, lock]


def test_each_kind_of_process_has_its_own_timeouts_on_the_same_connection_behind_pgbouncer(
    pgbouncer: PgBouncer,
) -> None:
    kinds = [("worker", ["10min", "1min"]), ("web", ["15s", "5s"]), ("webhooks", ["10min", "1min"]), ("", ["0", "0"])]
    assert [(kind, timeouts_of(kind, DATABASE_URL=pgbouncer.url)) for kind, _ in kinds] == kinds


def test_nothing_is_prepared_behind_a_pooler(pooled: Any) -> None:
    for number in (1, 2):
        with pooled.cursor() as cursor:
            prepared.execute(cursor, "SELECT %s::int", [number])
            assert cursor.fetchone() == (number,)
    assert not pooled.prepared
