"""The Prometheus metrics of webhooks: attempts, counted in Redis by the workers, and what waits, from Postgres."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import DatabaseError, InterfaceError, connection
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from config.cache.redis import guarded, redis_client

from .sending import Outcome

KEY = "atrium:webhooks:metrics"
RESULTS = ("accepted", "refused", "no_answer")


def count_attempts(outcomes: Sequence[Outcome]) -> None:
    """Count attempts by result, and their milliseconds. Does nothing while Redis is away."""
    counts = Counter(map(_result, outcomes))
    counts["ms"] = sum(outcome.duration_ms for outcome in outcomes)

    def add() -> None:
        with redis_client().pipeline() as pipe:
            for name, number in counts.items():
                pipe.hincrby(KEY, name, number)
            pipe.execute()

    guarded(add)


def exposition() -> bytes:
    """Return the metrics in Prometheus' text format."""
    registry = CollectorRegistry()
    registry.register(_Collector())
    return generate_latest(registry)


def _result(outcome: Outcome) -> str:
    if not outcome.error:
        return "accepted"
    return "no_answer" if outcome.status is None else "refused"


class _Collector:
    def collect(self) -> Iterator[Metric]:
        client = redis_client()
        stored: dict[bytes, bytes] = guarded(lambda: client.hgetall(KEY)) or {}
        counts = {name.decode(): int(value) for name, value in stored.items()}
        attempts = CounterMetricFamily(
            "atrium_webhook_attempts", "Attempts to send a webhook delivery, by result.", labels=["result"]
        )
        for result in RESULTS:
            attempts.add_metric([result], counts.get(result, 0))
        yield attempts
        yield CounterMetricFamily(
            "atrium_webhook_attempt_seconds", "The time that attempts took.", value=counts.get("ms", 0) / 1000
        )
        try:
            waiting, late = _waiting()
        except (DatabaseError, InterfaceError):
            return  # the other metrics are needed most while Postgres is away
        yield GaugeMetricFamily("atrium_webhook_deliveries_waiting", "Deliveries that are not finished.", value=waiting)
        yield GaugeMetricFamily(
            "atrium_webhook_late_seconds", "For how long the oldest due delivery has been due.", value=late
        )

    def describe(self) -> Iterable[Any]:
        return ()


def _waiting() -> tuple[int, float]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), coalesce(extract(epoch FROM now() - min(due_at) FILTER (WHERE due_at <= now())), 0) "
            "FROM config_webhookdelivery WHERE done_at IS NULL AND failed_at IS NULL"
        )
        number, late = cursor.fetchone()
        return number, float(late)
