"""Beat's scheduler, which continues during outages of Postgres or the broker and logs their beginning and end."""

import time
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django_celery_beat.schedulers import DatabaseScheduler

from config.outages import is_outage

from .enqueue import BROKER_PAUSE

logger = structlog.get_logger(__name__)

RETRY_AFTER = 1.0  # seconds


class Scheduler(DatabaseScheduler):
    """Survives failed queries. The original ends at the first one, and a supervisor stops restarting it after a few."""

    _last_timestamp: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._away: set[str] = set()
        self._paused_until = 0.0  # after a failure of the broker
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Read the schedule; wait for Postgres if necessary."""
        while True:
            try:
                return super().setup_schedule()
            except (OperationalError, InterfaceError) as error:
                self._log_outage("postgres", error)
                self._initial_read = True  # nothing was read
                time.sleep(RETRY_AFTER)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        try:
            wait = super().tick(*args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            self._log_outage("postgres", error)
            return RETRY_AFTER
        self._log_recovery("postgres")
        return wait

    def schedule_changed(self) -> bool:
        """Return whether the rows changed. The original logs an outage many times a second; this one raises in it."""
        close_old_connections()
        before, self._last_timestamp = self._last_timestamp, self.Changes.last_change()
        return bool(before and self._last_timestamp and self._last_timestamp > before)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a task. If the broker does not accept it, it is sent at its next interval."""
        if time.monotonic() < self._paused_until:
            return
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            if not is_outage(error):
                logger.exception("task_not_sent", task=entry.task)
                return
            self._paused_until = time.monotonic() + BROKER_PAUSE
            self._log_outage("broker", error)
        else:
            self._log_recovery("broker")

    def _log_outage(self, part: str, error: Exception) -> None:
        if part not in self._away:
            logger.warning("outage", part=part, error=type(error).__name__, detail=" ".join(str(error).split())[:200])
        self._away.add(part)
        if part == "postgres":
            connection.close()

    def _log_recovery(self, part: str) -> None:
        if part in self._away:
            logger.info("outage_over", part=part)
        self._away.discard(part)
