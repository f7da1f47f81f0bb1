"""What the dashboard writes: retries and dismissals of job rows, and the daily figures."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.module_loading import import_string

from config import audit
from config.jobs.enqueue import enqueue
from config.jobs.job import ImportJob
from config.models import DismissedJob, Figure

from .figures import DAYS, FIGURES
from .jobs import LISTED_DAYS

KEPT = timedelta(days=400)  # for figures
MAX_COUNTED = 5_000_000  # rows; larger tables are estimated
MAX_RECORDED_IDS = 100  # of one action in the audit log


@transaction.atomic
def retry_jobs(*, model: Any, ids: Sequence[int]) -> int:
    """Retry failed rows with the service of their model, wake the worker for stuck ones; returns how many rows."""
    rows = model.objects.filter(pk__in=ids)
    stuck = rows.stuck().count()
    if stuck:
        enqueue(model)
    failed = rows.exclude(failed_at=None)
    count = stuck + (import_string(model.retry_service)(failed) if model.retry_service else 0)
    if count:
        audit.record("jobs_retried", details=_details(model, ids))
    return count


@transaction.atomic
def dismiss_jobs(*, model: Any, ids: Sequence[int]) -> int:
    """Remove failed rows from the list of the dashboard; the rows themselves stay. Returns how many."""
    failed = model._base_manager.filter(pk__in=ids).exclude(failed_at=None).values_list("pk", flat=True)
    rows = [DismissedJob(table=model._meta.label_lower, row=pk, at=timezone.now()) for pk in failed]
    DismissedJob.objects.bulk_create(rows, update_conflicts=True, unique_fields=["table", "row"], update_fields=["at"])
    if rows:
        audit.record("jobs_dismissed", details=_details(model, [row.row for row in rows]))
    return len(rows)


def _details(model: Any, ids: Sequence[int]) -> dict[str, Any]:
    return {"model": model._meta.label_lower, "ids": [str(pk) for pk in ids[:MAX_RECORDED_IDS]], "count": len(ids)}


@transaction.atomic
def record_figures() -> int:
    """Store today's figures, with an estimated history where there is none; delete what is too old."""
    today = timezone.now().date()
    rows: list[Figure] = []
    for figure in FIGURES:
        values = _history(figure.name, today)
        values[today] = sum(_count(model) for model, _ in _models(figure.name))
        rows += [Figure(day=day, name=figure.name, value=value) for day, value in values.items()]
    Figure.objects.bulk_create(rows, update_conflicts=True, unique_fields=["day", "name"], update_fields=["value"])
    Figure.objects.filter(day__lt=today - KEPT).delete()
    DismissedJob.objects.filter(at__lt=Now() - timedelta(days=LISTED_DAYS + 1)).delete()
    return len(rows)


def _models(name: str) -> list[tuple[Any, str]]:
    """Return the models that a figure counts, each with its column of the creation time."""
    [figure] = [each for each in FIGURES if each.name == name]
    if figure.model:
        return [(apps.get_model(figure.model), figure.created)]
    return [(model, figure.created) for model in apps.get_models() if issubclass(model, ImportJob)]


def _history(name: str, today: date) -> dict[date, int]:
    """Return how many of today's rows were created before the end of each past day, for a figure without history."""
    if Figure.objects.filter(name=name).exists():
        return {}
    values: dict[date, int] = {}
    for model, created in _models(name):
        if _estimate(model) > MAX_COUNTED:
            return {}
        days = [today - timedelta(days=back) for back in range(1, DAYS)]
        ends = {
            day: datetime.combine(day + timedelta(days=1), time.min, timezone.get_default_timezone()) for day in days
        }
        counted = {f"d{day:%Y%m%d}": Count("pk", filter=Q(**{f"{created}__lt": end})) for day, end in ends.items()}
        result = model._base_manager.aggregate(**counted)
        for day in days:
            values[day] = values.get(day, 0) + result[f"d{day:%Y%m%d}"]
    return values


def _count(model: Any) -> int:
    estimate = _estimate(model)
    return estimate if estimate > MAX_COUNTED else model._base_manager.count()


def _estimate(model: Any) -> int:
    """Return how many rows Postgres believes that the table has; -1 if it does not know."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [model._meta.db_table])
        return int(cursor.fetchone()[0])
