"""How rows look in the API and in events. What clients send is in ``serializers``."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

if TYPE_CHECKING:
    from .models import Message

USER = {"usercode": "7QX2MA", "username": "grace"}
MESSAGE = {
    "id": 1042,
    "sender": {"usercode": "K3WD90", "username": "ada"},
    "body": "Lunch at one?",
    "broadcast": False,
    "recipients": [{**USER, "delivered_at": None, "read_at": None}],
    "recipient_count": 1,
    "created_at": "2026-03-01T12:00:00.000000Z",
    "read_at": None,
    "edited_at": None,
    "deleted_at": None,
}


# --- People -----------------------------------------------------------------------------------------------------------


class PersonSerializer(serializers.Serializer):
    usercode = serializers.CharField()
    username = serializers.CharField()


class UserCardSerializer(PersonSerializer):
    image = serializers.CharField(allow_null=True, help_text="The path of the user's picture.")


class OnlineUserSerializer(UserCardSerializer):
    last_seen = serializers.DateTimeField()


class PresenceSerializer(serializers.Serializer):
    ping_every = serializers.IntegerField(help_text="Seconds until the next heartbeat is due.")
    online = OnlineUserSerializer(many=True)


class BlockSerializer(serializers.Serializer):
    usercode = serializers.CharField(source="blocked.usercode")
    username = serializers.CharField(source="blocked.username")
    created_at = serializers.DateTimeField()


# --- Messages ---------------------------------------------------------------------------------------------------------


class Receipt(NamedTuple):
    """A recipient as the sender sees them."""

    usercode: str
    username: str
    delivered_at: datetime | None = None
    read_at: datetime | None = None


class RecipientSerializer(PersonSerializer):
    delivered_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When a client of the recipient got it. Only the sender sees this."
    )
    read_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When the recipient read it. Only the sender sees this."
    )


@extend_schema_serializer(examples=[OpenApiExample("A direct message", MESSAGE, response_only=True)])
class MessageSerializer(serializers.Serializer):
    """A message as one person sees it. It only describes JSON that ``sql.message_rows`` and ``message_data`` build."""

    id = serializers.IntegerField()
    sender = PersonSerializer(allow_null=True, help_text="Null after the sender's account was deleted.")
    body = serializers.CharField(help_text="Plain text. Empty after the message was deleted.")
    broadcast = serializers.BooleanField()
    recipients = RecipientSerializer(
        many=True,
        help_text="All recipients; for a broadcast the first hundred. `…/recipients/` lists them all.",
    )
    recipient_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True, help_text="When you read it.")
    edited_at = serializers.DateTimeField(allow_null=True, help_text="When its sender last changed the text.")
    deleted_at = serializers.DateTimeField(allow_null=True)


def message_data(message: "Message", *, with_times: bool) -> dict[str, Any]:
    """Return a message that nobody has read yet as its JSON: for the sender ``with_times``, for an event without.

    A serializer would take 0.6 ms.
    """
    sender = message.sender
    return {
        "id": message.pk,
        "sender": None if sender is None else {"usercode": sender.usercode, "username": sender.username},
        "body": message.body,
        "broadcast": message.broadcast,
        "recipients": [
            each._asdict() if with_times else {"usercode": each.usercode, "username": each.username}
            for each in message.recipients
        ],
        "recipient_count": message.recipient_count,
        "created_at": message.created_at,
        "read_at": None,
        "edited_at": message.edited_at,
        "deleted_at": message.deleted_at,
    }


class UnreadTotalSerializer(serializers.Serializer):
    unread = serializers.IntegerField(help_text="How many messages you have not read.")


class UnreadOfSenderSerializer(serializers.Serializer):
    usercode = serializers.CharField(allow_null=True, help_text="Null for senders whose account was deleted.")
    username = serializers.CharField(allow_null=True)
    count = serializers.IntegerField()
    broadcasts = serializers.IntegerField(help_text="How many of them are broadcasts.")


class UnreadCountsSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    by_sender = UnreadOfSenderSerializer(many=True)


class LastMessageSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    mine = serializers.BooleanField(help_text="Whether you sent it.")
    body = serializers.CharField(help_text="Its first 200 characters.")
    broadcast = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)


class ConversationSerializer(serializers.Serializer):
    person = UserCardSerializer()
    last_message = LastMessageSerializer()
    unread = serializers.IntegerField(help_text="How many messages from this person you have not read.")


class ConversationsSerializer(serializers.Serializer):
    next_before = serializers.IntegerField(
        allow_null=True, help_text="Send it as `before` for the next page. Null on the last page."
    )
    results = ConversationSerializer(many=True)
