"""Generations change with every commit, and concurrent writers of one scope do not wait for each other."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
from django.db import connection, connections, transaction

from config.cache.generations import CURRENT, SLOTS, current_generation, invalidate
from config.models import DiscardedFile

pytestmark = pytest.mark.django_db(transaction=True)

SCOPE = "things:1"


def write(key: str) -> None:
    with transaction.atomic():
        DiscardedFile.objects.create(key=key)
        invalidate(SCOPE)


def snapshot() -> tuple[int, frozenset[str]]:
    """Return the generation and the rows at one moment."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT ({CURRENT}), array(SELECT key FROM config_discardedfile)", [SCOPE])  # noqa: S608
        generation, keys = cursor.fetchone()
    return generation, frozenset(keys)


@contextmanager
def threads(*works: Any) -> Iterator[list[threading.Thread]]:
    def run(work: Any) -> None:
        try:
            work()
        finally:
            connections.close_all()

    started = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in started:
        thread.start()
    try:
        yield started
    finally:
        for thread in started:
            thread.join(60)


def test_no_generation_has_two_states_while_many_write() -> None:
    """So bytes stored under a generation are never older than the data that another reader of it would see."""
    seen: dict[int, set[frozenset[str]]] = {}

    def write_many(writer: int) -> None:
        for turn in range(25):
            write(f"{writer} {turn}")

    with threads(*(partial(write_many, writer) for writer in range(6))) as started:
        while any(thread.is_alive() for thread in started):
            generation, keys = snapshot()
            seen.setdefault(generation, set()).add(keys)
    assert all(len(states) == 1 for states in seen.values())
    assert len(seen) > 10
    assert current_generation(SCOPE) == 6 * 25


def slot() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid() %% %s", [SLOTS])
        return cursor.fetchone()[0]


def test_a_write_does_not_wait_for_the_commit_of_another() -> None:
    before, own, done = current_generation(SCOPE), slot(), []

    def write_in_another_slot() -> None:
        while slot() == own:
            connection.close()
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        write("second")
        done.append(current_generation(SCOPE))

    with transaction.atomic():
        DiscardedFile.objects.create(key="first")
        invalidate(SCOPE)
        with threads(write_in_another_slot):
            pass
        assert done == [before + 1]  # the first is not committed yet
    assert current_generation(SCOPE) == before + 2


def test_the_generation_of_a_rolled_back_write_does_not_change() -> None:
    write("first")
    with transaction.atomic():
        invalidate(SCOPE)
        transaction.set_rollback(True)
    assert current_generation(SCOPE) == 1
