"""The Prometheus metrics of the whole site: queues, events, connections, Redis, backups and disk.

Every web process exports the same figures, so rules take their maximum. They cost one query and a few commands to Redis
and are computed at most once in ``CACHED_SECONDS`` in each process.
"""

import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.conf import settings
from django.db import Error, connection
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from config.cache.redis import guarded, redis_client
from config.jobs.job import MAX_BACKOFF, Job
from config.realtime import redis_keys

from . import health, task_metrics

CACHED_SECONDS = 5.0
MAX_COUNT = 100_000  # rows that are counted of a table; a longer queue costs no more
# Tables whose rows send one mail. A mail that the server does not accept now is due again every few seconds, so only
# its creation tells for how long it has been waiting.
MAILS = ("config.OutgoingMail", "accounts.AccountLink", "accounts.Invitation")

# Rows of (figure, label, value). Unfinished rows that are due, are being processed, or wait for their next attempt.
_QUEUE = """
SELECT 'waiting', '{kind}', count(*)::float8 FROM (SELECT 1 FROM {waiting} LIMIT {limit}) AS rows
UNION ALL SELECT 'late', '{kind}', coalesce(extract(epoch FROM now() - min(due_at)), 0)
FROM (SELECT due_at FROM {table} WHERE {unfinished} AND due_at <= now() ORDER BY due_at LIMIT 1) AS first
"""
_MAIL = """
SELECT 'mail', '{kind}', coalesce(extract(epoch FROM now() - min(created_at)), 0)
FROM (SELECT created_at FROM {waiting} LIMIT {limit}) AS rows
"""
_UNFINISHED = "done_at IS NULL AND failed_at IS NULL"
_REST = """
SELECT 'events', '', count(*) FROM (SELECT 1 FROM config_outgoingevent LIMIT {limit}) AS rows
UNION ALL SELECT 'event_lag', '', coalesce(extract(epoch FROM now() - min(created_at)), 0)
FROM (SELECT created_at FROM config_outgoingevent ORDER BY id LIMIT 1) AS first
UNION ALL SELECT 'connections', coalesce(state, 'unknown'), count(*) FROM pg_stat_activity
WHERE datid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend' GROUP BY 2
UNION ALL SELECT 'max_connections', '', current_setting('max_connections')::float8
UNION ALL SELECT 'backup_age', '', extract(epoch FROM now() - max(created_at)) FROM config_backup
WHERE done_at IS NOT NULL HAVING max(created_at) IS NOT NULL
UNION ALL (SELECT 'backup_success', '', (failed_at IS NULL)::int FROM config_backup
WHERE done_at IS NOT NULL OR failed_at IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 1)
UNION ALL (SELECT 'backup_size', '', size FROM config_backup
WHERE done_at IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 1)
"""


class Figure(NamedTuple):
    """A gauge: its name after ``atrium_``, its help text, and its label."""

    name: str
    help: str
    label: str = ""


FIGURES = {
    "waiting": Figure("job_rows_waiting", "Rows that are due, in progress, or due again within a minute.", "kind"),
    "late": Figure("job_oldest_due_seconds", "For how long the oldest due row has been due.", "kind"),
    "mail": Figure("mail_oldest_seconds", "Seconds since the oldest mail that is not sent was created.", "kind"),
    "events": Figure("events_waiting", "Events that are not yet known to be in Redis."),
    "event_lag": Figure("event_lag_seconds", "Age of the oldest of these events; some seconds are normal."),
    "connections": Figure("postgres_connections", "Connections to the Postgres server, by state.", "state"),
    "max_connections": Figure("postgres_max_connections", "Connections that the Postgres server accepts."),
    "backup_age": Figure("backup_age_seconds", "Seconds since the last successful backup was requested."),
    "backup_success": Figure("backup_last_success", "1 if the last finished backup succeeded, 0 if it failed."),
    "backup_size": Figure("backup_size_bytes", "Size of the last successful backup."),
    "postgres_up": Figure("postgres_up", "1 if Postgres answered this process."),
    "redis_up": Figure("redis_up", "1 if Redis answered this process."),
    "worker_up": Figure("worker_up", "1 if a worker sent a heartbeat in the last minute."),
    "processes": Figure("events_processes", "Events processes that reported in the last seconds."),
    "streams": Figure("streams_open", "Open event streams of all events processes."),
    "redis_memory": Figure("redis_memory_bytes", "Memory that Redis uses."),
    "redis_max_memory": Figure("redis_max_memory_bytes", "Limit of that memory; 0 means no limit."),
    "redis_clients": Figure("redis_connections", "Connections to Redis."),
    "backup_scheduled": Figure("backup_scheduled", "1 if BACKUP_SCHEDULE is set."),
    "disk_free": Figure("home_free_bytes", "Free space on the disk of ATRIUM_HOME."),
    "disk_size": Figure("home_size_bytes", "Size of that disk."),
}

