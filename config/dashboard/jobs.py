"""Reads of all job tables: failed and stuck rows, and the queues. Every query reads a bounded number of rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.text import capfirst

from config.jobs.job import Job
from config.models import DismissedJob

LISTED = 50  # rows in "Needs attention"
LISTED_DAYS = 30  # failed rows are listed for so long
MAX_FAILED = 1_000  # rows of a table that are read to find those that were not dismissed
MANY = 5_000  # counts stop here, so that a query takes less than 50 ms


def job_tables() -> list[Any]:
    """Return all models of job rows."""
    return [model for model in apps.get_models() if issubclass(model, Job)]


def job_table(label: str) -> Any:
    """Return the job model with this label in lower case; raises LookupError."""
    return {model._meta.label_lower: model for model in job_tables()}[label]


def permission(model: Any, action: str) -> str:
    return f"{model._meta.app_label}.{action}_{model._meta.model_name}"


def visible_to(user: Any) -> list[Any]:
    """Return the job models whose rows this member of staff may see."""
    return [model for model in job_tables() if user.has_perm(permission(model, "view"))]


@dataclass(frozen=True)
class Problem:
    """A failed or stuck row, and what this member of staff may do with it."""

    model: Any
    row: Any
    state: str
    since: datetime
    may_change: bool

    @property
    def key(self) -> str:
        return f"{self.model._meta.label_lower}:{self.row.pk}"

    @property
    def kind(self) -> str:
        return capfirst(self.model._meta.verbose_name)

    @property
    def url_name(self) -> str:
        return f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_change"

    @property
    def can_retry(self) -> bool:
        return self.may_change and (self.state == "stuck" or bool(self.model.retry_service))

    @property
    def can_discard(self) -> bool:
        return self.may_change and self.state == "failed"


def problems(user: Any) -> tuple[list[Problem], bool]:
    """Return the newest failed and the stuck rows that ``user`` may see, those for the operator first; and whether
    there are more."""
    found: list[Problem] = []
    oldest = timezone.now() - timedelta(days=LISTED_DAYS)
    for model in visible_to(user):
        may_change = user.has_perm(permission(model, "change"))
        found += [Problem(model, row, "failed", row.failed_at, may_change) for row in _failed(model, oldest)]
        stuck = model.objects.stuck().order_by("due_at")[: LISTED + 1]
        found += [Problem(model, row, "stuck", row.due_at, may_change) for row in stuck]
    found.sort(key=lambda each: each.since, reverse=True)
    found.sort(key=lambda each: each.model.reports_to_user and each.state == "failed")
    return found[:LISTED], len(found) > LISTED


def _failed(model: Any, oldest: datetime) -> list[Any]:
    """Return the newest failed rows that were not dismissed, of the newest ``MAX_FAILED``."""
    newest = model._base_manager.filter(failed_at__gt=oldest).order_by("-failed_at")
    failed_at = dict(newest.values_list("pk", "failed_at")[:MAX_FAILED])
    if not failed_at:
        return []
    # Not as a condition of the query: Postgres would read all dismissals.
    dismissals = DismissedJob.objects.filter(table=model._meta.label_lower, row__in=list(failed_at)).order_by()
    for pk, at in dismissals.values_list("row", "at"):
        if at >= failed_at[pk]:
            del failed_at[pk]
    return list(newest.filter(pk__in=list(failed_at)[: LISTED + 1]))


def bounded(count: int) -> str:
    """Return the text of a count that stops after ``MANY``."""
    return f"more than {MANY:,}" if count > MANY else f"{count:,}"


@dataclass(frozen=True)
class Queue:
    """The state of one job table. ``done`` is the number of rows finished within the last hour."""

    name: str
    waiting: int
    oldest: datetime | None
    done: int

    @property
    def waiting_text(self) -> str:
        return bounded(self.waiting)

    @property
    def done_text(self) -> str:
        return bounded(self.done)


def queues(user: Any) -> list[Queue]:
    """Return the queues that ``user`` may see. Rows that are deleted when they are done are not counted as done."""
    return [_queue(model) for model in visible_to(user)]


def _queue(model: Any) -> Queue:
    due = model._base_manager.filter(done_at=None, failed_at=None, due_at__lte=timezone.now())
    newest = model._base_manager.order_by("-pk")[: MANY + 1]
    done = Q(done_at__gt=timezone.now() - timedelta(hours=1))
    return Queue(
        name=str(capfirst(model._meta.verbose_name_plural)),
        waiting=due.order_by()[: MANY + 1].count(),
        oldest=due.order_by("due_at").values_list("due_at", flat=True).first(),
        done=newest.aggregate(count=Count("pk", filter=done))["count"],
    )
