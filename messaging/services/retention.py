"""Delete old messages, and batches of broadcasts that are done."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from config.db.batches import delete_batch

from .. import sql
from ..models import BroadcastBatch

BATCHES_STAY = timedelta(days=1)


def delete_finished_batches() -> int:
    """Delete batches that have been done for a day and whose broadcast has no other batch to do; return how many."""
    unfinished = BroadcastBatch.objects.filter(message=OuterRef("message"), done_at=None)
    done = BroadcastBatch.objects.filter(~Exists(unfinished), done_at__lt=Now() - BATCHES_STAY)
    return delete_batch(done.defer("recipient_ids"))


@transaction.atomic
def delete_expired_messages() -> int:
    """Delete a batch of receipts and messages that were sent more than ``MESSAGE_DAYS`` ago; return how many rows.

    A message goes after its last receipt, so a large broadcast takes several calls. Nobody is notified.
    """
    return sql.delete_old_messages(settings.MESSAGE_DAYS) if settings.MESSAGE_DAYS else 0