Sample = tuple[str, str, float]  # the key in FIGURES, the value of the label, the figure

_lock = threading.Lock()
_cached: tuple[float, bytes] | None = None  # when it expires, by time.monotonic, and the text


def exposition() -> bytes:
    """Return the metrics in Prometheus' text format, at most ``CACHED_SECONDS`` old."""
    global _cached
    with _lock:  # two scrapes at once compute them once
        if _cached is None or _cached[0] < time.monotonic():
            registry = CollectorRegistry()
            registry.register(_Collector())
            _cached = time.monotonic() + CACHED_SECONDS, generate_latest(registry)
        return _cached[1]


def forget() -> None:
    """Compute the metrics again at the next call."""
    global _cached
    _cached = None


def job_tables() -> dict[str, type[Job]]:
    """Return the job tables by the value of their label ``kind``."""
    return {task_metrics.kind_of(model): model for model in apps.get_models() if issubclass(model, Job)}


class _Collector:
    def collect(self) -> Iterator[Metric]:
        families = {key: _family(figure) for key, figure in FIGURES.items()}
        for key, label, value in (*_from_postgres(), *_from_redis(), *_from_this_machine()):
            families[key].add_metric([label] if FIGURES[key].label else [], value)
        yield from families.values()
        counts = task_metrics.stored_counts()
        if counts is None:  # zeros would look like a restart, and their end like an increase
            return
        yield from task_metrics.task_families(counts)
        failed = CounterMetricFamily(
            "atrium_job_rows_failed", "Rows that ended failed, and who learns of it.", labels=["kind", "reported_to"]
        )
        for kind, model in job_tables().items():
            reported_to = "user" if model.reports_to_user else "operator"
            failed.add_metric([kind, reported_to], counts.get(task_metrics.failed_field(kind), 0))
        yield failed

    def describe(self) -> Iterable[Any]:
        return ()


def _family(figure: Figure) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"atrium_{figure.name}", figure.help, labels=[figure.label] if figure.label else [])


def _from_postgres() -> list[Sample]:
    try:
        with connection.cursor() as cursor:
            cursor.execute(_query())
            return [("postgres_up", "", 1), *((key, label, float(value)) for key, label, value in cursor.fetchall())]
    except Error:  # an outage, a statement timeout, or a database that is not migrated yet
        return [("postgres_up", "", 0)]


@cache
def _query() -> str:
    """Return the query of all tables. All names in it are Atrium's own."""
    parts = []
    for kind, model in job_tables().items():
        table = connection.ops.quote_name(model._meta.db_table)
        soon = f"now() + interval '{MAX_BACKOFF.total_seconds():.0f} seconds'"
        waiting = f"{table} WHERE {_UNFINISHED} AND due_at <= {soon}"
        names = {"kind": kind, "table": table, "waiting": waiting, "unfinished": _UNFINISHED, "limit": MAX_COUNT}
        parts.append(_QUEUE.format(**names))
        if model._meta.label in MAILS:
            parts.append(_MAIL.format(**names))
    return " UNION ALL ".join([*parts, _REST.format(limit=MAX_COUNT)])


def _from_redis() -> list[Sample]:
    client = redis_client()

    def ask() -> list[Any]:
        with client.pipeline(transaction=False) as pipe:
            pipe.info()
            pipe.exists(health.WORKER_SEEN)
            pipe.hvals(redis_keys.PROCESSES)
            return pipe.execute()

    answers = guarded(ask)
    if answers is None:
        return [("redis_up", "", 0)]
    info, worker, processes = answers
    reports = [tuple(map(float, report.split())) for report in processes]
    streams = [number for at, number in reports if at > time.time() - redis_keys.PROCESS_SECONDS]
    return [
        ("redis_up", "", 1), ("worker_up", "", worker),
        ("processes", "", len(streams)), ("streams", "", sum(streams)),
        ("redis_memory", "", info["used_memory"]), ("redis_max_memory", "", info.get("maxmemory", 0)),
        ("redis_clients", "", info["connected_clients"]),
    ]  # fmt: skip


def _from_this_machine() -> list[Sample]:
    disk = shutil.disk_usage(settings.ATRIUM_HOME if settings.ATRIUM_HOME.exists() else settings.BASE_DIR)
    return [
        ("backup_scheduled", "", bool(settings.BACKUP_SCHEDULE)),
        ("disk_free", "", disk.free), ("disk_size", "", disk.total),
    ]  # fmt: skip
