"""Durations and failures of Celery tasks, and failed job rows: counted in Redis by the workers, for ``/metrics/``."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from celery.signals import task_postrun, task_prerun
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

from config.cache.redis import guarded, redis_client
from config.jobs import runner
from config.jobs.job import Job

KEY = "atrium:tasks:metrics"
BUCKETS = (0.01, 0.1, 1.0, 10.0, 60.0, 600.0)  # seconds; the last bucket, +Inf, is every run

_started = "_atrium_started_at"  # attribute of a task's request


def count_in_this_process() -> None:
    """Count the tasks and failed job rows of this process from now on."""
    task_prerun.connect(_note_start, dispatch_uid="atrium.task_metrics.start")
    task_postrun.connect(_count_run, dispatch_uid="atrium.task_metrics.run")
    runner.row_failed.connect(_count_failed_row, dispatch_uid="atrium.task_metrics.failed")


def kind_of(model: type[Job]) -> str:
    """Return the value of the label ``kind`` of a job table, such as ``outgoing_mail``."""
    return str(model._meta.verbose_name).lower().replace(" ", "_")


def failed_field(kind: str) -> str:
    return f"row {kind} failed"


def stored_counts() -> dict[str, int] | None:
    """Return the counts by field; None while Redis is away."""
    client = redis_client()
    stored: Mapping[bytes, bytes] | None = guarded(lambda: client.hgetall(KEY))
    return None if stored is None else {name.decode(): int(value) for name, value in stored.items()}


def task_families(counts: Mapping[str, int]) -> Iterator[Metric]:
    """Build the metrics of tasks from ``counts``, whose fields are ``task <name> <what>``."""
    names = {field.split()[1] for field in counts if field.startswith("task ")}
    seconds = HistogramMetricFamily("atrium_task_seconds", "The time that runs of a task took.", labels=["task"])
    failures = CounterMetricFamily("atrium_task_failures", "Runs of a task that raised an error.", labels=["task"])
    for task in sorted(names):
        buckets, total = [], 0
        for bound in (*map(str, BUCKETS), "+Inf"):
            total += counts.get(f"task {task} {bound}", 0)
            buckets.append((bound, total))
        seconds.add_metric([task], buckets, counts.get(f"task {task} ms", 0) / 1000)
        failures.add_metric([task], counts.get(f"task {task} failed", 0))
    yield seconds
    yield failures


def _note_start(task: Any, **_: Any) -> None:
    setattr(task.request, _started, time.perf_counter())


def _count_run(task: Any, state: str | None = None, **_: Any) -> None:
    started = getattr(task.request, _started, None)
    if started is None:
        return
    seconds = time.perf_counter() - started
    bound = next((str(bound) for bound in BUCKETS if seconds <= bound), "+Inf")
    fields = {f"task {task.name} {bound}": 1, f"task {task.name} ms": round(seconds * 1000)}
    if state == "FAILURE":
        fields[f"task {task.name} failed"] = 1
    _add(fields)


def _count_failed_row(sender: type[Job], **_: Any) -> None:
    _add({failed_field(kind_of(sender)): 1})


def _add(fields: Mapping[str, int]) -> None:
    """Add to the counts. Does nothing while Redis is away."""

    def add() -> None:
        with redis_client().pipeline(transaction=False) as pipe:
            for name, number in fields.items():
                pipe.hincrby(KEY, name, number)
            pipe.execute()

    guarded(add)
