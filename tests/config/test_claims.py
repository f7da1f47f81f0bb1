"""Rows as work: done once, counted, given up with a reason, and never held by the dead."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from config import claims
from config.models import OutgoingMail


def make(**fields) -> OutgoingMail:
    return OutgoingMail.objects.create(to="a@example.org", template="x", **fields)


def make_due() -> None:
    OutgoingMail.objects.update(due_at=Now() - timedelta(seconds=1))


def run(work, **options) -> int:
    return claims.work_through(OutgoingMail.objects.all(), work, **options)


@pytest.mark.django_db
def test_due_rows_are_done_once_and_longest_waiting_first():
    late, early = make(due_at=Now() - timedelta(seconds=5)), make(due_at=Now() - timedelta(seconds=9))
    make(due_at=Now() + timedelta(hours=1))
    seen = []

    def work(row):
        seen.append(row.pk)
        row.finish()

    assert run(work) == 2
    assert seen == [early.pk, late.pk]
    assert run(work) == 0


@pytest.mark.django_db
def test_what_a_failing_attempt_wrote_is_rolled_back_and_its_reason_kept():
    row = make()

    def work(row):
        OutgoingMail.objects.filter(pk=row.pk).update(to="written@example.org")
        raise RuntimeError("no luck")

    run(work)
    row.refresh_from_db()
    assert (row.to, row.attempts, row.error, row.done_at, row.failed_at) == (
        "a@example.org", 1, "RuntimeError: no luck", None, None,
    )  # fmt: skip
    assert not OutgoingMail.objects.due().exists(), "it waits for its back-off"


@pytest.mark.django_db
def test_the_last_attempt_ends_the_row_with_its_reason_and_tells_the_domain():
    row, told = make(), []

    def work(row):
        raise RuntimeError("never any luck")

    for _ in range(3):
        make_due()
        run(work, max_attempts=3, on_failed=told.append)
    make_due()
    assert run(work, max_attempts=3, on_failed=told.append) == 0
    row.refresh_from_db()
    assert row.failed_at is not None
    assert row.error == "RuntimeError: never any luck"
    assert [failed.pk for failed in told] == [row.pk]


@pytest.mark.django_db
def test_a_row_whose_workers_all_died_ends_failed_and_the_next_row_is_done():
    dead = make(attempts=5, due_at=Now() - timedelta(seconds=9))
    alive = make(due_at=Now() - timedelta(seconds=1))
    assert run(lambda row: row.finish()) == 1
    dead.refresh_from_db()
    alive.refresh_from_db()
    assert (dead.failed_at is not None, dead.error) == (True, "The worker died at each attempt.")
    assert alive.done_at is not None


@pytest.mark.django_db
def test_postponing_does_not_count_as_an_attempt():
    row = make()

    def work(row):
        raise claims.Postpone("the server is away", delay=timedelta(0))

    for _ in range(claims.MAX_ATTEMPTS + 2):
        make_due()
        run(work, limit=1)
    row.refresh_from_db()
    assert (row.attempts, row.failed_at, row.error) == (0, None, "the server is away")


@pytest.mark.django_db
def test_giving_up_ends_the_row_at_once():
    row = make()

    def work(row):
        raise claims.GiveUp("no such mailbox")

    run(work)
    row.refresh_from_db()
    assert row.failed_at is not None
    assert row.error == "no such mailbox"


@pytest.mark.django_db(transaction=True)
def test_a_row_that_is_being_worked_on_is_left_alone_even_when_it_is_due():
    make()
    started, go_on = threading.Event(), threading.Event()
    done = []

    def slow(row):
        started.set()
        assert go_on.wait(20)
        row.finish()

    def first_worker():
        try:
            done.append(run(slow))
        finally:
            connection.close()

    thread = threading.Thread(target=first_worker)
    thread.start()
    assert started.wait(20)
    # The lock is on the row, so its back-off cannot be shortened from here: ask as if it had passed.
    with transaction.atomic():
        held = OutgoingMail.objects.filter(done_at=None).select_for_update(skip_locked=True).first()
    assert held is None, "the worker's lock is the sign of life"
    go_on.set()
    thread.join(20)
    assert done == [1]


@pytest.mark.django_db(transaction=True)
def test_two_workers_share_the_rows_and_do_each_once():
    for _ in range(40):
        make()
    seen: list[int] = []

    def work(row):
        seen.append(row.pk)
        row.finish()

    def worker():
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


def test_the_back_off_doubles_up_to_a_minute():
    assert [claims.backoff(n).total_seconds() for n in range(1, 7)] == [5, 10, 20, 40, 60, 60]
