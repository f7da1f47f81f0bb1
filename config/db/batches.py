"""Delete many rows without long transactions."""

from typing import Any

from django.db import models, transaction

BATCH = 5000  # rows of one transaction


def delete_batch(rows: models.QuerySet[Any], *, size: int = BATCH) -> int:
    """Delete the first ``size`` of ``rows`` and what refers to them, in one transaction; return how many of ``rows``.

    They are deleted in the order of their ids. Rows that another transaction has locked are skipped, so that this
    never waits for one.
    """
    with transaction.atomic():
        unlocked = rows.order_by("pk").select_for_update(skip_locked=True, of=("self",))
        ids = list(unlocked.values_list("pk", flat=True)[:size])
        if ids:
            rows.model._base_manager.filter(pk__in=ids).delete()
    return len(ids)


def delete_in_batches(rows: models.QuerySet[Any]) -> int:
    """Delete all of ``rows`` in batches; return how many."""
    deleted = 0
    while count := delete_batch(rows):
        deleted += count
    return deleted
