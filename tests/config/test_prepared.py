"""Prepared statements: once for each connection, with a limit, and with the constants in their text."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from config.db import prepared
from config.db.postgres import base

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_prepared() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    connection.prepared.clear()


def ask(sql: str, *parameters: Any) -> Any:
    with connection.cursor() as cursor:
        prepared.execute(cursor, sql, parameters)
        return cursor.fetchone()[0]


def names() -> set[str]:
    """The statements that Postgres knows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'atrium%%'")
        return {name for (name,) in cursor}


def test_a_statement_is_prepared_once() -> None:
    assert [ask("SELECT %s::int + 1", number) for number in (1, 2)] == [2, 3]
    assert len(names()) == 1


def test_a_statement_outlives_a_transaction_that_is_rolled_back() -> None:
    with transaction.atomic():
        ask("SELECT %s::int", 1)
        transaction.set_rollback(True)
    assert ask("SELECT %s::int", 2) == 2


def test_several_statements_are_sent_together(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        found = ask("SELECT %s::int; SET CONSTRAINTS ALL IMMEDIATE; SELECT 10 %% %s::int", 1, 4)
    assert found == 2
    assert len(names()) == 2


def test_a_connection_keeps_a_limited_number_of_statements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MAX_PREPARED", 3)
    for number in range(5):
        assert ask(f"SELECT {number}; SELECT %s::int + {number}", 1) == 1 + number
        assert len(names()) <= 3
    assert ask("SELECT 0; SELECT %s::int + 0", 1) == 1


def test_fixed_parameters_become_part_of_the_text() -> None:
    sql, variable = prepared.fixed(
        "SELECT %s || %s || extract(days FROM %s) || %s", ["50 %", "it's", timedelta(days=2), -1], variable=[-1]
    )
    assert variable == [-1]
    assert ask(sql.replace("|| %s", "|| %s::int"), 7) == "50 %it's27"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["ALTER TABLE changing ALTER a TYPE text", "DEALLOCATE ALL"])
def test_a_statement_that_is_stale_is_prepared_again(change: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE changing AS SELECT 'x'::varchar(30) AS a")
        try:
            assert ask("SELECT a FROM changing WHERE a = %s::text", "x") == "x"
            cursor.execute(change)
            assert ask("SELECT a FROM changing WHERE a = %s::text", "x") == "x"
        finally:
            cursor.execute("DROP TABLE changing")


@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_met_a_stale_statement_can_be_repeated() -> None:
    ask("SELECT %s::int", 1)
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with pytest.raises(DatabaseError), transaction.atomic():
        ask("SELECT %s::int", 1)
    with transaction.atomic():
        assert ask("SELECT %s::int", 2) == 2
