"""Receipts: when a message was delivered and read."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Coalesce, Now

from accounts.models import User
from config.db.locks import try_lock
from config.realtime import events

from .. import sql
from ..models import Message, MessageRecipient
from ..representation import PersonSerializer


def open_message(*, reader: User, message_id: int) -> str:
    """Return the JSON of a message as ``reader``, who may see it, does; and mark it as delivered."""
    row = sql.one_message(message_id, reader)
    mark_delivered(reader=reader, rows=[row])
    return row.json


def mark_delivered(*, reader: User, rows: Iterable[sql.MessageRow]) -> None:
    """Set ``delivered_at`` where it is still empty."""
    if new := [row.id for row in rows if row.is_new]:
        receipts = MessageRecipient.objects.received_by(reader).filter(message__in=new, delivered_at=None)
        receipts.update(delivered_at=Now())


def mark_message_read(*, reader: User, message: Message) -> int:
    """Mark one message as read; returns how many messages remain unread."""
    return _mark_read(reader, MessageRecipient.objects.unread_by(reader).filter(message=message))


def mark_read(
    *, reader: User, up_to: int, peer: User | None = None, broadcast: bool = False, from_deleted: bool = False
) -> int:
    """Mark as read what ``reader`` received up to the message with the id ``up_to``, of all that fits the filters.

    Returns how many messages remain unread.
    """
    receipts = MessageRecipient.objects.unread_by(reader).filter(message_id__lte=up_to)
    if peer is not None:
        receipts = receipts.filter(sender=peer)
    if broadcast:
        receipts = receipts.filter(broadcast=True)
    if from_deleted:
        receipts = receipts.filter(sender=None)
    return _mark_read(reader, receipts)


@transaction.atomic
def _mark_read(reader: User, receipts: QuerySet[MessageRecipient]) -> int:
    # Locked in one order, so that two windows of one person cannot deadlock.
    locked = list(receipts.order_by("pk").select_for_update().only("pk", "sender_id", "message_id", "broadcast"))
    MessageRecipient.objects.filter(pk__in=[each.pk for each in locked]).update(
        read_at=Now(), delivered_at=Coalesce("delivered_at", Now())
    )
    unread = MessageRecipient.objects.unread_by(reader).count()
    if locked:
        _publish_read(reader, locked, unread)
    return unread


def _publish_read(reader: User, receipts: Iterable[MessageRecipient], unread: int) -> None:
    """Notify the reader's other devices and the senders.

    The sender of a broadcast is not notified, because thousands of readers would notify one person at once.
    """
    ids_by_sender: dict[int, list[int]] = {}
    for each in receipts:
        ids_by_sender.setdefault(reader.pk, []).append(each.message_id)
        if each.sender_id not in (None, reader.pk) and not each.broadcast:
            ids_by_sender.setdefault(each.sender_id, []).append(each.message_id)
    person = PersonSerializer(reader).data
    events.publish_all(
        [
            events.row(
                [user_id],
                "read",
                {"reader": person, "from": min(ids), "up_to": max(ids)}
                | ({"unread": unread} if user_id == reader.pk else {}),
            )
            for user_id, ids in ids_by_sender.items()
        ]
    )


@transaction.atomic
def record_deliveries() -> int:
    """Mark as delivered what event streams have sent since the last call; returns how many receipts that were."""
    # One worker at a time: it removes from the list what it has read.
    if not try_lock("deliveries"):
        return 0
    deliveries = events.receipts()
    if deliveries:
        sql.mark_delivered(deliveries)
        # Before the commit, which releases the lock. If the commit fails, the next fetch of a message marks it.
        events.delete_receipts(len(deliveries))
    return len(deliveries)
