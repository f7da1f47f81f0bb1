"""Periodic tasks are installed by migrate and keep what an administrator has changed."""

from typing import Any

import pytest
from celery import current_app
from django.apps import apps
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config.jobs import schedule
from config.jobs.job import ImportJob, Job
from config.ops import processes

pytestmark = pytest.mark.django_db

JOBS = [model for model in apps.get_models() if issubclass(model, Job)]


@pytest.fixture
def a_week() -> IntervalSchedule:
    return IntervalSchedule.objects.create(every=7, period=IntervalSchedule.DAYS)


def test_every_declared_task_has_a_row_and_is_registered_with_the_worker(settings: Any) -> None:
    current_app.loader.import_default_modules()
    for name, (task, seconds) in settings.PERIODIC_TASKS.items():
        row = PeriodicTask.objects.get(name=name)
        assert (row.task, row.interval.every, row.enabled) == (task, seconds, True)
        assert task in current_app.tasks


@pytest.mark.parametrize("model", JOBS, ids=lambda model: model._meta.label)
def test_every_job_names_a_task_that_is_registered_routed_and_swept(model: type[Job], settings: Any) -> None:
    current_app.loader.import_default_modules()
    assert model.task in current_app.tasks
    queue = current_app.amqp.router.route({}, model.task)["queue"].name
    commands = processes.worker(), processes.webhooks()
    assert queue in {name for each in commands for name in each[each.index("--queues") + 1].split(",")}
    assert queue == "imports" or not issubclass(model, ImportJob), "long imports have a queue of their own"
    assert model.task in {task for task, _ in settings.PERIODIC_TASKS.values()}


def test_a_changed_interval_and_a_paused_task_are_kept(settings: Any, a_week: IntervalSchedule) -> None:
    row = PeriodicTask.objects.get(name=next(iter(settings.PERIODIC_TASKS)))
    row.interval = a_week
    row.enabled = False
    row.save()
    schedule.install()
    row.refresh_from_db()
    assert (row.interval, row.enabled) == (a_week, False)


def test_a_task_with_a_new_name_keeps_its_row_and_interval(settings: Any, a_week: IntervalSchedule) -> None:
    name, (task, _) = next(iter(settings.PERIODIC_TASKS.items()))
    PeriodicTask.objects.filter(task=task).update(name="its name in an earlier version", interval=a_week)
    schedule.install()
    row = PeriodicTask.objects.get(task=task)
    assert (row.name, row.interval) == (name, a_week)


def test_a_second_row_that_an_administrator_made_for_a_task_is_kept(settings: Any, a_week: IntervalSchedule) -> None:
    task = next(iter(settings.PERIODIC_TASKS.values()))[0]
    PeriodicTask.objects.create(name="every week too", task=task, interval=a_week)
    schedule.install()
    assert PeriodicTask.objects.filter(task=task).count() == 2
    assert PeriodicTask.objects.filter(name="every week too").exists()


def test_a_task_that_is_no_longer_declared_is_deleted_and_an_administrators_own_task_is_kept() -> None:
    every = IntervalSchedule.objects.first()
    PeriodicTask.objects.create(name="old", task="config.tasks.gone", interval=every)
    PeriodicTask.objects.create(name="own", task="celery.backend_cleanup", interval=every)
    schedule.install()
    assert not PeriodicTask.objects.filter(name="old").exists()
    assert PeriodicTask.objects.filter(name="own").exists()
