"""The checks of everything that Atrium needs, for ``manage.py doctor`` and the dashboard."""

import smtplib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.core.mail import get_connection
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from config.cache.redis import redis_client
from config.celery import app as celery_app
from config.http import health
from config.ops import scheduled_backups
from config.text import BLANK_IN_POSTGRES

from .jobs import MANY, bounded, job_tables

# Earlier versions accepted texts that display nothing, such as U+3164, in these columns.
ONCE_BLANK = (("messaging.Message", "body"), ("accounts.User", "first_name"), ("accounts.User", "last_name"))


@dataclass(frozen=True)
class Check:
    """A part of Atrium: ``run`` returns what is known of it, or raises; ``command`` is what to try then."""

    name: str
    run: Callable[[], str]
    command: str = "python manage.py doctor"
    scans_tables: bool = False  # too slow for a page


@dataclass(frozen=True)
class Result:
    """The result of a check; ``seen_at`` is when the part last worked, if that is known."""

    name: str
    ok: bool
    text: str
    command: str
    seen_at: datetime | None = None


def run_all(*, for_page: bool = False) -> list[Result]:
    """Run every check, or those that are fast enough for a page. Never raises."""
    return [_run(check) for check in CHECKS if not (for_page and check.scans_tables)]


def _run(check: Check) -> Result:
    key = f"doctor:{check.name}"
    try:
        text, now = check.run(), timezone.now()
        cache.set(key, now, None)
        return Result(check.name, True, text, check.command, now)
    except Exception as error:  # any failure is the result; the other checks still run
        text = (str(error).strip().splitlines() or [""])[0][:300] or type(error).__name__
        return Result(check.name, False, text, check.command, cache.get(key))


def check_pending_migrations() -> str:
    executor = MigrationExecutor(connection)
    pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if pending:
        raise RuntimeError(f"{len(pending)} pending, first {pending[0][0]}; run manage.py migrate")
    return "all applied"


def check_redis_memory() -> str:
    memory: Any = redis_client().info("memory")
    policy, limit = memory["maxmemory_policy"], memory["maxmemory"]
    if limit and policy != "noeviction":
        raise RuntimeError(f"Redis evicts keys; set maxmemory-policy to noeviction, not {policy}")
    return f"{memory['used_memory'] / 1e6:.0f} of {limit / 1e6:.0f} MB" if limit else "no limit"


def check_broker() -> str:
    with celery_app.connection_for_write() as broker:
        broker.ensure_connection(max_retries=1, timeout=3)
        return broker.transport.driver_type


def check_mail() -> str:
    if settings.EMAIL_BACKEND == "config.mail.FileBackend":
        Path(settings.MAIL_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
        return f"saved as files in {settings.MAIL_DIR}; set EMAIL_URL to send e-mails"
    try:
        with get_connection(fail_silently=False, timeout=5):
            return f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT} answers"
    except (TimeoutError, OSError, smtplib.SMTPException) as error:
        raise RuntimeError(f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}: {error}") from error


def check_tables() -> str:
    """Name the three largest tables with their size on the disk; indexes included."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_size_pretty(size) FROM (SELECT relname, pg_total_relation_size(oid) AS size"
            " FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace) AS tables"
            " ORDER BY size DESC LIMIT 3"
        )
        return "the largest: " + ", ".join(f"{name} {size}" for name, size in cursor.fetchall())


def check_beat() -> str:
    enabled = PeriodicTask.objects.filter(enabled=True)
    last = enabled.order_by("-last_run_at").exclude(last_run_at=None).values_list("last_run_at", flat=True).first()
    if last is None:
        raise RuntimeError("no periodic task has run yet; is the beat process running?")
    # Beat saves the last run times every few minutes at the latest, and when it stops.
    age = timezone.now() - last
    if age > timedelta(minutes=5):
        raise RuntimeError(
            f"the last periodic task ran {int(age.total_seconds() // 60)} minutes ago; is the beat process running?"
        )
    return f"{enabled.count()} periodic tasks, last run {int(age.total_seconds())} s ago"


def check_stuck_rows() -> str:
    tables = job_tables()
    counts = [(model, model.objects.stuck().order_by()[: MANY + 1].count()) for model in tables]
    if stuck := [_counted(model, count) for model, count in counts if count]:
        raise RuntimeError(", ".join(stuck))
    return f"none in {len(tables)} job tables"


def check_failed_rows() -> str:
    """Fail for jobs that the operator must look at; mention those whose users were notified (invalid files)."""
    failed, reported = _failed_since(timezone.now() - timedelta(days=1))
    if failed:
        raise RuntimeError(f"in the last 24 hours: {failed}")
    return "none in the last 24 hours" + (f" (users were notified of: {reported})" if reported else "")


def _failed_since(since: datetime) -> tuple[str, str]:
    """Count failed rows by table: those for the operator, and those that users were notified of."""
    counts: dict[bool, list[str]] = {False: [], True: []}
    for model in job_tables():
        if count := model._base_manager.filter(failed_at__gt=since).order_by()[: MANY + 1].count():
            counts[model.reports_to_user].append(_counted(model, count))
    return ", ".join(counts[False]), ", ".join(counts[True])


def _counted(model: Any, count: int) -> str:
    return f"{bounded(count)} {model._meta.verbose_name if count == 1 else model._meta.verbose_name_plural}"


def check_blank_texts() -> str:
    """Mention stored texts that would be refused today because they display nothing. Nothing depends on them."""
    found = []
    for label, field in ONCE_BLANK:
        rows = apps.get_model(label)._base_manager.filter(**{f"{field}__regex": BLANK_IN_POSTGRES})
        if count := rows.exclude(**{field: ""}).count():
            found.append(f"{count} {label} with an invisible {field}")
    return f"of an earlier version: {', '.join(found)}" if found else "none"


CHECKS = (
    Check("postgres", health.check_postgres, 'pg_isready -d "$DATABASE_URL"'),
    Check("migrations", check_pending_migrations, "python manage.py migrate"),
    Check("table sizes", check_tables),
    Check("redis", health.check_redis, 'redis-cli -u "$REDIS_URL" ping'),
    Check("redis memory", check_redis_memory, 'redis-cli -u "$REDIS_URL" config set maxmemory-policy noeviction'),
    Check("broker", check_broker, "celery -A config inspect ping"),
    Check("storage", health.check_storage, 'df -h "$ATRIUM_HOME"'),
    Check("mail", check_mail, "python manage.py sendtestemail you@example.org"),
    Check("worker", health.check_worker, "python -m config.ops.processes worker"),
    Check("beat", check_beat, "python -m config.ops.processes beat"),
    Check("stuck rows", check_stuck_rows, "python -m config.ops.processes worker"),
    Check("failed rows", check_failed_rows),
    Check("backup", scheduled_backups.check, "python manage.py backup FOLDER"),
    Check("blank texts", check_blank_texts, scans_tables=True),
)
