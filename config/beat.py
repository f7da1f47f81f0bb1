"""Beat's clock, which goes on while Postgres is away."""

import time
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, connection
from django_celery_beat.schedulers import DatabaseScheduler

logger = structlog.get_logger(__name__)

AGAIN = 1.0  # seconds


class Scheduler(DatabaseScheduler):
    """As shipped, beat ends at the first query that fails; a supervisor that restarts it gives up after a few times."""

    def setup_schedule(self) -> None:
        """Read the schedule, as soon as Postgres is there to be asked."""
        while True:
            try:
                return super().setup_schedule()
            except (OperationalError, InterfaceError) as error:
                _note_outage(error)
                self._initial_read = True  # nothing was read
                time.sleep(AGAIN)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        try:
            return super().tick(*args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            _note_outage(error)
            return AGAIN


def _note_outage(error: Exception) -> None:
    logger.warning("outage", error=type(error).__name__, detail=str(error)[:200])
    connection.close()
