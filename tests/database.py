"""The test database: migrated once in a run, and emptied by deletes after a test that commits."""

from functools import cache

from django.db import connection
from django.test import TransactionTestCase

from config.jobs import schedule

from .places import migrations_digest

# Rows that belong to the schema: a migration creates them, no test changes them.
FIXED_TABLES = {"django_content_type", "auth_permission"}
# Created after each migration. Beat changes them.
SCHEDULE_TABLES = {
    "django_celery_beat_periodictask", "django_celery_beat_intervalschedule", "django_celery_beat_periodictasks",
}  # fmt: skip
SCHEDULE = """
SELECT (SELECT md5(string_agg(t::text, ' ' ORDER BY id)) FROM django_celery_beat_periodictask t)
    || (SELECT md5(string_agg(i::text, ' ' ORDER BY id)) FROM django_celery_beat_intervalschedule i)
"""

_installed_schedule: str | None = None


def use_template() -> None:
    """Let the test database be a copy of one that the first process of the run migrates; the others wait for it."""
    template = f"migrated_{migrations_digest()[:16]}"
    options = connection.settings_dict["TEST"]
    with connection._nodb_cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(1)")  # until this connection is closed
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template])
        if cursor.fetchone() is None:
            names = connection.settings_dict["NAME"], options["NAME"]
            options["NAME"] = f"new_{template}"
            connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            connection.close()
            connection.settings_dict["NAME"], options["NAME"] = names
            cursor.execute(f"ALTER DATABASE new_{template} RENAME TO {template}")
    options["TEMPLATE"] = template


@cache
def _tables() -> list[str]:
    return sorted(connection.introspection.django_table_names(only_existing=True, include_views=False))


def delete_rows(_: TransactionTestCase) -> None:
    """Replace the flush of TransactionTestCase.

    Django truncates every table, which makes new files for each table and index, and creates all permissions again.
    """
    global _installed_schedule
    deletes = [f'DELETE FROM "{table}"' for table in _tables() if table not in FIXED_TABLES | SCHEDULE_TABLES]  # noqa: S608
    with connection.cursor() as cursor:
        # Neither triggers nor foreign keys apply.
        cursor.execute("; ".join(["SET session_replication_role = replica", *deletes]))
        cursor.execute("RESET session_replication_role")
        cursor.execute(SCHEDULE)
        if cursor.fetchone()[0] != _installed_schedule:
            cursor.execute("; ".join(f"DELETE FROM {table}" for table in sorted(SCHEDULE_TABLES)))  # noqa: S608
            schedule.install()
            cursor.execute(SCHEDULE)
            _installed_schedule = cursor.fetchone()[0]
