"""The metrics of the whole site, and the rules and the dashboard that read them."""

import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
import yaml
from celery import shared_task
from django.apps import apps
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from config.cache import responses
from config.cache.redis import redis_client
from config.http import health, site_metrics, task_metrics
from config.jobs import runner
from config.jobs.job import Job
from config.models import Backup, OutgoingEvent, OutgoingMail
from config.realtime import redis_keys
from tests.conftest import Client, without_redis

from ..places import ROOT

FOLDER = ROOT / "deploy/monitoring"
HOUR = timedelta(hours=1)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_cached() -> Iterator[None]:
    site_metrics.forget()
    yield
    site_metrics.forget()


def families() -> dict[str, Metric]:
    site_metrics.forget()
    return {family.name: family for family in text_string_to_metric_families(site_metrics.exposition().decode())}


def value(name: str, **labels: str) -> float | None:
    """Return the value of a series of the whole site, or None if there is no such series."""
    for family in families().values():
        for sample in family.samples:
            if sample.name == f"atrium_{name}" and sample.labels == labels:
                return sample.value
    return None


def mail(**fields: Any) -> OutgoingMail:
    return OutgoingMail.objects.create(to="ada@example.org", template="x", **fields)


class TestQueues:
    def test_each_job_table_has_a_kind_of_its_own(self) -> None:
        waiting = {each.labels["kind"]: each.value for each in families()["atrium_job_rows_waiting"].samples}
        assert waiting == dict.fromkeys(site_metrics.job_tables(), 0)
        assert len(waiting) == sum(issubclass(model, Job) for model in apps.get_models())

    def test_due_rows_wait_and_finished_and_later_ones_do_not(self) -> None:
        mail(due_at=Now() - HOUR)
        mail(due_at=Now() + timedelta(seconds=30))  # in progress, or waiting for its next attempt
        mail(due_at=Now() + HOUR)
        mail(due_at=Now() - 2 * HOUR, done_at=Now())
        mail(due_at=Now() - 2 * HOUR, failed_at=Now())
        assert value("job_rows_waiting", kind="outgoing_mail") == 2
        assert value("job_oldest_due_seconds", kind="outgoing_mail") == pytest.approx(3600, abs=1)

    def test_the_age_of_a_mail_counts_from_its_creation_not_from_its_next_attempt(self) -> None:
        mail(due_at=Now() + timedelta(seconds=10), created_at=Now() - HOUR)
        assert value("job_oldest_due_seconds", kind="outgoing_mail") == 0
        assert value("mail_oldest_seconds", kind="outgoing_mail") == pytest.approx(3600, abs=1)

    def test_a_long_queue_is_counted_up_to_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(site_metrics, "MAX_COUNT", 3)
        site_metrics._query.cache_clear()
        OutgoingMail.objects.bulk_create(OutgoingMail(to="ada@example.org", template="x") for _ in range(5))
        try:
            assert value("job_rows_waiting", kind="outgoing_mail") == 3
        finally:
            site_metrics._query.cache_clear()

    @pytest.mark.django_db(transaction=True)
    def test_a_row_that_ends_failed_is_counted(self) -> None:
        def give_up(row: Any) -> None:
            raise runner.GiveUp("no such address")

        mail()
        mail()
        runner.run_due(OutgoingMail.objects.all(), give_up)
        assert value("job_rows_failed_total", kind="outgoing_mail", reported_to="operator") == 2
        assert value("job_rows_failed_total", kind="note_import", reported_to="user") == 0


@shared_task
def succeeds() -> None: ...


@shared_task
def fails() -> None:
    raise ZeroDivisionError


def test_durations_and_failures_of_tasks_are_counted() -> None:
    for task in (succeeds, succeeds, fails):
        task.apply()
    assert value("task_seconds_count", task=succeeds.name) == 2
    assert value("task_seconds_bucket", task=succeeds.name, le="10.0") == 2
    assert value("task_failures_total", task=succeeds.name) == 0
    assert value("task_failures_total", task=fails.name) == 1


def test_event_lag_is_the_age_of_the_oldest_event() -> None:
    assert (value("events_waiting"), value("event_lag_seconds")) == (0, 0)
    for age in (60, 5):
        event = OutgoingEvent.objects.create(user_ids=[1], kind="note", data="{}")
        OutgoingEvent.objects.filter(pk=event.pk).update(created_at=Now() - timedelta(seconds=age))
    assert value("events_waiting") == 2
    assert value("event_lag_seconds") == pytest.approx(60, abs=1)


def test_streams_are_the_sum_of_the_processes_that_report() -> None:
    now = time.time()
    reports = {"a:1": f"{now:.0f} 3", "b:1": f"{now:.0f} 4", "dead:1": f"{now - redis_keys.PROCESS_SECONDS - 2:.0f} 9"}
    redis_client().hset(redis_keys.PROCESSES, mapping=reports)
    assert (value("events_processes"), value("streams_open")) == (2, 7)


def test_connections_workers_and_redis() -> None:
    assert value("worker_up") == 0
    redis_client().set(health.WORKER_SEEN, "1")
    assert value("worker_up") == 1
    assert (value("postgres_connections", state="active") or 0) >= 1
    assert (value("postgres_max_connections") or 0) > 1
    assert (value("redis_memory_bytes") or 0) > 0
    assert 0 < (value("home_free_bytes") or 0) < (value("home_size_bytes") or 0)


