"""The retry of failed rows that staff ask for, unless a job model names another service (``Job.retry_service``)."""

from .enqueue import enqueue
from .job import JobQuerySet


def retry_failed(rows: JobQuerySet) -> int:
    """Make the failed ones of ``rows`` due again with all their attempts; returns how many."""
    count = rows.retry_failed()
    enqueue(rows.model)
    return count
