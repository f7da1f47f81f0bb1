"""What messaging holds of a person, for their export."""

from typing import Any

from django.db.models import F

from accounts.models import User

from .models import Block, Message, MessageRecipient
from .querysets import recipients_of


def of(user: User) -> dict[str, Any]:
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
            )
        ),
        "blocked": list(Block.objects.filter(blocker=user).values("created_at", username=F("blocked__username"))),
    }


def _sent(user: User) -> list[dict[str, Any]]:
    """With the recipients that the API shows: of a broadcast, the first hundred."""
    sent = list(
        Message.objects.filter(sender=user)
        .order_by("pk")
        .values("id", "body", "broadcast", "recipient_count", "created_at", "deleted_at")
    )
    found = recipients_of(message["id"] for message in sent)
    return [{**message, "recipients": [each.username for each in found[message["id"]]]} for message in sent]
