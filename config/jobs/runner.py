"""Runs due job rows: one worker claims a row, attempts are counted, and a row that cannot succeed ends failed.

A :class:`Job` row is written in the transaction of the request that asks for it. A worker needs two commits for it:

1. The claim locks one due row with ``FOR UPDATE SKIP LOCKED``, counts the attempt and moves ``due_at`` ahead. It is
   committed before the work begins, so that a row which crashes its worker is counted too.
2. The work locks the row again. What the work writes is committed together with the end of the row.

While the lock of step 2 is held no other worker touches the row. Postgres releases it when the worker dies.

:func:`run_steps` does long work in several commits. Between two of them the row is not locked but leased: a thread
moves ``due_at`` ahead every few seconds, and another worker takes over once a lease has expired
(docs/decisions/imports-in-steps.md).
"""

import math
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Case, When
from django.db.models.functions import Now
from django.dispatch import Signal

from config.outages import is_outage

from .enqueue import enqueue
from .job import ImportJob, Job, JobQuerySet, SteppedJob, backoff

logger = structlog.get_logger(__name__)

MAX_ATTEMPTS = 5
# Seconds after which a long import goes back to the queue, so that others get their turn. Below the task time limit.
TIME_SLICE = 120.0

Hook = Callable[[Any], None]
# Sent after the commit that ended a row as failed; the sender is its model.
row_failed = Signal()


class Postpone(Exception):
    """Raised by the work when it cannot be done now for a reason outside the row, such as a server that is down.

    The attempt is not counted, and the row is due again after ``delay``.
    """

    def __init__(self, reason: str, *, delay: timedelta = timedelta(seconds=10)) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = delay


class GiveUp(Exception):
    """Raised by the work when no further attempt can succeed. Its text is stored as the row's ``error``.

    ``code`` is stored as ``error_code`` of an import.
    """

    def __init__(self, reason: str, *, code: str = "") -> None:
        super().__init__(reason)
        self.code = code


class TakenOver(Exception):
    """Another worker has claimed the row, or the row is gone: this worker stops without writing anything."""


def run_due(
    queryset: JobQuerySet,
    work: Callable[[Any], None],
    *,
    limit: int = 100,
    max_attempts: int = MAX_ATTEMPTS,
    lock_first: Callable[[], None] | None = None,
    on_failed: Hook | None = None,
) -> int:
    """Process up to ``limit`` due rows of ``queryset`` and return how many were done.

    ``work`` gets the locked row inside a transaction and marks it done itself (``row.finish()``, or deletes it). Any
    exception rolls the transaction back: ``Postpone`` delays the row without counting the attempt, ``GiveUp`` ends the
    row, any other exception counts as a failed attempt, and the last attempt ends the row. ``lock_first`` is called at
    the start of the transaction, for a lock that other transactions take before this row's. ``on_failed`` is called in
    the transaction that ends a row as failed.
    """

    def in_one_commit(row: Job) -> bool:
        with transaction.atomic():
            if lock_first:
                lock_first()
            work(_lock(row))
        return True

    return _run(queryset, in_one_commit, limit, max_attempts, on_failed)


def run_steps(
    queryset: JobQuerySet,
    steps: Callable[[Any], Generator[Hook, None, None]],
    *,
    limit: int = 100,
    max_attempts: int = MAX_ATTEMPTS,
    time_slice: float = TIME_SLICE,
    lock_first: Callable[[], None] | None = None,
    on_changed: Hook | None = None,
    on_failed: Hook | None = None,
) -> int:
    """Process up to ``limit`` due rows of ``queryset`` step by step and return how many were done.

    ``steps(row)`` is a generator that yields functions. Each is called with the locked row inside a transaction of its
    own and must store a new ``cursor``; the generator begins at ``row.cursor``, wherever an earlier worker stopped. The
    row is marked done when the generator ends. Exceptions mean what they mean in :func:`run_due`, and a committed step
    that moved the cursor resets the count of attempts. Once the call has taken ``time_slice`` seconds, an unfinished
    row goes back to the queue. ``lock_first`` is called at the start of each step's transaction, for a lock that other
    transactions take before this row's. ``on_changed`` is called in the transactions that claim, finish or fail a row;
    ``on_failed`` only in the last.
    """
    deadline = time.monotonic() + time_slice

    def in_steps(row: SteppedJob) -> bool:
        with _lease(row), closing(steps(row)) as remaining:
            for step in remaining:
                with transaction.atomic():
                    if lock_first:
                        lock_first()
                    locked = _lock(row)
                    step(locked)
                    _record_step(row)
                if time.monotonic() > deadline:
                    break
            else:
                with transaction.atomic():
                    locked = _lock(row)
                    locked.finish()
                    if on_changed:
                        locked.refresh_from_db()
                        on_changed(locked)
                return True
        _update(row, due_at=Now())
        return False

    def failed(row: SteppedJob) -> None:
        for hook in (on_failed, on_changed):
            if hook:
                hook(row)

    return _run(queryset, in_steps, limit, max_attempts, failed, on_claimed=on_changed, deadline=deadline)


