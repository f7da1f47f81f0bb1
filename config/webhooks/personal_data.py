"""The webhooks part of a user's data export."""

from typing import Any

from .models import Webhook, WebhookDelivery


def personal_data(user: Any) -> list[dict[str, Any]]:
    """Return the user's webhooks with their deliveries, without the secrets."""
    fields = ("id", "url", "kinds", "description", "active", "created_at", "failing_since", "disabled_reason")
    of_delivery = ("type", "body", "created_at", "attempts", "done_at", "failed_at", "response_status")
    return [
        {**row, "deliveries": list(WebhookDelivery.objects.filter(webhook_id=row["id"]).values(*of_delivery))}
        for row in Webhook.objects.visible_to(user).values(*fields)
    ]
