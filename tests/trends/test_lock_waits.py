"""Imports that store rows at the same time wait for each other, longer than the limits of a worker."""

import io
import threading
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from config.db import locks
from trends.files.columns import COLUMNS
from trends.files.loading import encode_rows, insert_rows
from trends.models import Change, ImportRun, Trend
from trends.services.revisions import open_revision, publish_revision
from trends.services.updating import update_rows

from ..waiting import wait_until
from .factories import values

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def run() -> ImportRun:
    return ImportRun.objects.create(name="trends.csv", origin=ImportRun.Origin.UPLOAD)


@pytest.fixture
def rows() -> io.BytesIO:
    file, row = io.BytesIO(), values()
    encode_rows([tuple(str(row[name] or "") for name in COLUMNS)], file)
    return file


class Waiter:
    """Runs ``insert_rows`` in a thread whose connection may wait a few milliseconds for a statement or a lock."""

    def __init__(self, rows: io.BytesIO, run: ImportRun) -> None:
        self.created, self.errors = 0, list[Exception]()
        self.pid = 0
        self.thread = threading.Thread(target=self._work, args=(rows, run))
        self.thread.start()

    def _work(self, rows: io.BytesIO, run: ImportRun) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '50ms'; SET statement_timeout = '2s'; SELECT pg_backend_pid()")
                self.pid = cursor.fetchone()[0]
            self.created = insert_rows(rows, revision=open_revision(run=run))
        except Exception as error:
            self.errors.append(error)
        finally:
            connection.close()

    def milliseconds_of_waiting(self) -> int:
        """Return how long the thread has waited for a lock, by the clock of Postgres; 0 if it does not wait."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT COALESCE(max(EXTRACT(epoch FROM clock_timestamp() - waitstart)) * 1000, 0)::int "
                "FROM pg_locks WHERE NOT granted AND pid = %s",
                [self.pid],
            )
            return int(cursor.fetchone()[0])


def test_an_import_waits_for_another_one_longer_than_the_limits_of_the_worker(run: ImportRun, rows: io.BytesIO) -> None:
    with transaction.atomic():
        locks.lock("trends: insert")  # as an import of many rows holds it
        waiter = Waiter(rows, run)
        try:
            wait_until(lambda: waiter.errors or waiter.milliseconds_of_waiting() > 2500, timeout=60)
        finally:
            transaction.set_rollback(True)
    waiter.thread.join(60)
    assert (waiter.errors, waiter.created, Trend.objects.count()) == ([], 1, 1)


def test_reads_and_edits_of_trends_do_not_wait_for_an_import(run: ImportRun, rows: io.BytesIO) -> None:
    Trend.objects.create(**values())
    with transaction.atomic():
        insert_rows(rows, revision=open_revision(run=run))
        other = Editor()
        other.thread.join(60)
    assert (other.error, other.found, Trend.objects.count()) == (None, 1, 2)


def test_two_updates_of_one_trend_at_once_keep_one_trend_and_both_earlier_values(run: ImportRun) -> None:
    row = values(total_count_of_publications=1)
    Trend.objects.create(**row)
    second = threading.Thread(target=update, args=(row, 3))
    with transaction.atomic():
        update(row, 2)
        second.start()
        wait_until(lambda: waiting_for_a_lock() == 1, timeout=60)
    second.join(60)
    assert Trend.objects.get().total_count_of_publications == 3
    earlier = Change.objects.filter(kind=Change.Kind.UPDATED).order_by("pk")
    assert [change.before["total_count_of_publications"] for change in earlier] == [1, 2]


def update(row: dict[str, Any], publications: int) -> None:
    """Import ``row`` with another count, as a worker does."""
    changed, file = {**row, "total_count_of_publications": publications}, io.BytesIO()
    encode_rows([tuple(str(changed[name] or "") for name in COLUMNS)], file)
    in_main_thread = threading.current_thread() is threading.main_thread()
    try:
        with transaction.atomic():
            revision = open_revision()
            update_rows(file, revision=revision)
            publish_revision(revision)
    finally:
        if not in_main_thread:
            connection.close()


def waiting_for_a_lock() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND database = "
                       "(SELECT oid FROM pg_database WHERE datname = current_database())")  # fmt: skip
        return int(cursor.fetchone()[0])


class Editor:
    """Reads and changes all stored trends in a thread, without waiting for a lock."""

    def __init__(self) -> None:
        self.error: OperationalError | None = None
        self.found = 0
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        changed: dict[str, Any] = {"impact_strength": "Low"}
        try:
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '50ms'")
            self.found = Trend.objects.update(**changed)
        except OperationalError as error:
            self.error = error
        finally:
            connection.close()
