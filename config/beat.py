"""Beat's clock, which goes on while Postgres or the broker is away: it says so when one goes, and when it is back."""

import time
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django_celery_beat.schedulers import DatabaseScheduler

from .celery import BROKER_REST
from .logs import is_outage

logger = structlog.get_logger(__name__)

AGAIN = 1.0  # seconds


class Scheduler(DatabaseScheduler):
    """As shipped, beat ends at the first query that fails; a supervisor that restarts it gives up after a few times."""

    _last_timestamp: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._away: set[str] = set()
        self._rest_until = 0.0  # of the broker
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Read the schedule, as soon as Postgres is there to be asked."""
        while True:
            try:
                return super().setup_schedule()
            except (OperationalError, InterfaceError) as error:
                self._gone("postgres", error)
                self._initial_read = True  # nothing was read
                time.sleep(AGAIN)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        try:
            wait = super().tick(*args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            self._gone("postgres", error)
            return AGAIN
        self._back("postgres")
        return wait

    def schedule_changed(self) -> bool:
        """As shipped, it logs that Postgres is away, many times a second; here :meth:`tick` is told, and waits."""
        close_old_connections()
        before, self._last_timestamp = self._last_timestamp, self.Changes.last_change()
        return bool(before and self._last_timestamp and self._last_timestamp > before)

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send a task; one that the broker does not take in is sent at its next turn."""
        if time.monotonic() < self._rest_until:
            return
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except Exception as error:
            if not is_outage(error):
                logger.exception("not_sent", task=entry.task)
                return
            self._rest_until = time.monotonic() + BROKER_REST
            self._gone("broker", error)
        else:
            self._back("broker")

    def _gone(self, part: str, error: Exception) -> None:
        if part not in self._away:
            logger.warning("outage", part=part, error=type(error).__name__, detail=" ".join(str(error).split())[:200])
        self._away.add(part)
        if part == "postgres":
            connection.close()

    def _back(self, part: str) -> None:
        if part in self._away:
            logger.info("outage_over", part=part)
        self._away.discard(part)
