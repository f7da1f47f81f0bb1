"""Editing a message for everybody."""

from django.db import transaction
from django.db.models.functions import Now
from rest_framework.exceptions import PermissionDenied

from accounts.models import User
from config.api.errors import Conflict
from config.realtime import events
from config.webhooks import publishing as webhooks

from .. import sql
from ..models import Message
from ..representation import message_data
from . import blocks
from .deletion import DELETABLE

EDITABLE = DELETABLE


class NotTheSender(PermissionDenied):
    default_detail = "Only the sender can edit a message."
    default_code = "not_the_sender"


class TooLate(Conflict):
    default_detail = "A message can only be edited within 15 minutes after it was sent."
    default_code = "too_late"


class IsDeleted(Conflict):
    default_detail = "This message was deleted."
    default_code = "message_deleted"


@transaction.atomic
def edit_message(*, message: Message, by: User, body: str | None = None) -> None:
    """Change the text for everybody; without ``body``, or with the text that it has, nothing changes.

    Raises NotTheSender, IsDeleted, TooLate.
    """
    if message.sender_id != by.pk:
        raise NotTheSender
    # Locked by a separate statement, so that the later of two edits has the later time: Now() is a statement's start.
    locked, is_recent = _lock(message.pk)
    if locked.deleted_at is not None:
        raise IsDeleted
    if not is_recent:
        raise TooLate
    if body is None or body == locked.body:
        return
    Message.objects.filter(pk=locked.pk).update(body=body, edited_at=Now())
    _publish_edit(Message.objects.with_sender().get(pk=locked.pk), by.pk)


def _lock(message_id: int) -> tuple[Message, bool]:
    """Return the message, locked until the commit, and whether it is recent enough.

    A fan-out of it waits and then sends the new text.
    """
    message = Message.objects.select_for_update(no_key=True).get(pk=message_id)
    return message, Message.objects.filter(pk=message_id, created_at__gt=Now() - EDITABLE).exists()


def _publish_edit(message: Message, sender_id: int) -> None:
    """Notify the sender and the recipients, except those who block the sender now."""
    message.recipients = sql.receipts_of([message.pk])[message.pk]
    recipients = message.receipts.filter(withheld=False).values_list("recipient_id", flat=True)
    users = {sender_id, *recipients} - {*blocks.blocker_ids(sender_id)}
    events.publish(users, "edited", message_data(message, with_times=False))
    webhooks.publish(users, "message", "message.edited", {"id": message.pk})
