"""`run_steps`: imports in steps that resume, take over, and stop when they are taken over."""

import threading
from collections.abc import Callable, Generator, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.db import OperationalError, connection
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import isolate_apps

from config.jobs import runner
from config.jobs.job import ImportJob, Status
from tests.waiting import wait_until

with isolate_apps("config"):

    class Import(ImportJob):
        """An import for these tests. Its table exists only while one of them runs."""

        task = "config.tasks.test_import"
        lease = timedelta(seconds=1)

        steps_stored = ImportJob._meta.get_field("cursor").clone()

        class Meta:
            app_label = "config"
            db_table = "test_import"


class Crash(BaseException):
    """Ends the worker as a kill does: the runner must not catch it."""


@pytest.fixture
def job(transactional_db: None) -> Iterator[Import]:
    """A due import."""
    with connection.schema_editor() as editor:
        editor.create_model(Import)
    yield Import.objects.create(name="rows.csv")
    with connection.schema_editor() as editor:
        editor.delete_model(Import)


@pytest.fixture
def in_thread() -> Iterator[Callable[[Callable[[], Any]], list[Any]]]:
    """``in_thread(call)``: run ``call`` in a thread that ends with the test; returns a list that gets its result."""
    threads: list[threading.Thread] = []

    def start(call: Callable[[], Any]) -> list[Any]:
        results: list[Any] = []

        def target() -> None:
            try:
                results.append(call())
            finally:
                connection.close()

        threads.append(threading.Thread(target=target))
        threads[-1].start()
        return results

    yield start
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()


def store_one(row: Import) -> None:
    Import.objects.filter(pk=row.pk).update(cursor=F("cursor") + 1, steps_stored=F("steps_stored") + 1)


def three_steps(row: Import) -> Generator[runner.Hook, None, None]:
    for _ in range(row.cursor, 3):
        yield store_one


def run(steps: Callable[[Any], Generator[runner.Hook, None, None]] = three_steps, **options: Any) -> int:
    return runner.run_steps(Import.objects.all(), steps, **options)


def expire_lease() -> None:
    Import.objects.update(due_at=Now() - timedelta(seconds=1))


def crash_before_step(number: int) -> Callable[[Import], Generator[runner.Hook, None, None]]:
    def steps(row: Import) -> Generator[runner.Hook, None, None]:
        for position in range(row.cursor, 3):
            if position == number:
                raise Crash
            yield store_one

    return steps


def test_an_import_is_done_when_its_steps_end(job: Import) -> None:
    assert run() == 1
    job.refresh_from_db()
    assert (job.status, job.cursor, job.attempts, job.error) == (Status.COMPLETED, 3, 1, "")
    assert job.finished_at is not None
    assert run() == 0


def test_an_import_resumes_at_its_cursor_after_a_crash(job: Import) -> None:
    with pytest.raises(Crash):
        run(crash_before_step(2))
    job.refresh_from_db()
    assert (job.status, job.cursor) == (Status.PROCESSING, 2)
    assert run() == 0, "the lease of the crashed worker has not expired"
    wait_until(lambda: run() == 1, what="a worker that takes over after the lease")
    job.refresh_from_db()
    assert (job.status, job.cursor, job.steps_stored, job.epoch) == (Status.COMPLETED, 3, 3, 2)


def test_what_a_crashed_step_wrote_is_rolled_back(job: Import) -> None:
    def steps(row: Import) -> Generator[runner.Hook, None, None]:
        def step(locked: Import) -> None:
            store_one(locked)
            raise Crash

        yield step

    with pytest.raises(Crash):
        run(steps)
    job.refresh_from_db()
    assert (job.cursor, job.steps_stored) == (0, 0)


