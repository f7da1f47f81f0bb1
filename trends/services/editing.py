"""Create, change and delete trends."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from rest_framework.exceptions import NotFound

from config.api.errors import Conflict

from ..models import Change, Trend
from . import revisions


class DuplicateTrend(Conflict):
    default_detail = "A trend with the same ten values is already stored."
    default_code = "duplicate"


@transaction.atomic
def save_trend(*, trend: Trend, changed: list[str] | None = None) -> Trend:
    """Save a new trend, or the ``changed`` columns of a stored one, and record the change.

    Raises DuplicateTrend, and NotFound if the stored trend has been deleted.
    """
    if changed == []:
        return trend
    revision = revisions.open_revision()
    if changed is not None:
        if not Trend.objects.select_for_update(no_key=True).filter(pk=trend.pk).exists():
            raise NotFound
        revisions.record_earlier_values(revision, [trend.pk], kind=Change.Kind.UPDATED)
        trend.uploaded_at, trend.run = Now(), None  # the values are not those of an import any more
        changed = [*changed, "uploaded_at", "run"]
    try:
        with transaction.atomic():
            trend.save(update_fields=changed)
    except IntegrityError as error:
        if "trend_once" in str(error):
            raise DuplicateTrend from error
        raise
    if changed is None:
        revisions.record_created(revision, trend.pk)
    else:
        trend.refresh_from_db(fields=["uploaded_at"])
    revisions.publish_revision(revision)
    return trend


def create_trend(*, values: dict[str, Any]) -> Trend:
    """Create a trend; raises DuplicateTrend."""
    return save_trend(trend=Trend(**values))


@transaction.atomic
def update_trend(*, trend_id: int, values: dict[str, Any]) -> Trend:
    """Change some columns of a trend; raises DuplicateTrend, and NotFound if it has been deleted."""
    trend = Trend.objects.select_for_update(no_key=True).filter(pk=trend_id).first()
    if trend is None:
        raise NotFound
    changed = [name for name, value in values.items() if getattr(trend, name) != value]
    for name in changed:
        setattr(trend, name, values[name])
    return save_trend(trend=trend, changed=changed) if changed else trend


@transaction.atomic
def delete_trends(*, trends: QuerySet[Trend]) -> int:
    """Delete ``trends`` and record their values; returns how many there were."""
    # Locked in the order of their ids, as an import locks them, so that the two never wait for each other.
    rows = Trend.objects.filter(pk__in=trends.order_by().values("pk")).order_by("pk").select_for_update()
    ids = list(rows.values_list("pk", flat=True))
    if not ids:
        return 0
    revision = revisions.open_revision()
    revisions.record_earlier_values(revision, ids, kind=Change.Kind.DELETED)
    Trend.objects.filter(pk__in=ids).delete()
    revisions.publish_revision(revision)
    return len(ids)
