from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .stack import Stack

SCHEDULE_TRENDS = """
WITH interval AS (INSERT INTO django_celery_beat_intervalschedule (every, period) VALUES (%s, 'seconds') RETURNING id)
UPDATE django_celery_beat_periodictask SET interval_id = interval.id, expire_seconds = 10 FROM interval
WHERE task = 'trends.tasks.import_inbox'
"""


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped Postgres with a migrated database: copying it is ten times as fast as migrating another."""
    stack = Stack(tmp_path_factory.mktemp("migrated"))
    stack.manage("migrate", "--verbosity", "0")
    stack.close()
    return stack.folder / "servers/postgres"


@pytest.fixture
def build_stack(tmp_path: Path, migrated_database: Path) -> Iterator[Callable[..., Stack]]:
    """``build_stack(CONTACT_WINDOW="2")``: own servers with a migrated database; no process runs yet."""
    built: list[Stack] = []

    def build(**settings: str) -> Stack:
        folder = tmp_path / f"stack-{len(built)}"
        folder.mkdir()
        stack = Stack(folder, database=migrated_database, **settings)
        built.append(stack)
        if interval := settings.get("TRENDS_INTERVAL"):  # the schedule is stored by the migration, with the default
            stack.sql(SCHEDULE_TRENDS, int(interval))
        return stack

    yield build
    for stack in built:
        stack.close()


@pytest.fixture
def stack(build_stack: Callable[..., Stack]) -> Stack:
    return build_stack()
