"""The private servers: durability, access, ports and clean-up."""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from config.ops.launcher import LOCALHOST, StartError, binaries, ports, root
from config.ops.launcher.postgres import Postgres

from .. import private_servers
from ..places import ROOT
from ..waiting import wait_until


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[private_servers.Servers]:
    """Durable servers with their own home."""
    running = private_servers.start(tmp_path / "home")
    yield running
    running.stop()


@contextlib.contextmanager
def query(url: str) -> Iterator["psycopg2.extensions.cursor"]:
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def processes_in(folder: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process)
    return found


def test_both_keep_acknowledged_writes_when_they_are_killed(servers: private_servers.Servers) -> None:
    with query(servers.database_url) as cursor:
        cursor.execute("CREATE TABLE kept (word text)")
        cursor.execute("INSERT INTO kept VALUES ('stored')")
    redis.Redis.from_url(servers.broker_url).rpush("queue", "waiting")

    for name in ("postgres", "valkey"):
        servers.kill(name)
    with pytest.raises(psycopg2.OperationalError), query(servers.database_url):
        pass
    for name in ("postgres", "valkey"):
        servers.restart(name)

    with query(servers.database_url) as cursor:
        cursor.execute("SELECT word FROM kept")
        assert cursor.fetchall() == [("stored",)]
    assert redis.Redis.from_url(servers.broker_url).lrange("queue", 0, -1) == [b"waiting"]


def test_a_restart_finds_the_data_at_the_same_address(tmp_path: Path) -> None:
    first = private_servers.start(tmp_path / "home")
    with query(first.database_url) as cursor:
        cursor.execute("CREATE TABLE kept ()")
    first.stop()
    second = private_servers.start(tmp_path / "home")
    with query(second.database_url) as cursor:
        cursor.execute("SELECT count(*) FROM kept")
    second.stop()
    assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)


def test_other_users_can_neither_connect_nor_read_the_files(servers: private_servers.Servers, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for path in (home, home / "postgres", home / "postgres" / "data", home / "valkey", home / "valkey" / "data"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (home / "postgres" / "password", home / "valkey" / "password", home / "valkey" / "valkey.conf"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    where = psycopg2.extensions.parse_dsn(servers.database_url)
    keyless = f"host={where['host']} port={where['port']} user=atrium dbname=atrium"
    with pytest.raises(psycopg2.OperationalError, match="password"), query(keyless):
        pass
    address = redis.Redis.from_url(servers.redis_url).connection_pool.connection_kwargs
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(host=address["host"], port=address["port"]).ping()
    assert address["host"] == where["host"] == LOCALHOST


def test_ports_are_below_the_range_of_outgoing_connections(servers: private_servers.Servers) -> None:
    database = int(psycopg2.extensions.parse_dsn(servers.database_url)["port"])
    cache = redis.Redis.from_url(servers.redis_url).connection_pool.connection_kwargs["port"]
    assert ports.LOWEST <= min(database, cache) <= max(database, cache) < 32768


def test_the_broker_is_never_evicted_and_the_cache_has_its_own_database(servers: private_servers.Servers) -> None:
    cache, broker = redis.Redis.from_url(servers.redis_url), redis.Redis.from_url(servers.broker_url)
    broker.set("task", "waiting")
    cache.flushdb()
    assert broker.get("task") == b"waiting"
    assert cache.config_get("maxmemory-policy", "appendonly", "bind") == {
        "maxmemory-policy": "noeviction",
        "appendonly": "yes",
        "bind": "127.0.0.1",
    }


def test_a_frozen_server_answers_again_once_it_is_thawed(servers: private_servers.Servers) -> None:
    servers.freeze("valkey")
    with pytest.raises(redis.exceptions.TimeoutError):
        redis.Redis.from_url(servers.redis_url, socket_timeout=0.2).ping()
    servers.thaw("valkey")
    assert redis.Redis.from_url(servers.redis_url, socket_timeout=10).ping()


def test_a_new_port_is_chosen_if_the_stored_one_is_in_use(tmp_path: Path) -> None:
    stored = tmp_path / "port"
    port = ports.reserve(stored)
    assert ports.reserve(stored) == port
    with socket.create_server((LOCALHOST, port)):
        assert ports.reserve(stored) != port


def test_they_end_with_the_process_that_started_them_even_if_it_is_killed(tmp_path: Path) -> None:
    script = "from tests import private_servers; private_servers.start(durable=False); print('up', flush=True); input()"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    starter = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert starter.stdout
    assert starter.stdout.readline() == b"up\n"
    assert {"postgres", "valkey-server"} <= {process.name() for process in processes_in(tmp_path)}
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    wait_until(lambda: not processes_in(tmp_path), what="the servers end")
    wait_until(lambda: not list(tmp_path.glob("atrium-*")), what="the temporary folder is deleted")


def test_postgres_starts_when_another_process_has_the_pid_in_its_pid_file(tmp_path: Path) -> None:
    private_servers.start(tmp_path / "home").stop()
    data = tmp_path / "home" / "postgres" / "data"
    # As after a reboot: another process of the same user has the pid of the killed server.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n\n127.0.0.1\n\nready\n")
    again = private_servers.start(tmp_path / "home")
    with query(again.database_url) as cursor:
        cursor.execute("SELECT 1")
    again.stop()


def test_an_interrupted_initdb_is_repeated(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    Postgres(tmp_path / "postgres").prepare()
    assert not unfinished.exists()
    assert (tmp_path / "postgres" / "data" / "global").is_dir()


def test_a_second_start_on_the_same_home_names_the_running_process(
    servers: private_servers.Servers, tmp_path: Path
) -> None:
    with pytest.raises(StartError, match=r"already running on .*home as process \d+\. Stop it first"):
        private_servers.start(tmp_path / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must change its user")
@pytest.mark.parametrize("way", ["NAMESPACE", "OTHER_USER"])
def test_root_can_run_postgres_in_both_ways_and_change_between_them(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Other users may read neither the programs nor the home, as in a checkout under /root.
    programs = binaries.postgres()
    install = programs.parents[1]
    for place in (install, install.with_name(install.name + ".libs")):
        if place.exists():
            shutil.copytree(place, tmp_path / place.name, symlinks=True)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(binaries, "postgres", lambda: tmp_path / programs.relative_to(install.parent))
    folder = tmp_path / "postgres"
    ways = {"NAMESPACE": root.NAMESPACE, "OTHER_USER": root.OTHER_USER}
    other = next(name for name in ways if name != way)
    for name in (way, other, way):
        monkeypatch.setattr(root, "NAMESPACE", ways[name])
        root._command.cache_clear()
        server = Postgres(folder)
        server.prepare()
        process = subprocess.Popen(server.command(), env=server.environment(), stderr=subprocess.DEVNULL)
        server.wait_until_ready(alive=lambda process=process: process.poll() is None)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    root._command.cache_clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root must change its user")
def test_root_that_can_use_neither_way_gets_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("NAMESPACE", "OTHER_USER"):
        monkeypatch.setattr(root, way, ("false",))
    root._command.cache_clear()
    with pytest.raises(StartError, match="Run bin/up as an ordinary user, or set DATABASE_URL"):
        Postgres(tmp_path / "postgres").prepare()
    root._command.cache_clear()
