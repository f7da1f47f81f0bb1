"""Sign-ins by hour, locked sign-ins, the slowest endpoints, and the disk."""

import json
import os
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import prometheus_client
from axes.models import AccessAttempt
from django.conf import settings
from django.db import connection
from django.db.models import Max
from django.utils import timezone
from prometheus_client import multiprocess

HOURS = 24
MAX_RECORDS = 10_000  # of each kind: bounds the time of the query
MAX_ATTEMPTS = 5_000
COUNT_BY_HOUR = """
SELECT floor(extract(epoch FROM at - %(since)s) / 3600)::int, count(*)
FROM (SELECT at FROM config_auditrecord WHERE kind = %(kind)s ORDER BY id DESC LIMIT %(limit)s) AS newest
WHERE at >= %(since)s GROUP BY 1
"""
LATENCY = "django_http_requests_latency_seconds_by_view_method"
SLOWEST = 5
LEAST_REQUESTS = 5


@dataclass(frozen=True)
class SignIns:
    """Sign-ins and failures of the last day; ``chart`` is the data of a bar chart, by hour.

    If ``is_partial``, there are more than ``MAX_RECORDS`` of a kind, and only the newest ones are counted.
    """

    chart: str
    succeeded: int
    failed: int
    is_partial: bool


def sign_ins() -> SignIns:
    """Count the sign-ins of the last 24 hours."""
    now = timezone.localtime().replace(minute=0, second=0, microsecond=0)
    hours = [now - timedelta(hours=back) for back in reversed(range(HOURS))]
    good = _by_hour("login", hours)
    bad = [a + b for a, b in zip(_by_hour("login_failed", hours), _by_hour("mfa_failed", hours), strict=True)]
    beside = {"grouped": True, "maxBarThickness": 10}  # django-unfold draws one bar over the other
    chart = {
        "labels": [f"{hour:%H}" for hour in hours],
        "datasets": [
            {"label": "Sign-ins", "data": good, "backgroundColor": "var(--color-primary-600)", **beside},
            {"label": "Failures", "data": bad, "backgroundColor": "#c2410c", **beside},
        ],
    }
    is_partial = sum(good) >= MAX_RECORDS or sum(bad) >= MAX_RECORDS
    return SignIns(json.dumps(chart), sum(good), sum(bad), is_partial)


def _by_hour(kind: str, hours: list[datetime]) -> list[int]:
    counts = [0] * len(hours)
    with connection.cursor() as cursor:
        cursor.execute(COUNT_BY_HOUR, {"kind": kind, "since": hours[0], "limit": MAX_RECORDS})
        for index, count in cursor.fetchall():
            counts[min(index, len(hours) - 1)] += count
    return counts


def locked_sign_ins() -> list[Any]:
    """Return the places whose sign-ins in the admin are locked after too many failures. Rows expire after minutes."""
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    last = AccessAttempt.objects.aggregate(last=Max("pk"))["last"] or 0
    newest = AccessAttempt.objects.filter(pk__gt=last - MAX_ATTEMPTS, attempt_time__gt=since).order_by("-pk")
    return list(newest.filter(failures_since_start__gte=settings.AXES_FAILURE_LIMIT)[:10])


@dataclass(frozen=True)
class Endpoint:
    """The mean time of a view's requests since the web processes started."""

    view: str
    method: str
    milliseconds: float
    requests: int


def slowest_endpoints() -> list[Endpoint]:
    """Return the slowest views by mean time, from the counters that all web processes share."""
    registry: Any = prometheus_client.REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)
    sums: dict[tuple[str, str], dict[str, float]] = {}
    for family in registry.collect():
        if family.name == LATENCY:
            for sample in family.samples:
                end = sample.name.removeprefix(LATENCY)
                if end in ("_sum", "_count"):
                    key = (sample.labels["view"], sample.labels["method"])
                    series = sums.setdefault(key, {})
                    series[end] = series.get(end, 0.0) + sample.value
    found = [
        Endpoint(view, method, 1000 * each["_sum"] / each["_count"], int(each["_count"]))
        for (view, method), each in sums.items()
        if each.get("_count", 0) >= LEAST_REQUESTS
    ]
    return sorted(found, key=lambda each: -each.milliseconds)[:SLOWEST]


def disk() -> dict[str, Any]:
    """Return the use of the disk with ATRIUM_HOME."""
    usage = shutil.disk_usage(settings.ATRIUM_HOME)
    percent = round(100 * (usage.total - usage.free) / usage.total)
    return {"percent": percent, "text": f"{percent} %", "free": usage.free, "total": usage.total}
