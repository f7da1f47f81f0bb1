"""Periodic tasks set themselves up, and an administrator's change outlives the next migrate."""

import pytest
from celery import current_app
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from config import schedule

pytestmark = pytest.mark.django_db


def test_every_declared_task_is_there_and_known_to_the_worker(settings):
    current_app.loader.import_default_modules()
    for name, (task, seconds) in settings.PERIODIC_TASKS.items():
        row = PeriodicTask.objects.get(name=name)
        assert (row.task, row.interval.every, row.enabled) == (task, seconds, True)
        assert task in current_app.tasks


def test_a_changed_interval_and_a_paused_task_stay_so(settings):
    row = PeriodicTask.objects.get(name=next(iter(settings.PERIODIC_TASKS)))
    row.interval = IntervalSchedule.objects.create(every=7, period=IntervalSchedule.MINUTES)
    row.enabled = False
    row.save()
    schedule.install()
    row.refresh_from_db()
    assert (row.interval.every, row.enabled) == (7, False)


def test_a_task_that_is_no_longer_declared_goes_and_an_administrator_s_own_stays():
    every = IntervalSchedule.objects.first()
    PeriodicTask.objects.create(name="old", task="config.tasks.gone", interval=every)
    PeriodicTask.objects.create(name="own", task="celery.backend_cleanup", interval=every)
    schedule.install()
    assert not PeriodicTask.objects.filter(name="old").exists()
    assert PeriodicTask.objects.filter(name="own").exists()
