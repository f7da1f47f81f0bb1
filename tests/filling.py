"""Fill tables with millions of plausible rows, in one statement for each table."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import connection, models

from config.jobs.job import Job

# Of fifty rows of a job table one has failed, one is stuck, and the others are done.
JOB_STATE = {
    "done_at": "CASE WHEN n % 50 > 1 THEN at END",
    "failed_at": "CASE WHEN n % 50 = 0 THEN at END",
    "due_at": "at",
    "error": "CASE WHEN n % 50 = 0 THEN '550 no such mailbox' ELSE '' END",
    "attempts": "1",
}


def fill(model: Any, rows: int, **expressions: str) -> None:
    """Insert ``rows`` rows; ``expressions`` are SQL, by the name of a field.

    In them ``n`` is the number of the row, and ``at`` an instant: rows are a second apart, and the last one is of now.
    Other fields get their default or a short value of their type. Foreign keys, which are 1, are not checked.
    """
    expressions = {**(JOB_STATE if issubclass(model, Job) else {}), **expressions}
    values = {
        field.column: expressions.get(field.name) or _expression(field)
        for field in model._meta.concrete_fields
        if field.name in expressions or _needs_value(field)
    }
    table, columns = model._meta.db_table, ", ".join(f'"{name}"' for name in values)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # indexes cannot be dropped before pending checks
        indexes = _drop_indexes(cursor, table)
        cursor.execute("SET session_replication_role = replica")
        numbers = f"SELECT n, now() - ({rows} - n) * interval '1 second' AS at FROM generate_series(1, {rows}) n"  # noqa: S608
        source = f"SELECT {', '.join(values.values())} FROM ({numbers}) AS new"  # noqa: S608
        cursor.execute(f'INSERT INTO "{table}" ({columns}) {source}')
        cursor.execute("RESET session_replication_role")
        for definition in indexes:
            cursor.execute(definition)
        cursor.execute(f'ANALYZE "{table}"')


def _drop_indexes(cursor: Any, table: str) -> list[str]:
    """Drop the indexes that are faster to rebuild than to update; returns their definitions."""
    cursor.execute(
        "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
        " WHERE indrelid = %s::regclass AND NOT indisunique",
        [table],
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(f"DROP INDEX {name}")
    return [definition for _, definition in indexes]


def _needs_value(field: Any) -> bool:
    if isinstance(field, (models.GeneratedField, models.AutoField)) or field.null:
        return False
    return not field.has_db_default()


def _expression(field: Any) -> str:
    if isinstance(field, models.UUIDField):
        return "gen_random_uuid()"
    if isinstance(field, models.ForeignKey):  # a field with one row for each row is one, too
        return "n" if field.unique else "1"
    if isinstance(field, models.DateTimeField):
        return "at"
    if isinstance(field, models.JSONField):
        return "'[]'" if field.default is list else "'{}'"
    if isinstance(field, ArrayField):
        return "'{}'"
    if isinstance(field, models.BooleanField):
        return "false"
    if isinstance(field, (models.CharField, models.TextField)):
        return _text(field)
    return str(field.default if field.has_default() else 0)


def _text(field: Any) -> str:
    if field.unique:
        return "n::text"
    if field.choices:
        return f"'{field.choices[0][0]}'"
    return f"'{field.default}'" if field.has_default() else "''" if field.blank else "left('x' || n, 10)"
