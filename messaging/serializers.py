"""What clients send and get, as the API describes it."""

import unicodedata
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from config.choices import ChoiceField

from .models import BODY_LENGTH, RECIPIENTS

BIGGEST_ID = 2**63 - 1

PERSON = {"usercode": "7QX2MA", "username": "grace"}
MESSAGE = {
    "id": 1042,
    "sender": {"usercode": "K3WD90", "username": "ada"},
    "body": "Lunch at one?",
    "broadcast": False,
    "recipients": [{**PERSON, "delivered_at": None, "read_at": None}],
    "recipient_count": 1,
    "created_at": "2026-03-01T12:00:00.000000Z",
    "read_at": None,
    "deleted_at": None,
}


class PersonSerializer(serializers.Serializer):
    usercode = serializers.CharField()
    username = serializers.CharField()


class CardSerializer(PersonSerializer):
    image = serializers.CharField(allow_null=True, help_text="The path of the person's picture.")


class RecipientSerializer(PersonSerializer):
    delivered_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When a client of theirs got it. Shown to the sender alone."
    )
    read_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When they read it. Shown to the sender alone."
    )


@extend_schema_serializer(examples=[OpenApiExample("A direct message", MESSAGE, response_only=True)])
class MessageSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    sender = PersonSerializer(allow_null=True, help_text="Null once the sender's account is gone.")
    body = serializers.CharField(help_text="Plain text. Empty once deleted.")
    broadcast = serializers.BooleanField()
    recipients = RecipientSerializer(
        many=True,
        help_text="Everyone it was sent to; of a broadcast the first hundred. `…/recipients/` lists them all.",
    )
    recipient_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True, help_text="When the caller read it.")
    deleted_at = serializers.DateTimeField(allow_null=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample("To one person", {"body": "Lunch at one?", "recipients": ["7QX2MA"]}, request_only=True),
        OpenApiExample("To everybody online", {"body": "The lift works again.", "broadcast": True}, request_only=True),
    ]
)
class SendSerializer(serializers.Serializer):
    """Either ``recipients`` or ``broadcast``."""

    body = serializers.CharField(max_length=BODY_LENGTH, help_text="Plain text; spaces around it are removed.")
    recipients = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, max_length=RECIPIENTS, help_text="Usercodes."
    )
    broadcast = serializers.BooleanField(required=False, default=False)

    def validate_body(self, body: str) -> str:
        # Characters without ink (zero-width spaces, joiners) make no message, however many there are.
        if all(unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Zs") for char in body):
            raise serializers.ValidationError("This field may not be blank.", "blank")
        return body

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if data["broadcast"] and data.get("recipients"):
            raise serializers.ValidationError("Name recipients or set broadcast, not both.", "both_targets")
        if not data["broadcast"] and not data.get("recipients"):
            raise serializers.ValidationError("Name at least one recipient, or set broadcast.", "no_target")
        return data


class HistoryQuerySerializer(serializers.Serializer):
    box = ChoiceField(["inbox", "sent"], required=False, help_text="Only what was received, or sent.")
    unread = serializers.BooleanField(required=False, default=False, help_text="Only what the caller has yet to read.")
    broadcast = serializers.BooleanField(required=False, default=False, help_text="Only broadcasts.")
    from_deleted = serializers.BooleanField(
        required=False, default=False, help_text="Only what was received of people whose accounts are gone."
    )
    after = serializers.IntegerField(
        required=False, min_value=0, max_value=BIGGEST_ID,
        help_text="Oldest first from behind this message's id. Nothing that comes later is ever before it.",
    )  # fmt: skip

    def get_fields(self) -> dict[str, serializers.Field]:
        # "with" cannot be the name of a class attribute.
        peer = serializers.CharField(
            required=False,
            max_length=20,
            help_text="A usercode: only what the caller and that person wrote each other.",
        )
        return {"with": peer, **super().get_fields()}

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        return one_peer(data)


def one_peer(data: dict[str, Any]) -> dict[str, Any]:
    if data["from_deleted"] and "with" in data:
        raise serializers.ValidationError({"from_deleted": "Somebody with a usercode has an account."}, "two_peers")
    return data


class ReadSerializer(serializers.Serializer):
    up_to = serializers.IntegerField(min_value=0, max_value=BIGGEST_ID, help_text="The id of the last message read.")
    broadcast = serializers.BooleanField(required=False, default=False, help_text="Only broadcasts.")
    from_deleted = serializers.BooleanField(
        required=False, default=False, help_text="Only messages of people whose accounts are gone."
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        peer = serializers.CharField(required=False, max_length=20, help_text="Only messages of this usercode.")
        return {**super().get_fields(), "with": peer}

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        return one_peer(data)


class UnreadSerializer(serializers.Serializer):
    unread = serializers.IntegerField(help_text="How many messages the caller has yet to read.")


class UnreadOfSenderSerializer(serializers.Serializer):
    usercode = serializers.CharField(allow_null=True, help_text="Null for senders whose account is gone.")
    username = serializers.CharField(allow_null=True)
    count = serializers.IntegerField()
    broadcasts = serializers.IntegerField(help_text="How many of them are broadcasts.")


class UnreadCountsSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    by_sender = UnreadOfSenderSerializer(many=True)


class OnlineSerializer(CardSerializer):
    last_seen = serializers.DateTimeField()


class PresenceSerializer(serializers.Serializer):
    ping_every = serializers.IntegerField(help_text="Seconds until the next heartbeat is due.")
    online = OnlineSerializer(many=True)


class BlockSerializer(PersonSerializer):
    created_at = serializers.DateTimeField()


class LastMessageSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    mine = serializers.BooleanField()
    body = serializers.CharField(help_text="Its first 200 characters.")
    broadcast = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    deleted_at = serializers.DateTimeField(allow_null=True)


class ConversationSerializer(serializers.Serializer):
    person = CardSerializer()
    last_message = LastMessageSerializer()
    unread = serializers.IntegerField()


class ConversationsSerializer(serializers.Serializer):
    next_before = serializers.IntegerField(allow_null=True, help_text="Send it as `before` for older conversations.")
    results = ConversationSerializer(many=True)


class ConversationsQuerySerializer(serializers.Serializer):
    before = serializers.IntegerField(required=False, min_value=0, max_value=BIGGEST_ID)


class EventsQuerySerializer(serializers.Serializer):
    wait = serializers.IntegerField(
        required=False, min_value=0, max_value=10**6,
        help_text="For clients without server-sent events: answer JSON as soon as something happens, after so many "
        "seconds at the latest (55 at most).",
    )  # fmt: skip
    last_event_id = serializers.CharField(
        required=False, max_length=100, allow_blank=True, help_text="Where the `Last-Event-ID` header cannot be sent."
    )
