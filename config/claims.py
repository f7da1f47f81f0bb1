"""Work that is done later, kept as rows: claimed by one worker, counted, and given up with a reason.

A :class:`Job` row is written in the transaction of the request that asks for it. ``work_through`` does what is due, in
two commits a row:

1. The claim: with ``FOR UPDATE SKIP LOCKED`` one row is taken, its attempt counted and its next one put off by the
   back-off. This commit comes first so that a row which kills its worker is counted all the same.
2. The work: the row is locked again, and what the work writes is committed together with the row's end.

The lock of step 2 is the sign of life. While it is held nobody else touches the row, however long it takes, and
Postgres releases it when the worker dies, at once; then the row is due again after its back-off. There are no leases
to renew.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Self, TypeVar

import structlog
from django.db import InterfaceError, OperationalError, models, transaction
from django.db.models.functions import Now

logger = structlog.get_logger(__name__)

MAX_ATTEMPTS = 5
FIRST_BACKOFF = timedelta(seconds=5)
MAX_BACKOFF = timedelta(minutes=1)


class Postpone(Exception):
    """Raised by the work when it cannot be done now through no fault of the row (a server is away).

    The attempt is not counted, and the row is due again after ``delay``.
    """

    def __init__(self, reason: str, *, delay: timedelta = timedelta(seconds=10)) -> None:
        super().__init__(reason)
        self.reason = reason
        self.delay = delay


class GiveUp(Exception):
    """Raised by the work when no further attempt can succeed; its text is the row's reason."""


class JobQuerySet(models.QuerySet):
    def due(self) -> Self:
        """Rows whose turn has come, the longest waiting first."""
        return self.filter(done_at=None, failed_at=None, due_at__lte=Now()).order_by("due_at", "pk")

    def unfinished(self) -> Self:
        return self.filter(done_at=None, failed_at=None)

    def stuck(self, older_than: timedelta = timedelta(minutes=10)) -> Self:
        """Unfinished rows that have been due for so long that somebody should look."""
        return self.unfinished().filter(due_at__lt=Now() - older_than)

    def revive(self) -> int:
        """Have those that failed tried again, with all their attempts, at the next sweep; returns how many."""
        return self.exclude(failed_at=None).update(failed_at=None, attempts=0, due_at=Now())


class Job(models.Model):
    """A row that is work to do. It ends done, or failed with its reason; until then it is due at ``due_at``.

    ``is_reported`` says that whoever asked for it is shown how it ended, so that a failure is theirs to mend.
    """

    is_reported: ClassVar[bool] = False

    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    due_at = models.DateTimeField(db_default=Now(), editable=False)
    done_at = models.DateTimeField(null=True, editable=False)
    failed_at = models.DateTimeField(null=True, editable=False)
    error = models.TextField(blank=True, editable=False, help_text="Why it failed, or why its last attempt did.")

    objects = JobQuerySet.as_manager()

    class Meta:
        abstract = True

    def finish(self, **fields: Any) -> None:
        """Mark the row done, with ``fields`` set in the same statement. For the work to call, in its transaction."""
        type(self)._base_manager.filter(pk=self.pk).update(done_at=Now(), error="", **fields)


def pending(name: str) -> models.Index:
    """The index of a concrete job table: as small as what is still to do."""
    return models.Index(fields=["due_at", "id"], name=name, condition=models.Q(done_at=None, failed_at=None))


Row = TypeVar("Row", bound=Job)


def backoff(attempts: int) -> timedelta:
    """How long after its ``attempts``-th claim a row is due again: 5, 10, 20 s and so on, at most a minute."""
    return min(FIRST_BACKOFF * 2 ** max(attempts - 1, 0), MAX_BACKOFF)


def work_through(
    queryset: "JobQuerySet",
    work: Callable[[Any], None],
    *,
    limit: int = 100,
    max_attempts: int = MAX_ATTEMPTS,
    on_failed: Callable[[Any], None] | None = None,
) -> int:
    """Do up to ``limit`` due rows of ``queryset`` and return how many ended done.

    ``work`` gets the locked row inside a transaction and marks it done itself (``row.finish()``, or deletes it). What
    it raises rolls all of it back: ``Postpone`` puts the row off uncounted, ``GiveUp`` ends it, anything else is an
    attempt that failed, and the last one ends it. ``on_failed`` is called in the transaction that ends a row as failed.
    """
    done = 0
    for _ in range(limit):
        row = _claim(queryset, max_attempts, on_failed)
        if row is None:
            break
        if row.failed_at is None and _attempt(row, work, max_attempts, on_failed):
            done += 1
    return done


@transaction.atomic
def _claim(queryset: "JobQuerySet", max_attempts: int, on_failed: Callable | None) -> Any:
    row = queryset.due().select_for_update(skip_locked=True, of=("self",)).first()
    if row is None:
        return None
    if row.attempts >= max_attempts:
        # Only a worker that died without a word gets here: whoever can still speak has ended the row itself.
        _fail(row, row.error or "The worker died at each attempt.", on_failed)
        return row
    row.attempts += 1
    _update(row, attempts=row.attempts, due_at=Now() + backoff(row.attempts))
    return row


def _attempt(row: Any, work: Callable, max_attempts: int, on_failed: Callable | None) -> bool:
    table = type(row)._base_manager
    try:
        with transaction.atomic():
            # Waits rather than skips: another worker's claim may hold the row for the instant in which it finds that it
            # is no longer due.
            locked = (
                table.select_for_update().filter(pk=row.pk, attempts=row.attempts, done_at=None, failed_at=None).first()
            )
            if locked is None:
                return False
            work(locked)
            return True
    except Postpone as later:
        _update(row, attempts=row.attempts - 1, due_at=Now() + later.delay, error=later.reason[:2000])
    except GiveUp as end:
        with transaction.atomic():
            _fail(row, str(end), on_failed)
    except (OperationalError, InterfaceError):
        # Postgres itself: nothing can be noted down now, and the claim has already put the row off.
        raise
    except Exception as error:  # one bad row must not stop the others
        logger.exception("job_attempt_failed", job=row._meta.label, id=row.pk, attempts=row.attempts)
        reason = f"{type(error).__name__}: {error}"[:2000]
        if row.attempts >= max_attempts:
            with transaction.atomic():
                _fail(row, reason, on_failed)
        else:
            _update(row, error=reason)
    return False


def _update(row: Any, **fields: Any) -> None:
    type(row)._base_manager.filter(pk=row.pk, done_at=None, failed_at=None).update(**fields)


def _fail(row: Any, reason: str, on_failed: Callable | None) -> None:
    _update(row, failed_at=Now(), error=reason)
    row.refresh_from_db()
    if on_failed:
        on_failed(row)
    logger.error("job_failed", job=row._meta.label, id=row.pk, attempts=row.attempts, reason=reason)
