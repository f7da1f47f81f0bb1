"""How trends look in the API where that is not one model's serializer."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from .models import Change, Revision, Trend
from .querysets import TrendQuerySet

RADAR_GROUPS = 300  # more points cannot be told apart on a chart
COUNT_STATES = 20  # of a trend, the present one included


def summary(trends: TrendQuerySet) -> dict[str, Any]:
    """Return the totals of ``trends`` and their groups, as TrendSummarySerializer declares them."""
    groups = list(trends.summary())
    totals = {name: sum(group[name] for group in groups) for name in ("count", "publications", "patents")}
    return {**totals, "groups": groups}


def radar(trends: TrendQuerySet) -> dict[str, Any]:
    """Return the groups with most ``trends`` and the number of all groups, as RadarSerializer declares them."""
    groups = trends.radar()
    return {"groups": list(groups[:RADAR_GROUPS]), "total_groups": groups.count()}


def counts_over_time(trend_ids: Collection[int]) -> dict[str, list[list[int | None]]]:
    """Return the publications and patents of each trend over time, by its id: the present state is last.

    Only the last ``COUNT_STATES`` states are included. Trends that do not exist are left out.
    """
    columns = ("total_count_of_publications", "total_count_of_patents")
    present = Trend.objects.filter(pk__in=trend_ids).values_list("pk", *columns)
    counts: dict[int, list[list[int | None]]] = {pk: [] for pk, *_ in present}
    for state in Change.objects.latest_counts_of(list(counts), states=COUNT_STATES - 1):
        counts[state["history_of"]].append([state[f"before__{name}"] for name in columns])
    for pk, *values in present:
        counts[pk].append(values)
    return {str(pk): states for pk, states in counts.items()}


def last_import() -> dict[str, Any] | None:
    """Return when the last import stored its rows, what it did, and the instant just before it; None without one."""
    revision = Revision.objects.last_import()
    if revision is None:
        return None
    run = revision.run
    before = revision.at - timedelta(microseconds=1)
    return {"at": revision.at, "before": before, "created": run.created, "updated": run.updated}
