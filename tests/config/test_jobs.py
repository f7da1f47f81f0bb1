"""`run_due`: a job is done once, attempts are counted, failures have a reason, a dead worker holds nothing."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from config.jobs import runner
from config.models import OutgoingMail


def make(**fields: Any) -> OutgoingMail:
    return OutgoingMail.objects.create(to="a@example.org", template="x", **fields)


def make_due() -> None:
    OutgoingMail.objects.update(due_at=Now() - timedelta(seconds=1))


def run(work: Callable[[OutgoingMail], object], **options: Any) -> int:
    return runner.run_due(OutgoingMail.objects.all(), work, **options)


@pytest.mark.django_db
def test_due_rows_are_done_once_and_the_longest_waiting_first() -> None:
    late, early = make(due_at=Now() - timedelta(seconds=5)), make(due_at=Now() - timedelta(seconds=9))
    make(due_at=Now() + timedelta(hours=1))
    seen: list[int] = []

    def work(row: OutgoingMail) -> None:
        seen.append(row.pk)
        row.finish()

    assert run(work) == 2
    assert seen == [early.pk, late.pk]
    assert run(work) == 0


@pytest.mark.django_db
def test_a_failed_attempt_is_rolled_back_and_its_reason_stored() -> None:
    row = make()

    def work(row: OutgoingMail) -> None:
        OutgoingMail.objects.filter(pk=row.pk).update(to="written@example.org")
        raise RuntimeError("broken")

    run(work)
    row.refresh_from_db()
    assert (row.to, row.attempts, row.error, row.done_at, row.failed_at) == (
        "a@example.org", 1, "RuntimeError: broken", None, None,
    )  # fmt: skip
    assert not OutgoingMail.objects.due().exists(), "it waits for its back-off"


@pytest.mark.django_db
def test_the_last_attempt_ends_the_row_with_its_reason_and_calls_on_failed() -> None:
    row = make()
    failed: list[OutgoingMail] = []

    def work(row: OutgoingMail) -> None:
        raise RuntimeError("always broken")

    for _ in range(3):
        make_due()
        run(work, max_attempts=3, on_failed=failed.append)
    make_due()
    assert run(work, max_attempts=3, on_failed=failed.append) == 0
    row.refresh_from_db()
    assert row.failed_at is not None
    assert row.error == "RuntimeError: always broken"
    assert [each.pk for each in failed] == [row.pk]


@pytest.mark.django_db
def test_a_row_whose_workers_all_crashed_ends_failed_and_the_next_row_is_done() -> None:
    dead = make(attempts=5, due_at=Now() - timedelta(seconds=9))
    alive = make(due_at=Now() - timedelta(seconds=1))
    assert run(lambda row: row.finish()) == 1
    dead.refresh_from_db()
    alive.refresh_from_db()
    assert (dead.failed_at is not None, dead.error) == (True, "Every attempt crashed its worker.")
    assert alive.done_at is not None


@pytest.mark.django_db
def test_postponing_does_not_count_as_an_attempt() -> None:
    row = make()

    def work(row: OutgoingMail) -> None:
        raise runner.Postpone("the server is unavailable", delay=timedelta(0))

    for _ in range(runner.MAX_ATTEMPTS + 2):
        make_due()
        run(work, limit=1)
    row.refresh_from_db()
    assert (row.attempts, row.failed_at, row.error) == (0, None, "the server is unavailable")


@pytest.mark.django_db
def test_giving_up_ends_the_row_at_once() -> None:
    row = make()

    def work(row: OutgoingMail) -> None:
        raise runner.GiveUp("no such mailbox")

    run(work)
    row.refresh_from_db()
    assert row.failed_at is not None
    assert row.error == "no such mailbox"


@pytest.mark.django_db(transaction=True)
def test_a_row_is_left_alone_while_a_worker_holds_its_lock_even_if_it_is_due() -> None:
    make()
    started, go_on = threading.Event(), threading.Event()
    done: list[int] = []

    def slow(row: OutgoingMail) -> None:
        started.set()
        assert go_on.wait(20)
        row.finish()

    def first_worker() -> None:
        try:
            done.append(run(slow))
        finally:
            connection.close()

    thread = threading.Thread(target=first_worker)
    thread.start()
    assert started.wait(20)
    # The row is locked, so its back-off cannot be shortened here: query as if it had passed.
    with transaction.atomic():
        held = OutgoingMail.objects.filter(done_at=None).select_for_update(skip_locked=True).first()
    assert held is None, "the worker holds the lock"
    go_on.set()
    thread.join(20)
    assert done == [1]


@pytest.mark.django_db(transaction=True)
def test_several_workers_share_the_rows_and_do_each_once() -> None:
    for _ in range(40):
        make()
    seen: list[int] = []

    def work(row: OutgoingMail) -> None:
        seen.append(row.pk)
        row.finish()

    def worker() -> None:
        try:
            run(work)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seen) == len(set(seen)) == 40
    assert not OutgoingMail.objects.unfinished().exists()


def test_the_back_off_doubles_up_to_a_minute() -> None:
    assert [runner.backoff(n).total_seconds() for n in range(1, 7)] == [5, 10, 20, 40, 60, 60]
