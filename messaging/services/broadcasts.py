"""Messages to everybody online: sent at once, their receipts created by workers in batches."""

from django.db import transaction

from accounts.models import User
from config.api.errors import Conflict
from config.jobs import runner
from config.jobs.enqueue import enqueue
from config.realtime import presence

from .. import sql
from ..models import MAX_RECIPIENTS, BroadcastBatch, Message
from ..representation import Receipt
from .sending import lock_message_order_for_all, publish_message

BATCH = 5000  # recipients whose receipts are created in one statement
WORKERS = 4  # tasks sent for one broadcast; each processes batches until none is left


class NobodyOnline(Conflict):
    default_detail = "Nobody else is online."
    default_code = "nobody_online"


@transaction.atomic
def send_broadcast(*, sender: User, body: str) -> Message:
    """Send to everybody else who is online now.

    Raises NobodyOnline, and redis.exceptions.RedisError if Redis is not available.
    """
    ids = sql.broadcast_recipient_ids(presence.online_ids(), sender)
    if not ids:
        raise NobodyOnline
    lock_message_order_for_all()
    message = Message.objects.create(sender=sender, body=body, broadcast=True, recipient_count=len(ids))
    batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
    BroadcastBatch.objects.bulk_create(BroadcastBatch(message=message, recipient_ids=batch) for batch in batches)
    first = User.objects.filter(pk__in=ids[:MAX_RECIPIENTS]).order_by("pk").values_list("usercode", "username")
    message.recipients = [Receipt(*each) for each in first]
    publish_message(message, [sender.pk])
    for _ in batches[:WORKERS]:
        enqueue(BroadcastBatch)
    return message


def fan_out_broadcasts() -> int:
    """Create the receipts of queued batches; returns how many batches were done."""
    return runner.run_due(BroadcastBatch.objects.defer("recipient_ids"), fan_out)


def fan_out(batch: BroadcastBatch) -> None:
    """Create the receipts of one batch and notify its recipients."""
    # Without this lock a deletion could run now and notify only the recipients whose receipts exist.
    sql.lock_for_fan_out(batch.message_id)
    message = Message.objects.with_sender().get(pk=batch.message_id)
    sql.insert_receipts(message, batch)
    batch.finish()
    message.recipients = sql.receipts_of([message.pk])[message.pk]
    publish_message(message, batch.recipient_ids)
