"""The private servers: what they keep, who may use them, and what they leave behind."""

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

from config.embedded import Refusal, binaries, ports, root, servers
from config.embedded.postgres import Postgres

from ..places import ROOT
from ..waiting import wait_until


@pytest.fixture
def house(tmp_path: Path) -> Iterator[servers.Servers]:
    """Servers with a home of their own, durable ones."""
    running = servers.start(tmp_path / "home")
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


def test_both_keep_what_was_acknowledged_when_they_are_killed(house: servers.Servers) -> None:
    with query(house.database_url) as cursor:
        cursor.execute("CREATE TABLE kept (word text)")
        cursor.execute("INSERT INTO kept VALUES ('for ever')")
    redis.Redis.from_url(house.broker_url).rpush("queue", "waiting")

    for name in ("postgres", "valkey"):
        house.kill(name)
    with pytest.raises(psycopg2.OperationalError), query(house.database_url):
        pass
    for name in ("postgres", "valkey"):
        house.revive(name)

    with query(house.database_url) as cursor:
        cursor.execute("SELECT word FROM kept")
        assert cursor.fetchall() == [("for ever",)]
    assert redis.Redis.from_url(house.broker_url).lrange("queue", 0, -1) == [b"waiting"]


def test_a_restart_finds_the_data_at_the_same_address(tmp_path: Path) -> None:
    first = servers.start(tmp_path / "home")
    with query(first.database_url) as cursor:
        cursor.execute("CREATE TABLE kept ()")
    first.stop()
    second = servers.start(tmp_path / "home")
    with query(second.database_url) as cursor:
        cursor.execute("SELECT count(*) FROM kept")
    second.stop()
    assert (second.database_url, second.redis_url) == (first.database_url, first.redis_url)


def test_nobody_else_can_use_them_or_read_their_files(house: servers.Servers, tmp_path: Path) -> None:
    home = tmp_path / "home"
    for path in (home, home / "postgres", home / "postgres" / "data", home / "valkey", home / "valkey" / "data"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    for path in (home / "postgres" / "password", home / "valkey" / "password", home / "valkey" / "valkey.conf"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600

    where = psycopg2.extensions.parse_dsn(house.database_url)
    keyless = f"host={where['host']} port={where['port']} user=atrium dbname=atrium"
    with pytest.raises(psycopg2.OperationalError, match="password"), query(keyless):
        pass
    address = redis.Redis.from_url(house.redis_url).connection_pool.connection_kwargs
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(host=address["host"], port=address["port"]).ping()
    assert address["host"] == where["host"] == ports.LOCALHOST


def test_ports_lie_below_those_of_outgoing_connections(house: servers.Servers) -> None:
    database = int(psycopg2.extensions.parse_dsn(house.database_url)["port"])
    cache = redis.Redis.from_url(house.redis_url).connection_pool.connection_kwargs["port"]
    assert ports.LOWEST <= min(database, cache) <= max(database, cache) < 32768


def test_the_broker_is_never_evicted_and_the_cache_is_another_database(house: servers.Servers) -> None:
    cache, broker = redis.Redis.from_url(house.redis_url), redis.Redis.from_url(house.broker_url)
    broker.set("task", "waiting")
    cache.flushdb()
    assert broker.get("task") == b"waiting"
    assert cache.config_get("maxmemory-policy", "appendonly", "bind") == {
        "maxmemory-policy": "volatile-lru",
        "appendonly": "yes",
        "bind": "127.0.0.1",
    }


def test_a_frozen_server_answers_again_once_it_is_thawed(house: servers.Servers) -> None:
    house.freeze("valkey")
    with pytest.raises(redis.exceptions.TimeoutError):
        redis.Redis.from_url(house.redis_url, socket_timeout=0.2).ping()
    house.thaw("valkey")
    assert redis.Redis.from_url(house.redis_url, socket_timeout=10).ping()


def test_another_port_is_taken_where_the_remembered_one_is_in_use(tmp_path: Path) -> None:
    remembered = tmp_path / "port"
    port = ports.settle(remembered)
    assert ports.settle(remembered) == port
    with socket.create_server((ports.LOCALHOST, port)):
        assert ports.settle(remembered) != port


def test_they_end_with_whoever_started_them_even_by_kill(tmp_path: Path) -> None:
    script = "from config.embedded import servers; servers.start(durable=False); print('up', flush=True); input()"
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    starter = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert starter.stdout
    assert starter.stdout.readline() == b"up\n"
    assert {"postgres", "valkey-server"} <= {process.name() for process in processes_in(tmp_path)}
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    wait_until(lambda: not processes_in(tmp_path), what="servers that ended")
    wait_until(lambda: not list(tmp_path.glob("atrium-*")), what="a temporary folder that is gone")


def test_a_pid_file_whose_pid_is_somebody_else_s_by_now_does_not_keep_postgres_from_starting(tmp_path: Path) -> None:
    servers.start(tmp_path / "home").stop()
    data = tmp_path / "home" / "postgres" / "data"
    # As after a restart of the machine: a process of the same user has the pid of the server that was killed.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n\n127.0.0.1\n\nready\n")
    again = servers.start(tmp_path / "home")
    with query(again.database_url) as cursor:
        cursor.execute("SELECT 1")
    again.stop()


def test_an_initdb_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    unfinished = tmp_path / "postgres" / "data.new"
    unfinished.mkdir(parents=True)
    (unfinished / "PG_VERSION").write_text("18\n")
    Postgres(tmp_path / "postgres").prepare()
    assert not unfinished.exists()
    assert (tmp_path / "postgres" / "data" / "global").is_dir()


def test_a_second_start_on_the_same_home_says_who_has_it(house: servers.Servers, tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"already runs on .*home as process \d+\. Stop that one first"):
        servers.start(tmp_path / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
@pytest.mark.parametrize("way", ["NAMESPACE", "OTHER_USER"])
def test_root_runs_it_in_either_way_and_may_change_between_them(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither the programs nor the home may be read by others, as in a checkout under root's own folder.
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
        root._way.cache_clear()
        server = Postgres(folder)
        server.prepare()
        process = subprocess.Popen(server.command(), env=server.environment(), stderr=subprocess.DEVNULL)
        server.wait_until_ready(alive=lambda process=process: process.poll() is None)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
    root._way.cache_clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_that_may_do_neither_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for way in ("NAMESPACE", "OTHER_USER"):
        monkeypatch.setattr(root, way, ("false",))
    root._way.cache_clear()
    with pytest.raises(Refusal, match="Run bin/up as an ordinary user, or set DATABASE_URL"):
        Postgres(tmp_path / "postgres").prepare()
    root._way.cache_clear()
