"""What ``bin/up`` adds to the environment and stores in ``ATRIUM_HOME/env``."""

import os
import stat
from pathlib import Path

import pytest

from config.ops.launcher import environment

MADE = {
    "PUBLIC_URL": "http://localhost:8000",
    "DATABASE_URL": "postgresql://atrium:word@127.0.0.1:20000/atrium",
    "REDIS_URL": "redis://:word@127.0.0.1:20001/0",
    "CELERY_BROKER_URL": "redis://:word@127.0.0.1:20001/1",
}


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*environment.KEYS, *MADE):
        monkeypatch.setenv(name, "")  # monkeypatch restores the variable after the test
        monkeypatch.delenv(name)


def stored(folder: Path) -> dict[str, str]:
    lines = (folder / "env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def unset() -> None:
    for name in (*environment.KEYS, *MADE):
        os.environ.pop(name, None)


def test_keys_are_made_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    environment.complete(tmp_path, MADE)
    first = stored(tmp_path)
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600
    assert len(first["SECRET_KEY"]) >= 50
    assert first["SECRET_KEY"] != first["JWT_SIGNING_KEY"]
    assert {name: os.environ[name] for name in first} == first
    unset()
    environment.complete(tmp_path, MADE | {"PUBLIC_URL": "http://localhost:9000"})
    assert stored(tmp_path) == first | {"PUBLIC_URL": "http://localhost:9000"}


def test_variables_that_are_set_stay_and_are_not_stored(tmp_path: Path) -> None:
    environment.complete(tmp_path, MADE)
    first = stored(tmp_path)["SECRET_KEY"]
    unset()
    os.environ.update(SECRET_KEY="another", DATABASE_URL="postgresql://elsewhere/atrium")
    environment.complete(tmp_path, MADE)
    assert os.environ["SECRET_KEY"] == "another"
    assert os.environ["DATABASE_URL"] == "postgresql://elsewhere/atrium"
    assert "DATABASE_URL" not in stored(tmp_path)
    assert stored(tmp_path)["SECRET_KEY"] == first


@pytest.mark.parametrize(
    "redis, broker",
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/1"),
        ("redis://:word@cache.example.org:6379", "redis://:word@cache.example.org:6379/1"),
        ("rediss://cache.example.org/4?ssl_cert_reqs=none", "rediss://cache.example.org/5?ssl_cert_reqs=none"),
        ("redis+sentinel://:word@one:26379,two/main/2", "redis+sentinel://:word@one:26379,two/main/3"),
        ("redis+sentinel://one,two/main", "redis+sentinel://one,two/main/1"),
    ],
)
def test_the_default_broker_is_the_next_database_of_the_same_redis(redis: str, broker: str) -> None:
    assert environment.broker_url(redis) == broker
