"""Deleting a message for everybody."""

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from rest_framework.exceptions import PermissionDenied

from accounts.models import User
from config.api.errors import Conflict
from config.realtime import events
from config.webhooks import publishing as webhooks

from ..models import Message

DELETABLE = timedelta(minutes=15)


class NotTheSender(PermissionDenied):
    default_detail = "Only the sender can delete a message."
    default_code = "not_the_sender"


class TooLate(Conflict):
    default_detail = "A message can only be deleted within 15 minutes after it was sent."
    default_code = "too_late"


@transaction.atomic
def delete_message(*, message: Message, by: User) -> None:
    """Delete the text for everybody and leave a tombstone; does nothing if it is deleted already.

    Raises NotTheSender, TooLate.
    """
    if message.sender_id != by.pk:
        raise NotTheSender
    deletable = Message.objects.filter(pk=message.pk, deleted_at=None, created_at__gt=Now() - DELETABLE)
    if not deletable.update(body="", deleted_at=Now()):
        if message.deleted_at is None:
            raise TooLate
        return
    # Copied to the receipts, so that it leaves the unread counts. A fan-out copies it itself (sql.insert_receipts).
    message.receipts.update(deleted=True)
    recipients = message.receipts.filter(withheld=False).values_list("recipient_id", flat=True)
    users = {by.pk, *recipients}
    events.publish(users, "deleted", {"id": message.pk})
    webhooks.publish(users, "message", "message.deleted", {"id": message.pk})
