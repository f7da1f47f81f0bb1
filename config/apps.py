from django.apps import AppConfig
from django.db.models.signals import post_migrate

from . import celery


class ConfigConfig(AppConfig):
    """The plumbing's own app: the rows, tasks, commands and templates that belong to no domain."""

    name = "config"
    verbose_name = "Service"
    # Made while the first app loads, so that every app's shared tasks belong to it.
    celery_app = celery.app

    def ready(self) -> None:
        from . import health, pulse, schedule

        health.report_worker_heartbeats()
        pulse.install()
        post_migrate.connect(schedule.install, sender=self)
