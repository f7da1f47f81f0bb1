from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ConfigConfig(AppConfig):
    """The plumbing's own app: the rows, tasks, commands and templates that belong to no domain."""

    name = "config"
    verbose_name = "Service"

    def ready(self) -> None:
        from . import health, pulse, schedule

        health.report_worker_heartbeats()
        pulse.install()
        post_migrate.connect(schedule.install, sender=self)
