"""What ``up`` adds to the environment, and keeps in ``ATRIUM_HOME/env``."""

import os
import stat
from pathlib import Path

import pytest

from config.embedded import environment

MADE = {
    "PUBLIC_URL": "http://localhost:8000",
    "DATABASE_URL": "postgresql://atrium:word@127.0.0.1:20000/atrium",
    "REDIS_URL": "redis://:word@127.0.0.1:20001/0",
    "CELERY_BROKER_URL": "redis://:word@127.0.0.1:20001/1",
}


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*environment.KEYS, *MADE):
        monkeypatch.setenv(name, "")  # so that monkeypatch puts back what the code below sets
        monkeypatch.delenv(name)


def written(folder: Path) -> dict[str, str]:
    lines = (folder / "env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def forget() -> None:
    for name in (*environment.KEYS, *MADE):
        os.environ.pop(name, None)


def test_keys_are_made_once_and_kept_for_their_owner_alone(tmp_path: Path) -> None:
    environment.complete(tmp_path, MADE)
    first = written(tmp_path)
    assert stat.S_IMODE((tmp_path / "env").stat().st_mode) == 0o600
    assert len(first["SECRET_KEY"]) >= 50
    assert first["SECRET_KEY"] != first["JWT_SIGNING_KEY"]
    assert {name: os.environ[name] for name in first} == first
    forget()
    environment.complete(tmp_path, MADE | {"PUBLIC_URL": "http://localhost:9000"})
    assert written(tmp_path) == first | {"PUBLIC_URL": "http://localhost:9000"}


def test_what_is_set_elsewhere_stays_and_is_not_copied(tmp_path: Path) -> None:
    environment.complete(tmp_path, MADE)
    kept = written(tmp_path)["SECRET_KEY"]
    forget()
    os.environ.update(SECRET_KEY="another", DATABASE_URL="postgresql://elsewhere/atrium")
    environment.complete(tmp_path, MADE)
    assert os.environ["SECRET_KEY"] == "another"
    assert os.environ["DATABASE_URL"] == "postgresql://elsewhere/atrium"
    assert "DATABASE_URL" not in written(tmp_path)
    assert written(tmp_path)["SECRET_KEY"] == kept


@pytest.mark.parametrize(
    "redis, broker",
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/1"),
        ("redis://:word@cache.example.org:6379", "redis://:word@cache.example.org:6379/1"),
        ("rediss://cache.example.org/4?ssl_cert_reqs=none", "rediss://cache.example.org/5?ssl_cert_reqs=none"),
    ],
)
def test_the_broker_of_a_redis_of_one_s_own_is_its_next_database(redis: str, broker: str) -> None:
    assert environment.broker_beside(redis) == broker
