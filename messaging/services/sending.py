"""Direct messages, and the order of messages."""

import uuid
from collections.abc import Iterable, Sequence

from rest_framework.exceptions import ValidationError

from accounts.models import User
from config.db.locks import lock, lock_parameters
from config.jobs.enqueue import enqueue
from config.models import OutgoingEvent
from config.realtime import events
from config.webhooks import publishing as webhooks
from config.webhooks.models import WebhookDelivery

from ..models import Message
from ..representation import Receipt, message_data
from ..sql import addressees, insert_message


class UnknownUsercode(ValidationError):
    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__({"recipients": [f"No user has the usercode {code}." for code in codes]}, "unknown_usercode")


def send_message(*, sender: User, body: str, usercodes: Sequence[str]) -> Message:
    """Send to these users in two round trips to Postgres; raises UnknownUsercode.

    A recipient who has blocked the sender gets a withheld receipt, so the sender sees no difference.
    """
    codes = list(dict.fromkeys(code.upper() for code in usercodes))
    users = addressees(codes, sender)
    if unknown := set(codes) - {user.usercode for user in users}:
        raise UnknownUsercode(code for code in codes if code in unknown)
    event = OutgoingEvent(
        key=uuid.uuid4(),
        kind="message",
        user_ids=sorted({sender.pk, *(user.id for user in users if not user.blocks_sender)}),
    )
    # The statements are atomic without a transaction, which would cost two more round trips.
    new = insert_message(
        sender,
        body,
        users,
        event_key=event.key,
        event_users=event.user_ids,
        locks=message_order_locks({sender.pk, *(user.id for user in users)}),
    )
    event.data, event.receipt = new.event, new.id
    events.send_after_commit([event])
    if new.deliveries:
        enqueue(WebhookDelivery)
    message = Message(pk=new.id, sender=sender, body=body, recipient_count=len(users), created_at=new.created_at)
    message.recipients = [Receipt(user.usercode, user.username) for user in users]
    return message


def publish_message(message: Message, user_ids: Iterable[int]) -> None:
    """Send the event ``message`` to these users after the commit. An event contains no times of receipts."""
    users = set(user_ids)
    events.publish(users, "message", message_data(message, with_times=False), receipt=message.pk)
    webhooks.publish(users, "message", "message.sent", {"id": message.pk})


def message_order_locks(user_ids: Iterable[int]) -> tuple[list[str], list[bool]]:
    """Return the locks that make message ids grow in the order in which these users see the messages.

    The sender and the recipients are locked until the commit (docs/decisions/message-order.md).
    """
    return lock_parameters([f"messages:{user_id}" for user_id in user_ids], shared=["messages"])


def lock_message_order_for_all() -> None:
    """Do the same for a broadcast: until the commit nobody else sends."""
    lock("messages")