def _run(
    queryset: JobQuerySet,
    attempt: Callable[[Any], bool],
    limit: int,
    max_attempts: int,
    on_failed: Hook | None,
    on_claimed: Hook | None = None,
    deadline: float = math.inf,
) -> int:
    done = 0
    for _ in range(limit):
        row = _claim(queryset, max_attempts, on_failed, on_claimed)
        if row is None:
            break
        if row.failed_at is None and _attempt(row, attempt, max_attempts, on_failed):
            done += 1
        if time.monotonic() > deadline:
            enqueue(queryset.model)
            break
    return done


@transaction.atomic
def _claim(queryset: JobQuerySet, max_attempts: int, on_failed: Hook | None, on_claimed: Hook | None) -> Any:
    row = queryset.due().select_for_update(skip_locked=True, of=("self",)).first()
    if row is None:
        return None
    if row.attempts >= max_attempts:
        # Reached only if every attempt crashed its worker: otherwise the worker has ended the row itself.
        _fail(row, row.error or "Every attempt crashed its worker.", on_failed)
        return row
    _update(row, **row.claim_values())
    row.refresh_from_db()
    if on_claimed:
        on_claimed(row)
    return row


def _lock(row: Any) -> Any:
    """Return the row, locked until the end of the transaction; raises TakenOver if this worker's claim is over.

    It waits for the lock: another worker may hold it for a moment while it looks for due rows.
    """
    rows = type(row)._base_manager.select_for_update()
    locked = rows.filter(pk=row.pk, done_at=None, failed_at=None, **row.claim).first()
    if locked is None:
        raise TakenOver
    return locked


def _record_step(row: SteppedJob) -> None:
    """Renew the lease after a step, and restart the count of attempts if the step moved the cursor."""
    stored = type(row)._base_manager.filter(pk=row.pk)
    same = When(cursor=row.cursor, then="attempts")
    stored.update(due_at=Now() + row.lease, attempts=Case(same, default=1))
    row.refresh_from_db(fields=("attempts", "cursor"))


@contextmanager
def _lease(row: SteppedJob) -> Iterator[None]:
    """Renew the row's lease every few seconds, on a separate connection, until the block ends."""
    ended = threading.Event()

    def renew() -> None:
        rows = type(row)._base_manager.filter(pk=row.pk, **row.claim)
        try:
            while not ended.wait(row.lease.total_seconds() / 5):
                try:
                    with transaction.atomic():
                        # Never wait for the row: a step that holds it keeps others away by its lock.
                        if rows.select_for_update(skip_locked=True).exists():
                            rows.update(due_at=Now() + row.lease)
                except (OperationalError, InterfaceError):
                    connection.close()  # the next round opens a new connection
        finally:
            connection.close()

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _attempt(row: Any, attempt: Callable[[Any], bool], max_attempts: int, on_failed: Hook | None) -> bool:
    try:
        return attempt(row)
    except TakenOver:
        pass
    except Postpone as later:
        _update(row, attempts=max(row.attempts - 1, 0), due_at=Now() + later.delay, error=later.reason[:2000])
    except GiveUp as end:
        with transaction.atomic():
            _fail(row, str(end), on_failed, end.code)
    except Exception as error:  # one bad row must not stop the others
        if _is_postgres_outage(error):
            raise  # nothing can be stored now, and the claim has already moved due_at ahead
        logger.exception("job_attempt_failed", job=row._meta.label, id=row.pk, attempts=row.attempts)
        reason = f"{type(error).__name__}: {error}"[:2000]
        if row.attempts >= max_attempts:
            with transaction.atomic():
                _fail(row, reason, on_failed)
        else:
            _update(row, error=reason, due_at=Now() + backoff(row.attempts))
    return False


def _update(row: Any, **fields: Any) -> bool:
    """Update the row if this worker's claim still holds; returns whether it does."""
    rows = type(row)._base_manager.filter(pk=row.pk, done_at=None, failed_at=None, **row.claim)
    return bool(rows.update(**fields))


def _fail(row: Any, reason: str, on_failed: Hook | None, code: str = "") -> None:
    fields = {"error_code": code} if isinstance(row, ImportJob) else {}
    if not _update(row, failed_at=Now(), error=reason[:2000], **fields):
        return
    row.refresh_from_db()
    if on_failed:
        try:
            with transaction.atomic():
                on_failed(row)
        except Exception as error:
            if _is_postgres_outage(error):
                raise
            # The row ends failed all the same: otherwise it would be first in the queue for ever.
            logger.exception("job_on_failed_error", job=row._meta.label, id=row.pk)
    logger.error("job_failed", job=row._meta.label, id=row.pk, attempts=row.attempts, reason=reason)
    transaction.on_commit(lambda: row_failed.send_robust(type(row)))


def _is_postgres_outage(error: Exception) -> bool:
    """Return whether Postgres is away. A deadlock or a statement timeout is not an outage: it counts as an attempt."""
    return isinstance(error, (OperationalError, InterfaceError)) and is_outage(error)
