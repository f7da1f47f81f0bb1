import smtplib
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.mail import get_connection
from django.core.management.base import BaseCommand
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from django_celery_beat.models import PeriodicTask

from config import health
from config.celery import app as celery_app
from config.claims import Job


class Command(BaseCommand):
    help = "Check every part that Atrium needs: a line each, and exit code 1 if one is not well."
    requires_system_checks = ()
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        checks: dict[str, Callable[[], str]] = {
            "postgres": health.check_postgres,
            "migrations": self.about_migrations,
            "redis": health.check_redis,
            "broker": self.about_broker,
            "storage": health.check_storage,
            "mail": self.about_mail,
            "worker": health.check_worker,
            "beat": self.about_beat,
            "stuck rows": self.about_stuck_rows,
            "failed rows": self.about_failed_rows,
        }
        ill = 0
        for name, check in checks.items():
            try:
                word, said = self.style.SUCCESS("ok  "), check()
            except Exception as error:  # each part fails in its own way, and the others still have to be asked
                word, said = self.style.ERROR("FAIL"), str(error).strip().splitlines()[0][:300] or type(error).__name__
                ill += 1
            self.stdout.write(f"{word}  {name:<12} {said}")
        if ill:
            self.stderr.write(f"{ill} of {len(checks)} are not well.")
            raise SystemExit(1)

    @staticmethod
    def about_migrations() -> str:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if pending:
            raise RuntimeError(f"{len(pending)} are pending, the first is {pending[0][0]}; run manage.py migrate")
        return "all applied"

    @staticmethod
    def about_broker() -> str:
        with celery_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=3)
            return broker.transport.driver_type

    @staticmethod
    def about_mail() -> str:
        if settings.EMAIL_BACKEND == "config.mail.FileBackend":
            Path(settings.MAIL_DIR).mkdir(mode=0o700, parents=True, exist_ok=True)
            return f"written to files in {settings.MAIL_DIR}; set EMAIL_URL to send it"
        try:
            with get_connection(fail_silently=False, timeout=5):
                return f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT} answers"
        except (TimeoutError, OSError, smtplib.SMTPException) as error:
            raise RuntimeError(f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}: {error}") from error

    @staticmethod
    def about_beat() -> str:
        enabled = PeriodicTask.objects.filter(enabled=True)
        last = enabled.order_by("-last_run_at").exclude(last_run_at=None).values_list("last_run_at", flat=True).first()
        if last is None:
            raise RuntimeError("it has never run a periodic task; is the beat process running?")
        # Beat writes the last runs down every few minutes at the latest, and on stopping.
        age = timezone.now() - last
        if age > timedelta(minutes=5):
            raise RuntimeError(f"its last periodic task was {int(age.total_seconds() // 60)} minutes ago")
        return f"{enabled.count()} periodic tasks, the last one {int(age.total_seconds())} s ago"

    @staticmethod
    def about_stuck_rows() -> str:
        stuck = {model._meta.verbose_name: model.objects.stuck().count() for model in _job_tables()}
        if any(stuck.values()):
            raise RuntimeError(", ".join(f"{count} {name}" for name, count in stuck.items() if count))
        return f"none in {len(stuck)} tables of work"

    @staticmethod
    def about_failed_rows() -> str:
        """Files that were no good are the matter of whoever handed them in: said, and no failure here."""
        failed, reported = _failed_since(timezone.now() - timedelta(days=1))
        if failed:
            raise RuntimeError(f"in the last day: {failed}")
        return "none in the last day" + (f", but for what people were told of: {reported}" if reported else "")


def _failed_since(since: datetime) -> tuple[str, str]:
    """The failed rows that are the operator's to look at, and those that people were told of, each counted by table."""
    counts: dict[bool, list[str]] = {False: [], True: []}
    for model in _job_tables():
        if count := model._base_manager.filter(failed_at__gt=since).count():
            counts[model.is_reported].append(f"{count} {model._meta.verbose_name}")
    return ", ".join(counts[False]), ", ".join(counts[True])


def _job_tables() -> list[Any]:
    return [model for model in apps.get_models() if issubclass(model, Job)]
