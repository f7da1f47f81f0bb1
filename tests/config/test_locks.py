"""Advisory locks: who waits for whom, and until when."""

from collections.abc import Iterator

import psycopg2
import pytest
from django.db import connection, transaction

from config.db.locks import lock, try_lock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def other() -> Iterator[psycopg2.extensions.connection]:
    """A second connection to the same database."""
    parameters = connection.get_connection_params()
    elsewhere = psycopg2.connect(**{name: parameters[name] for name in ("dbname", "user", "password", "host", "port")})
    yield elsewhere
    elsewhere.close()


def is_free(other: psycopg2.extensions.connection, name: str, function: str = "pg_try_advisory_xact_lock") -> bool:
    with other, other.cursor() as cursor:
        cursor.execute(f"SELECT {function}(hashtextextended(%s, 0))", [name])  # noqa: S608
        return cursor.fetchone()[0]


def test_a_lock_is_held_until_the_transaction_ends(other: psycopg2.extensions.connection) -> None:
    with transaction.atomic():
        lock("a", "b", "a")
        assert (is_free(other, "a"), is_free(other, "b"), is_free(other, "c")) == (False, False, True)
    assert is_free(other, "a")


def test_a_shared_lock_admits_others_that_share_it(other: psycopg2.extensions.connection) -> None:
    with transaction.atomic():
        lock("own", shared=["all"])
        assert is_free(other, "all", "pg_try_advisory_xact_lock_shared")
        assert not is_free(other, "all")
        assert not is_free(other, "own", "pg_try_advisory_xact_lock_shared")


def test_a_lock_that_is_named_and_shared_is_exclusive(other: psycopg2.extensions.connection) -> None:
    with transaction.atomic():
        lock("all", shared=["all"])
        assert not is_free(other, "all", "pg_try_advisory_xact_lock_shared")


def test_try_lock_returns_whether_the_lock_was_free(other: psycopg2.extensions.connection) -> None:
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('a', 0))")
    with transaction.atomic():
        assert not try_lock("a")
    other.rollback()
    with transaction.atomic():
        assert try_lock("a")
        assert not is_free(other, "a")