def test_the_lease_is_renewed_while_a_step_is_slow_to_come(
    job: Import, in_thread: Callable[[Callable[[], Any]], list[Any]]
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def slow(row: Import) -> Generator[runner.Hook, None, None]:
        started.set()
        assert go_on.wait(30)
        yield from three_steps(row)

    done = in_thread(lambda: run(slow))
    assert started.wait(30)
    job.refresh_from_db()
    first_lease = job.due_at
    try:
        wait_until(
            lambda: not run() and Import.objects.filter(due_at__gt=first_lease + 2 * Import.lease).exists(),
            what="a lease that was renewed",
        )
    finally:
        go_on.set()
    wait_until(lambda: done)
    job.refresh_from_db()
    assert (done, job.epoch, job.steps_stored) == ([1], 1, 3)


def test_a_worker_that_was_taken_over_stops_and_writes_nothing(
    job: Import, in_thread: Callable[[Callable[[], Any]], list[Any]]
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def stalled(row: Import) -> Generator[runner.Hook, None, None]:
        yield store_one
        started.set()
        assert go_on.wait(30)
        yield store_one
        pytest.fail("the worker went on after it was taken over")

    done = in_thread(lambda: run(stalled, limit=1))
    assert started.wait(30)

    def take_over() -> bool:
        # The stalled worker's thread may renew the lease between the two calls: then expire it again.
        expire_lease()
        run(time_slice=0)
        return Import.objects.filter(epoch=2).exists()

    try:
        wait_until(take_over, what="a worker that takes over")
        before = Import.objects.values().get()
    finally:
        go_on.set()
    wait_until(lambda: done)
    assert done == [0]
    assert Import.objects.values().get() == before
    assert (before["status"], before["cursor"], before["steps_stored"]) == (Status.PROCESSING, 2, 2)


def test_a_row_is_left_alone_while_a_step_holds_its_lock(
    job: Import, in_thread: Callable[[Callable[[], Any]], list[Any]]
) -> None:
    started, go_on = threading.Event(), threading.Event()

    def steps(row: Import) -> Generator[runner.Hook, None, None]:
        def step(locked: Import) -> None:
            store_one(locked)
            started.set()
            assert go_on.wait(30)

        yield step

    done = in_thread(lambda: run(steps))
    assert started.wait(30)
    try:
        job.refresh_from_db()
        lease_is_over = job.due_at
        wait_until(lambda: Import.objects.filter(due_at__lt=Now(), due_at=lease_is_over).exists(), what="an old lease")
        assert run() == 0
    finally:
        go_on.set()
    wait_until(lambda: done)
    assert done == [1]


def test_the_time_slice_returns_an_import_to_the_queue_and_enqueues_it(job: Import) -> None:
    assert run(time_slice=0) == 0
    job.refresh_from_db()
    assert (job.status, job.cursor) == (Status.PROCESSING, 1)
    assert Import.objects.due().exists()
    broker: Any = redis.Redis.from_url(django_settings.CELERY_BROKER_URL)
    assert broker.llen("default") == 1
    assert [run(time_slice=0), run(time_slice=0)] == [0, 0], "the third step is the last, but its worker stops as well"
    assert run(time_slice=0) == 1
    job.refresh_from_db()
    assert (job.status, job.steps_stored) == (Status.COMPLETED, 3)


def test_the_time_slice_bounds_the_whole_call(job: Import) -> None:
    Import.objects.create(name="second.csv")
    run(time_slice=0)
    assert Import.objects.filter(started_at=None).count() == 1


def test_postponing_a_step_counts_no_attempt_and_keeps_the_cursor(job: Import) -> None:
    def steps(row: Import) -> Generator[runner.Hook, None, None]:
        yield store_one
        raise runner.Postpone("the storage is away", delay=timedelta(0))

    for _ in range(runner.MAX_ATTEMPTS + 2):
        run(steps, limit=1)
    job.refresh_from_db()
    assert (job.status, job.attempts, job.error) == (Status.PROCESSING, 0, "the storage is away")
    assert job.cursor == runner.MAX_ATTEMPTS + 2


def test_giving_up_ends_the_import_with_reason_and_code_and_keeps_the_steps(job: Import) -> None:
    def steps(row: Import) -> Generator[runner.Hook, None, None]:
        yield store_one
        raise runner.GiveUp("The file is empty.", code="empty")

    assert run(steps) == 0
    job.refresh_from_db()
    assert (job.status, job.error, job.error_code, job.cursor) == (Status.FAILED, "The file is empty.", "empty", 1)


def test_an_error_is_retried_after_its_back_off_and_the_last_one_ends_the_import(job: Import) -> None:
    def steps(row: Import) -> Generator[runner.Hook, None, None]:
        def fail(locked: Import) -> None:
            raise ValueError("bad row")

        yield fail

    for attempt in (1, 2):
        assert run(steps, max_attempts=3) == 0
        job.refresh_from_db()
        assert (job.attempts, job.status, job.error) == (attempt, Status.PROCESSING, "ValueError: bad row")
        assert not Import.objects.due().exists()
        expire_lease()
    run(steps, max_attempts=3)
    job.refresh_from_db()
    assert (job.attempts, job.status, job.error) == (3, Status.FAILED, "ValueError: bad row")


def test_a_step_that_moves_the_cursor_resets_the_attempts(job: Import) -> None:
    for number in (1, 2):
        Import.objects.update(attempts=runner.MAX_ATTEMPTS - 1)
        with pytest.raises(Crash):
            run(crash_before_step(number))
        job.refresh_from_db()
        assert (job.cursor, job.attempts) == (number, 1)
        expire_lease()


def test_steps_without_progress_do_not_repeat_for_ever(job: Import) -> None:
    def steps(row: Import) -> Generator[runner.Hook, None, None]:
        yield lambda locked: None
        raise Crash

    for _ in range(runner.MAX_ATTEMPTS):
        with pytest.raises(Crash):
            run(steps)
        expire_lease()
    assert run(steps) == 0
    job.refresh_from_db()
    assert (job.status, job.error) == (Status.FAILED, "Every attempt crashed its worker.")


def test_a_statement_that_postgres_cancels_counts_as_an_attempt_and_an_outage_does_not(job: Import) -> None:
    def cancelled(locked: Import) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '10ms'")
            cursor.execute("SELECT pg_sleep(5)")

    def disconnected(locked: Import) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    assert run(lambda row: (step for step in [cancelled])) == 0
    job.refresh_from_db()
    assert "statement timeout" in job.error
    expire_lease()
    with pytest.raises(OperationalError):
        run(lambda row: (step for step in [disconnected]))
    connection.close()


def test_on_changed_is_called_when_an_import_begins_and_ends(job: Import) -> None:
    seen: list[str] = []
    run(on_changed=lambda row: seen.append(row.status))
    assert seen == [Status.PROCESSING, Status.COMPLETED]


def test_on_failed_and_on_changed_are_part_of_the_transaction_that_ends_the_row(job: Import) -> None:
    seen: list[tuple[str, str, bool]] = []

    def note(name: str) -> runner.Hook:
        return lambda row: seen.append((name, row.status, connection.in_atomic_block))

    def steps(row: Import) -> Generator[runner.Hook, None, None]:
        raise runner.GiveUp("no")
        yield store_one

    run(steps, on_failed=note("failed"), on_changed=note("changed"))
    assert seen == [
        ("changed", Status.PROCESSING, True), ("failed", Status.FAILED, True), ("changed", Status.FAILED, True),
    ]  # fmt: skip


def test_an_import_ends_failed_even_if_its_failure_cannot_be_handled(job: Import) -> None:
    def broken(row: Import) -> None:
        Import.objects.filter(pk=row.pk).update(name="written by the hook")
        raise RuntimeError

    with pytest.raises(Crash):
        run(crash_before_step(0))
    Import.objects.update(attempts=runner.MAX_ATTEMPTS)
    expire_lease()
    assert run(on_failed=broken) == 0
    job.refresh_from_db()
    assert (job.status, job.name) == (Status.FAILED, "rows.csv")
