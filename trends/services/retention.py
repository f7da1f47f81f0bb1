"""Delete old errors of imported rows, and earlier values of trends."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now

from config.cache.generations import invalidate
from config.db.batches import BATCH, delete_batch

from ..models import CACHE_SCOPE, Change, Revision, RowError

# Of each trend stay the change that created it and its last one, however old. So a client that reads the changes from
# any instant on, or from the beginning, always ends with the present trends.
_DELETE_CHANGES = f"""
DELETE FROM {Change._meta.db_table} WHERE id IN (
    SELECT change.id FROM {Change._meta.db_table} AS change
    JOIN {Revision._meta.db_table} AS revision ON revision.id = change.revision_id
    WHERE change.kind = 'updated' AND revision.ends_at < now() - make_interval(days => %(days)s)
    AND EXISTS (
        SELECT FROM {Change._meta.db_table} AS later WHERE later.trend_id = change.trend_id AND later.id > change.id
    )
    LIMIT {BATCH}
)
"""  # noqa: S608
_DELETE_REVISIONS = f"""
DELETE FROM {Revision._meta.db_table} WHERE id IN (
    SELECT revision.id FROM {Revision._meta.db_table} AS revision
    WHERE revision.ends_at < now() - make_interval(days => %(days)s)
    AND NOT EXISTS (SELECT FROM {Change._meta.db_table} AS change WHERE change.revision_id = revision.id)
    LIMIT {BATCH}
)
"""  # noqa: S608


def delete_expired_row_errors() -> int:
    """Delete a batch of row errors of imports that ended more than ``IMPORT_DAYS`` ago; return how many."""
    if not settings.IMPORT_DAYS:
        return 0
    return delete_batch(RowError.objects.filter(run__finished_at__lt=Now() - timedelta(days=settings.IMPORT_DAYS)))


@transaction.atomic
def delete_expired_changes() -> int:
    """Delete a batch of updates older than ``TRENDS_HISTORY_DAYS``, then of empty revisions; return how many."""
    if not settings.TRENDS_HISTORY_DAYS:
        return 0
    parameters: dict[str, Any] = {"days": settings.TRENDS_HISTORY_DAYS}
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_CHANGES, parameters)
        deleted = cursor.rowcount
        if not deleted:
            cursor.execute(_DELETE_REVISIONS, parameters)
            deleted = cursor.rowcount
    if deleted:
        invalidate(CACHE_SCOPE)
    return deleted
