"""Deletes rows that are older than the operator keeps them (docs/operations.md, "What grows, and for how long")."""

import time
from collections.abc import Callable

import structlog
from django.conf import settings
from django.utils.module_loading import import_string

logger = structlog.get_logger(__name__)

TIME_LIMIT = 600  # seconds of one run; the next run continues


def delete_old_rows() -> int:
    """Call the services of ``settings.RETENTION`` until nothing is left to delete; return how many rows were deleted.

    Each service deletes one batch, in a transaction of its own, and returns how many rows that were. The error of one
    does not stop the others.
    """
    ends_at, deleted, failed = time.monotonic() + TIME_LIMIT, 0, []
    for name in settings.RETENTION:
        delete: Callable[[], int] = import_string(name)
        try:
            while time.monotonic() < ends_at and (count := delete()):
                deleted += count
        except Exception:
            logger.exception("retention_failed", service=name)
            failed.append(name)
    if failed:
        raise RuntimeError(f"failed: {', '.join(failed)}")
    return deleted
