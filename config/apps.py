from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from . import celery


class ConfigConfig(AppConfig):
    """The app of config's own models, tasks, commands and templates."""

    name = "config"
    verbose_name = "Service"
    # Created while the first app loads, so that the shared tasks of all apps belong to it.
    celery_app = celery.app

    def import_models(self) -> None:
        super().import_models()
        # Packages with models of their own, which are layers above config.models.
        import_module("config.webhooks.models")

    def ready(self) -> None:
        from .http import content_type, health, task_metrics
        from .jobs import liveness, schedule

        health.report_worker_heartbeats()
        task_metrics.count_in_this_process()
        liveness.install()
        content_type.install()
        post_migrate.connect(schedule.install, sender=self)
