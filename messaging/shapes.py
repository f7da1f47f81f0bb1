"""What a person and a message look like in JSON, in answers and in events alike."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .querysets import Recipient

if TYPE_CHECKING:
    from accounts.models import User

    from .models import Message


def person(user: "User") -> dict[str, str]:
    return {"usercode": user.usercode, "username": user.username}


def message_shape(
    message: "Message", recipients: Iterable[Recipient], *, receipts: bool = False, read_at: Any = None
) -> dict[str, Any]:
    """``receipts`` shows when each recipient got and read it, for the sender; ``read_at`` is the viewer's own."""
    return {
        "id": message.pk,
        "sender": person(message.sender) if message.sender else None,
        "body": message.body,
        "broadcast": message.broadcast,
        "recipients": [
            {"usercode": each.usercode, "username": each.username}
            | ({"delivered_at": each.delivered_at, "read_at": each.read_at} if receipts else {})
            for each in recipients
        ],
        "recipient_count": message.recipient_count,
        "created_at": message.created_at,
        "read_at": read_at,
        "deleted_at": message.deleted_at,
    }
