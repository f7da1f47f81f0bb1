"""Reads of all job tables: failed and stuck rows, and the queues. Every query reads a bounded number of rows."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.text import capfirst

from config.jobs.job import Job
from config.models import DismissedJob

LISTED = 50  # rows in "Needs attention"
LISTED_DAYS = 30  # failed rows are listed for so long
MANY = 10_000  # counts stop here


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
        dismissed = DismissedJob.objects.filter(
            table=model._meta.label_lower, row=OuterRef("pk"), at__gte=OuterRef("failed_at")
        )
        failed = model._base_manager.filter(failed_at__gt=oldest).exclude(Exists(dismissed)).order_by("-failed_at")
        found += [Problem(model, row, "failed", row.failed_at, may_change) for row in failed[: LISTED + 1]]
        stuck = model.objects.stuck().order_by("due_at")
        found += [Problem(model, row, "stuck", row.due_at, may_change) for row in stuck[: LISTED + 1]]
    found.sort(key=lambda each: each.since, reverse=True)
    found.sort(key=lambda each: each.model.reports_to_user and each.state == "failed")
    return found[:LISTED], len(found) > LISTED


@dataclass(frozen=True)
class Queue:
    """The state of one job table. ``done`` is the number of rows finished within the last hour."""

    name: str
    waiting: int
    oldest: datetime | None
    done: int

    @property
    def waiting_text(self) -> str:
        return f"more than {MANY:,}" if self.waiting > MANY else f"{self.waiting:,}"

    @property
    def done_text(self) -> str:
        return f"more than {MANY:,}" if self.done >= MANY else f"{self.done:,}"


def queues(user: Any) -> list[Queue]:
    """Return the queues that ``user`` may see. Rows that are deleted when they are done are not counted as done."""
    return [_queue(model) for model in visible_to(user)]


def _queue(model: Any) -> Queue:
    due = model._base_manager.filter(done_at=None, failed_at=None, due_at__lte=timezone.now())
    newest = model._base_manager.order_by("-pk").values_list("done_at", flat=True)[:MANY]
    hour_ago = timezone.now() - timedelta(hours=1)
    return Queue(
        name=str(capfirst(model._meta.verbose_name_plural)),
        waiting=due.order_by()[: MANY + 1].count(),
        oldest=due.order_by("due_at").values_list("due_at", flat=True).first(),
        done=sum(done_at is not None and done_at > hour_ago for done_at in newest),
    )
