"""Requests and responses of ``/api/v1/webhooks/``."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from . import addresses
from .models import MAX_DESCRIPTION, MAX_URL, Kind, WebhookDelivery

EXAMPLE = {
    "id": 3,
    "url": "https://hooks.example.org/atrium",
    "kinds": ["note", "message"],
    "description": "Sync to the wiki",
    "active": True,
    "created_at": "2026-11-21T08:15:42.000210Z",
    "failing_since": None,
    "disabled_reason": None,
}
EXAMPLE_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"  # noqa: S105  the example of Standard Webhooks
EXAMPLE_DELIVERY = {
    "id": 812,
    "message_id": "msg_5f0c3b1e9a7d4f54a1d2c3b4e5f60718",
    "kind": "note",
    "type": "note.changed",
    "created_at": "2026-11-21T08:15:42.000210Z",
    "status": "delivered",
    "attempts": 1,
    "response_status": 204,
    "duration_ms": 87,
    "error": None,
    "next_attempt_at": None,
}


class TextField(serializers.CharField):
    """A text; numbers are refused."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class URLField(TextField):
    """A URL that a webhook may have, as far as the URL itself says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_URL, **options)

    def to_internal_value(self, data: Any) -> str:
        url = super().to_internal_value(data)
        try:
            addresses.parse(url)
        except addresses.RefusedURL as error:
            raise serializers.ValidationError(str(error), "invalid_url") from error
        return url


class KindsField(serializers.ListField):
    """Kinds without repetition, in the order of the documentation."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=serializers.ChoiceField(Kind.choices), allow_empty=False, max_length=20, **options)

    def to_internal_value(self, data: Any) -> list[str]:
        chosen = super().to_internal_value(data)
        return [kind for kind in Kind.values if kind in chosen]


class WebhookFieldsSerializer(serializers.Serializer):
    """The fields that a user sets."""

    url = URLField(help_text="It begins with `https://`. It has no username, and no address that is not public.")
    kinds = KindsField(help_text="What it is notified of. `message`, `note` and `upload` are your own.")
    description = TextField(max_length=MAX_DESCRIPTION, allow_blank=True, default="", help_text="For you.")
    active = serializers.BooleanField(default=True, help_text="Whether deliveries are made.")


@extend_schema_serializer(examples=[OpenApiExample("A webhook", EXAMPLE, response_only=True)])
class WebhookSerializer(serializers.Serializer):
    id = serializers.IntegerField()
    url = serializers.CharField()
    kinds = serializers.ListField(child=serializers.ChoiceField(Kind.choices))
    description = serializers.CharField()
    active = serializers.BooleanField(help_text="Whether deliveries are made.")
    created_at = serializers.DateTimeField()
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="The first failed attempt since the last one that succeeded."
    )
    disabled_reason = serializers.CharField(
        source="reason",
        allow_null=True,
        help_text="Why Atrium switched it off: the receiver answered 410 (`gone`) or failed for 3 days (`failing`).",
    )


class SecretSerializer(serializers.Serializer):
    secret = serializers.CharField(help_text="It verifies signatures. It is not shown again.")


@extend_schema_serializer(
    examples=[OpenApiExample("A new webhook", {**EXAMPLE, "secret": EXAMPLE_SECRET}, response_only=True)]
)
class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(
        allow_null=True,
        help_text="It verifies signatures, and is shown this once: null in a repeated answer (`Idempotency-Key`).",
    )


@extend_schema_serializer(examples=[OpenApiExample("A delivery", EXAMPLE_DELIVERY, response_only=True)])
class DeliverySerializer(serializers.ModelSerializer):
    message_id = serializers.CharField(help_text="The header `webhook-id`: the same in each attempt.")
    kind = serializers.ChoiceField([(kind, kind) for kind in WebhookDelivery.KINDS])
    type = serializers.CharField(help_text="What happened, such as `note.changed`.")
    status = serializers.ChoiceField(WebhookDelivery.Status.choices)
    error = serializers.SerializerMethodField(help_text="Why the last attempt failed.")
    next_attempt_at = serializers.DateTimeField(allow_null=True)

    class Meta:
        model = WebhookDelivery
        fields = tuple(EXAMPLE_DELIVERY)
        read_only_fields = fields

    def get_error(self, delivery: WebhookDelivery) -> str | None:
        return delivery.error or None
