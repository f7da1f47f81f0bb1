"""Messaging's part of the data export."""

from typing import Any

from django.db.models import F

from accounts.models import Block, User

from .models import Message, MessageRecipient
from .sql import receipts_of


def personal_data(user: User) -> dict[str, Any]:
    """Return what messaging stores about ``user``: messages sent and received, and blocks."""
    return {
        "sent": _sent(user),
        "received": list(
            MessageRecipient.objects.received_by(user)
            .order_by("message_id")
            .values(
                "message_id",
                "delivered_at",
                "read_at",
                sender_username=F("sender__username"),
                body=F("message__body"),
                sent_at=F("message__created_at"),
                edited_at=F("message__edited_at"),
            )
        ),
        "blocked": list(Block.objects.filter(blocker=user).values("created_at", username=F("blocked__username"))),
    }


def _sent(user: User) -> list[dict[str, Any]]:
    # The recipients are those that the API shows: for a broadcast the first hundred.
    sent = list(
        Message.objects.filter(sender=user)
        .order_by("pk")
        .values("id", "body", "broadcast", "recipient_count", "created_at", "edited_at", "deleted_at")
    )
    found = receipts_of(message["id"] for message in sent)
    return [{**message, "recipients": [each.username for each in found[message["id"]]]} for message in sent]