class TestBackups:
    def test_without_a_backup_there_is_no_age(self, settings: Any) -> None:
        settings.BACKUP_SCHEDULE = "30 2 * * *"
        assert value("backup_scheduled") == 1
        assert value("backup_age_seconds") is None
        assert value("backup_last_success") is None

    def test_a_failed_backup_keeps_the_age_of_the_last_successful_one(self) -> None:
        Backup.objects.create(created_at=Now() - 25 * HOUR, done_at=Now() - 24 * HOUR, size=7)
        assert value("backup_last_success") == 1
        Backup.objects.create(created_at=Now() - HOUR, failed_at=Now())
        Backup.objects.create()  # in progress
        assert value("backup_last_success") == 0
        assert value("backup_age_seconds") == pytest.approx(25 * 3600, abs=1)
        assert value("backup_size_bytes") == 7


class TestCachedResponses:
    @pytest.fixture
    def counted(self, api: Client) -> Callable[[], dict[str, float]]:
        """Read the list of trends and return the results of its look-ups."""

        def read() -> dict[str, float]:
            results = {name: getattr(responses, f"_{name}") for name in ("MISS", "IN_REDIS", "IN_PROCESS")}
            before = {name: counter._value.get() for name, counter in results.items()}
            assert api.get("/api/v1/trends/").status_code == 200
            after = {name: counter._value.get() - before[name] for name, counter in results.items()}
            return {name: number for name, number in after.items() if number}

        return read

    def test_each_read_is_counted_once(self, counted: Callable[[], dict[str, float]]) -> None:
        assert counted() == {"MISS": 1}
        assert counted() == {"IN_REDIS": 1}
        assert counted() == {"IN_PROCESS": 1}
        responses.local_cache.clear()
        assert counted() == {"IN_REDIS": 1}


class TestThePage:
    def test_it_costs_one_query_and_none_within_some_seconds(self) -> None:
        with CaptureQueriesContext(connection) as queries:
            first = site_metrics.exposition()
            assert len(queries) == 1
            assert site_metrics.exposition() == first
            assert len(queries) == 1

    def test_without_redis_it_shows_the_rest(self, api: Client, settings: Any) -> None:
        with without_redis(settings):
            response = api.get("/metrics/")
        assert response.status_code == 200
        assert b"atrium_redis_up 0.0" in response.content
        assert b"atrium_postgres_up 1.0" in response.content
        for name in (b"atrium_streams_open", b"atrium_job_rows_failed_total"):  # a zero would be wrong
            assert b"\n" + name not in response.content

    def test_without_postgres_it_shows_the_rest(self, api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        def away() -> str:
            raise OperationalError("connection refused")

        monkeypatch.setattr(site_metrics, "_query", away)
        response = api.get("/metrics/")
        assert response.status_code == 200
        assert b"atrium_postgres_up 0.0" in response.content
        assert b"atrium_redis_up 1.0" in response.content


# --- Rules and dashboard ----------------------------------------------------------------------------------------------


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "atrium.rules.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def dashboard() -> dict[str, Any]:
    return orjson.loads((FOLDER / "grafana-dashboard.json").read_bytes())


def expressions() -> list[str]:
    panels = [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]
    return [*(rule["expr"] for rule in alerts().values()), *panels]


@pytest.fixture
def exported(api: Client, settings: Any) -> dict[str, set[str]]:
    """The labels of each series that ``/metrics/`` shows on a site that has done something of each kind."""
    Backup.objects.create(done_at=Now())
    succeeds.apply()
    urls, settings.ROOT_URLCONF = settings.ROOT_URLCONF, "tests.config.test_middleware"
    assert api.get("/fails/").status_code == 500
    settings.ROOT_URLCONF = urls
    text = api.get("/metrics/").content.decode()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def test_every_metric_and_label_of_rules_and_dashboard_is_exported(exported: dict[str, set[str]]) -> None:
    found = 0
    for expression in expressions():
        for name, selected in re.findall(r"\b((?:atrium|django)_\w+)(?:\{([^}]*)\})?", expression):
            assert name in exported, f"{name} in {expression}"
            assert set(re.findall(r"(\w+)=~?", selected)) <= exported[name], expression
            found += 1
        if grouped := re.search(r"by \(([^)]*)\)", expression):
            labels = {label for name in re.findall(r"\b(?:atrium|django)_\w+", expression) for label in exported[name]}
            assert set(grouped[1].split(", ")) <= labels | {"instance"}, expression
    assert found > 50


def test_every_alert_has_a_paragraph_for_the_operator() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    paragraphs = dict(re.findall(r"^#### (\w+)\n\n(.+)", page, re.MULTILINE))
    assert paragraphs.keys() == alerts().keys()
    for name, rule in alerts().items():
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"
        assert len(paragraphs[name]) > 60, name


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    taken: set[tuple[int, int]] = set()
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        x, y, w, h = (panel["gridPos"][key] for key in "xywh")
        cells = {(column, line) for column in range(x, x + w) for line in range(y, y + h)}
        assert x + w <= 24 and not cells & taken, panel["title"]
        taken |= cells


def test_a_task_without_a_start_is_not_counted() -> None:
    task_metrics._count_run(succeeds)
    assert task_metrics.stored_counts() == {}
