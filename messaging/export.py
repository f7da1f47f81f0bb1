"""What messaging holds of a person, for their export."""

from typing import Any

from django.db.models import F

from accounts.models import User

from .models import Block, Message, MessageRecipient


def of(user: User) -> dict[str, Any]:
    return {
        "sent": list(
            Message.objects.filter(sender=user)
            .order_by("pk")
            .values("id", "body", "broadcast", "recipient_count", "created_at", "deleted_at")
        ),
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
