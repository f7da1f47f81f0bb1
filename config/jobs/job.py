"""The abstract models of all job tables."""

from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce, Now

FIRST_BACKOFF = timedelta(seconds=5)
MAX_BACKOFF = timedelta(minutes=1)


def backoff(attempts: int) -> timedelta:
    """Return the delay before attempt ``attempts + 1``: 5, 10, 20 s and so on, at most a minute."""
    return min(FIRST_BACKOFF * 2 ** max(attempts - 1, 0), MAX_BACKOFF)


def due_index(name: str) -> models.Index:
    """Build the index of a job table's unfinished rows."""
    return models.Index(fields=["due_at", "id"], name=name, condition=models.Q(done_at=None, failed_at=None))


def failed_index(name: str) -> models.Index:
    """Build the index of a job table's failed rows, which the dashboard lists, the newest first."""
    return models.Index(fields=["-failed_at"], name=name, condition=models.Q(failed_at__isnull=False))


class JobQuerySet(models.QuerySet):
    def due(self) -> Self:
        """Return unfinished rows that are due, the longest waiting first."""
        return self.filter(done_at=None, failed_at=None, due_at__lte=Now()).order_by("due_at", "pk")

    def unfinished(self) -> Self:
        return self.filter(done_at=None, failed_at=None)

    def stuck(self, older_than: timedelta = timedelta(minutes=10)) -> Self:
        """Return unfinished rows that have been due for longer than ``older_than``: an operator should check them."""
        return self.unfinished().filter(due_at__lt=Now() - older_than)

    def retry_failed(self) -> int:
        """Make failed rows due again with all their attempts; returns how many."""
        return self.exclude(failed_at=None).update(failed_at=None, attempts=0, due_at=Now())


class Job(models.Model):
    """A unit of background work: due at ``due_at`` until it is done, or failed with a reason.

    ``task`` is the dotted name of the Celery task that processes the table (``config.jobs.enqueue``).
    ``reports_to_user``: the API shows the result to the user who requested it, so an operator need not act on failures.
    ``retry_service`` is the dotted name of the service that staff call to retry failed rows: it gets a queryset and
    returns how many rows it made due again. It is empty where another attempt cannot succeed or is not safe.
    """

    task: ClassVar[str]
    reports_to_user: ClassVar[bool] = False
    retry_service: ClassVar[str] = "config.jobs.retrying.retry_failed"

    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    due_at = models.DateTimeField(db_default=Now(), editable=False)
    done_at = models.DateTimeField(null=True, editable=False)
    failed_at = models.DateTimeField(null=True, editable=False)
    error = models.TextField(blank=True, editable=False, help_text="Why it failed, or why its last attempt did.")

    objects = JobQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def claim(self) -> dict[str, Any]:
        """The values that identify this worker's claim; another worker's claim changes them."""
        return {"attempts": self.attempts}

    def claim_values(self) -> dict[str, Any]:
        """The columns that a worker sets when it claims the row."""
        return {"attempts": self.attempts + 1, "due_at": Now() + backoff(self.attempts + 1)}

    def finish(self, **fields: Any) -> None:
        """Mark the row done and set ``fields`` in the same statement. Call it inside the work's transaction."""
        type(self)._base_manager.filter(pk=self.pk).update(done_at=Now(), error="", **fields)


class Status(models.TextChoices):
    """What the API calls the state of an import."""

    QUEUED = "queued", "queued"
    PROCESSING = "processing", "processing"
    COMPLETED = "completed", "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors", "completed with errors"
    FAILED = "failed", "failed"


def status_field(*first: When, choices: type[models.TextChoices] = Status) -> models.GeneratedField:
    """Build the ``status`` column of an import, which Postgres derives from the instants and ``rejected``.

    ``first`` are conditions of the app's own, checked before all others; ``choices`` are all values of the column.
    """
    return models.GeneratedField(
        expression=Case(
            *first,
            When(failed_at__isnull=False, then=Value("failed")),
            When(done_at__isnull=False, rejected__gt=0, then=Value("completed_with_errors")),
            When(done_at__isnull=False, then=Value("completed")),
            When(started_at__isnull=True, then=Value("queued")),
            default=Value("processing"),
        ),
        output_field=models.CharField(max_length=30, choices=choices),
        db_persist=True,
    )


class SteppedJob(Job):
    """Long work in steps: each step commits its result together with ``cursor``.

    ``epoch`` counts claims. A worker that was taken over finds another number and stops.
    """

    # Another worker takes over once a worker has been silent for this long.
    lease: ClassVar[timedelta] = timedelta(seconds=15)

    cursor = models.PositiveIntegerField(default=0, editable=False, help_text="How far the work is done.")
    epoch = models.PositiveIntegerField(default=0, editable=False, help_text="How often a worker has claimed it.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    started_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.GeneratedField(
        expression=Coalesce("done_at", "failed_at"), output_field=models.DateTimeField(null=True), db_persist=True
    )

    class Meta:
        abstract = True

    @property
    def claim(self) -> dict[str, Any]:
        return {"epoch": self.epoch}

    def claim_values(self) -> dict[str, Any]:
        return {
            "attempts": self.attempts + 1,
            "due_at": Now() + self.lease,
            "epoch": F("epoch") + 1,
            "started_at": Coalesce("started_at", Now()),
        }


class ImportJob(SteppedJob):
    """A file that is imported in steps."""

    reports_to_user = True

    name = models.CharField(max_length=255, help_text="The file's name as it was uploaded.")
    cursor = models.PositiveIntegerField(default=0, editable=False, help_text="How far the file has been imported.")
    rejected = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    status = status_field()

    class Meta:
        abstract = True
