"""Backups on a schedule: the worker makes, verifies and stores them, and deletes those that newer ones replace."""

import math
import shutil
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

from celery.schedules import crontab
from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from config.db.batches import delete_batch
from config.db.locks import try_lock
from config.jobs import runner
from config.models import Backup

from . import archives, backup

TIME_LIMIT = 6 * 3600  # seconds, for everything from the dump to the stored archive
MAX_ATTEMPTS = 3
LATE_AFTER = timedelta(hours=2)


def request_due() -> None:
    """Create the row of a backup if the schedule asks for one and none is unfinished; callers at once create one."""
    with transaction.atomic():
        if not settings.BACKUP_SCHEDULE or not try_lock("backups.schedule"):
            return
        last = Backup.objects.order_by("-created_at").first()
        if last is None or (last.finished_at and is_due_after(last)):
            Backup.objects.create()


def is_due_after(last: Backup) -> bool:
    """Return whether an instant of the schedule has passed since ``last`` was requested."""
    return crontab.from_string(settings.BACKUP_SCHEDULE).is_due(last.created_at).is_due


def make_due() -> int:
    """Make the requested backups and return how many were stored."""
    return runner.run_steps(Backup.objects.all(), _steps, limit=1, max_attempts=MAX_ATTEMPTS, time_slice=math.inf)


def _steps(row: Backup) -> Generator[runner.Hook, None, None]:
    """Make one backup. Its step records what was stored; a worker that takes over before it starts again."""
    if not row.cursor:
        yield _make(row)
    delete_replaced(keep=settings.BACKUP_KEEP - 1)  # this one is stored too, and is done a moment later


def _make(row: Backup) -> runner.Hook:
    """Make, verify and store the backup of ``row``; return the function that records the result."""
    shutil.rmtree(_work_folder(), ignore_errors=True)  # left by a killed worker
    folder = _work_folder() / f"atrium-{row.created_at:%Y%m%dT%H%M%SZ}-{row.pk}"
    try:
        about = backup.make(folder)
        rows = backup.verify(folder, scratch=f"atrium_backup_{row.pk}") if settings.BACKUP_VERIFY else 0
        archive = archives.pack(folder, settings.BACKUP_RECIPIENTS)
        size = archive.stat().st_size
        storages["backups"].delete(archive.name)  # stored by a worker that was killed before it recorded it
        with archive.open("rb") as content:
            stored = storages["backups"].save(archive.name, File(content))
    finally:
        shutil.rmtree(_work_folder(), ignore_errors=True)

    def finish(locked: Backup) -> None:
        files = about["files"]
        Backup.objects.filter(pk=locked.pk).update(
            cursor=1, name=stored, size=size, rows=rows, files=files if isinstance(files, int) else 0,
            verified_at=Now() if settings.BACKUP_VERIFY else None, encrypted=bool(settings.BACKUP_RECIPIENTS),
        )  # fmt: skip

    return finish


def _work_folder() -> Path:
    """Return the folder for the unfinished backup of this machine."""
    return settings.ATRIUM_HOME / "tmp" / "backup"


def delete_replaced(*, keep: int) -> None:
    """Delete all stored archives but the newest ``keep`` of finished backups."""
    stored = Backup.objects.exclude(done_at=None).filter(deleted_at=None).order_by("-created_at", "-pk")
    for row in stored[keep:]:
        storages["backups"].delete(row.name)
        Backup.objects.filter(pk=row.pk).update(deleted_at=Now())


def delete_expired() -> int:
    """Delete a batch of rows whose backup failed or was replaced more than ``AUDIT_DAYS`` ago; return how many."""
    oldest = Now() - timedelta(days=settings.AUDIT_DAYS)
    return delete_batch(Backup.objects.filter(Q(deleted_at__lt=oldest) | Q(failed_at__lt=oldest)))


def check() -> str:
    """Return one line about the last backup; raises RuntimeError if it is missing, failed, late or was not verified."""
    if not settings.BACKUP_SCHEDULE:
        return "not scheduled; set BACKUP_SCHEDULE"
    last = Backup.objects.order_by("-created_at").first()
    done = Backup.objects.exclude(done_at=None).order_by("-created_at").first()
    if last and last.failed_at and (done is None or done.created_at < last.created_at):
        raise RuntimeError(f"the last one failed: {last.error[:200]}")
    if last and not last.finished_at and last.created_at < timezone.now() - LATE_AFTER:
        raise RuntimeError(f"not finished since {last.created_at:%Y-%m-%d %H:%M} UTC; is a worker running?")
    if done is None:
        return "none yet; the first one is made within a minute"
    if is_due_after(done) and timezone.now() - done.created_at > timedelta(days=1) + LATE_AFTER:
        raise RuntimeError(f"the last one is of {done.created_at:%Y-%m-%d %H:%M} UTC; are beat and a worker running?")
    verified = f"{done.rows} rows counted" if done.verified_at else "not verified"
    return f"{done.created_at:%Y-%m-%d %H:%M} UTC, {done.size / 1e6:.1f} MB, {verified}"
