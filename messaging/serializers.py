"""What clients send. How rows look in answers is in ``representation``."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from config.api.choices import ChoiceField
from config.api.instants import InstantField
from config.api.pagination import MAX_PAGE_SIZE, PAGE_SIZE
from config.api.text import LongCharField
from config.text import is_blank

from .models import BODY_LENGTH, MAX_RECIPIENTS

MAX_ID = 2**63 - 1


class TextSerializer(serializers.Serializer):
    """The text of a message."""

    body = LongCharField(max_length=BODY_LENGTH, help_text="Plain text; white space around it is removed.")

    def validate_body(self, body: str) -> str:
        if is_blank(body):
            raise serializers.ValidationError("This field may not be blank.", "blank")
        return body


@extend_schema_serializer(examples=[OpenApiExample("A new text", {"body": "Lunch at two?"}, request_only=True)])
class EditMessageSerializer(TextSerializer):
    """The new text."""


@extend_schema_serializer(
    examples=[
        OpenApiExample("To one person", {"body": "Lunch at one?", "recipients": ["7QX2MA"]}, request_only=True),
        OpenApiExample("To everybody online", {"body": "The lift works again.", "broadcast": True}, request_only=True),
    ]
)
class SendMessageSerializer(TextSerializer):
    """Either ``recipients`` or ``broadcast``."""

    recipients = serializers.ListField(
        child=serializers.CharField(max_length=20), required=False, max_length=MAX_RECIPIENTS, help_text="Usercodes."
    )
    broadcast = serializers.BooleanField(required=False, default=False)

    def validate_recipients(self, usercodes: list[str]) -> list[str]:
        return [usercode.upper() for usercode in usercodes]

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if data["broadcast"] and data.get("recipients"):
            raise serializers.ValidationError("Send either recipients or broadcast, not both.", "both_targets")
        if not data["broadcast"] and not data.get("recipients"):
            raise serializers.ValidationError("Send at least one recipient, or set broadcast.", "no_target")
        return data


class PeerSerializer(serializers.Serializer):
    """Which messages: all, those with one person (``with``), broadcasts, or those of deleted accounts."""

    broadcast = serializers.BooleanField(required=False, default=False, help_text="Only broadcasts.")
    from_deleted = serializers.BooleanField(
        required=False, default=False, help_text="Only messages received from accounts that were deleted."
    )

    def get_fields(self) -> dict[str, serializers.Field]:
        # "with" is a keyword, so it cannot be the name of a class attribute.
        peer = serializers.CharField(
            required=False, max_length=20, help_text="A usercode: only messages between you and this user."
        )
        return {**super().get_fields(), "with": peer}

    def validate(self, data: dict[str, Any]) -> dict[str, Any]:
        if data["from_deleted"] and "with" in data:
            detail = "Use either with or from_deleted: a usercode belongs to an existing account."
            raise serializers.ValidationError({"from_deleted": detail}, "two_peers")
        return data


class HistoryQuerySerializer(PeerSerializer):
    box = ChoiceField(["inbox", "sent"], required=False, help_text="Only received or only sent messages.")
    unread = serializers.BooleanField(required=False, default=False, help_text="Only messages that you have not read.")
    after = serializers.IntegerField(
        required=False, min_value=0, max_value=MAX_ID,
        help_text="A message's id: the messages after it, oldest first. A later message always has a larger id.",
    )  # fmt: skip
    before = serializers.IntegerField(
        required=False, min_value=0, max_value=MAX_ID, help_text="A message's id: only messages before it."
    )
    changed_since = InstantField(
        required=False,
        help_text="Only messages that were edited or deleted at this instant or later. For use after the event "
        "`resync`.",
    )
    search = serializers.CharField(
        required=False, allow_blank=True, max_length=500,
        help_text="Words that the text contains, in any place, without regard to case or accents; all must match.",
    )  # fmt: skip


class MarkReadSerializer(PeerSerializer):
    up_to = serializers.IntegerField(min_value=0, max_value=MAX_ID, help_text="The id of the last message read.")


class ConversationsQuerySerializer(serializers.Serializer):
    before = serializers.IntegerField(
        required=False, min_value=0, max_value=MAX_ID, help_text="The `next_before` of the previous page."
    )
    page_size = serializers.IntegerField(
        required=False, min_value=1, max_value=MAX_PAGE_SIZE, default=PAGE_SIZE, help_text="Conversations per page."
    )


class EventsQuerySerializer(serializers.Serializer):
    wait = serializers.IntegerField(
        required=False, min_value=0, max_value=10**6,
        help_text="For clients without server-sent events: answer with JSON as soon as there is an event, or after "
        "this many seconds (at most 55).",
    )  # fmt: skip
    last_event_id = serializers.CharField(
        required=False, max_length=100, allow_blank=True,
        help_text="For clients that cannot send the `Last-Event-ID` header.",
    )  # fmt: skip
