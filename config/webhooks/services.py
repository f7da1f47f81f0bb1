"""Create, change and delete webhooks, and send deliveries again."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from rest_framework.exceptions import NotFound

from config import audit, mail
from config.api.errors import Conflict
from config.db import locks
from config.db.batches import delete_batch
from config.jobs.enqueue import enqueue

from . import publishing, signing
from .models import RESTART, DisabledReason, Webhook, WebhookDelivery

logger = structlog.get_logger(__name__)

MAX_PER_USER = 10
OVERLAP = timedelta(days=1)  # for which the previous secret signs, too
OFF = "The webhook was switched off."


class TooManyWebhooks(Conflict):
    default_detail = f"You have {MAX_PER_USER} webhooks, the maximum. Delete one first."
    default_code = "too_many_webhooks"


class WebhookInactive(Conflict):
    default_detail = "The webhook is switched off. Set `active` to true first."
    default_code = "webhook_inactive"


@transaction.atomic
def create_webhook(
    *, owner: Any, url: str, kinds: Sequence[str], description: str = "", active: bool = True
) -> tuple[Webhook, str]:
    """Create a webhook and return it with its secret; raises TooManyWebhooks. ``url`` has been checked."""
    locks.lock(f"webhooks: of {owner.pk}")
    if Webhook.objects.visible_to(owner).count() >= MAX_PER_USER:
        raise TooManyWebhooks
    webhook = Webhook.objects.create(owner=owner, url=url, kinds=list(kinds), description=description, active=active)
    webhook.refresh_from_db(fields=["created_at"])
    # Not the URL: its path may be a secret of the receiver.
    audit.record("webhook_created", user=owner, target=webhook, details={"kinds": webhook.kinds})
    return webhook, signing.secret(webhook.salt)


@transaction.atomic
def update_webhook(*, webhook: Webhook, **changes: Any) -> Webhook:
    """Change url, kinds, description or active; raises NotFound if the webhook was deleted meanwhile.

    A new URL, and switching it on, end its count of failures. Switching it off ends its waiting deliveries.
    """
    locked = _lock(webhook)
    changed = [name for name, value in changes.items() if getattr(locked, name) != value]
    switched_on = changes.get("active", False) and not locked.active
    switched_off = not changes.get("active", True) and locked.active
    if switched_on or changes.get("url", locked.url) != locked.url:
        changes |= {"failing_since": None, "is_slow": False}
    if switched_on:
        changes["disabled_reason"] = ""
    for name, value in changes.items():
        setattr(locked, name, value)
    if changes:
        locked.save(update_fields=list(changes))
    if switched_off:
        _end_waiting(locked)
    if changed:
        details = {"changes": changed, **({"active": locked.active} if "active" in changed else {})}
        audit.record("webhook_changed", user=locked.owner, target=locked, details=details)
    return locked


@transaction.atomic
def delete_webhook(*, webhook: Webhook) -> None:
    """Delete a webhook with its deliveries; raises NotFound."""
    locked = _lock(webhook)
    audit.record("webhook_deleted", user=locked.owner, target=locked)
    locked.delete()


@transaction.atomic
def delete_webhooks_of(owner: Any) -> None:
    """Delete all webhooks of an account that is being deleted."""
    # Locked before their deliveries, as everywhere: otherwise this could deadlock with a worker.
    ids = list(Webhook.objects.visible_to(owner).order_by("pk").select_for_update().values_list("pk", flat=True))
    Webhook.objects.filter(pk__in=ids).delete()


@transaction.atomic
def replace_secret(*, webhook: Webhook) -> str:
    """Return a new secret; the one before signs for another day, too. Raises NotFound."""
    locked = _lock(webhook)
    salt = signing.new_salt()
    Webhook.objects.filter(pk=locked.pk).update(salt=salt, previous_salt=locked.salt, previous_until=Now() + OVERLAP)
    audit.record("webhook_secret_replaced", user=locked.owner, target=locked)
    return signing.secret(salt)


@transaction.atomic
def send_test(*, webhook: Webhook) -> WebhookDelivery:
    """Send a ``ping``; raises NotFound, WebhookInactive."""
    locked = _lock(webhook)
    if not locked.active:
        raise WebhookInactive
    delivery = WebhookDelivery.objects.create(
        webhook=locked,
        kind=WebhookDelivery.PING,
        type=WebhookDelivery.PING,
        body=publishing.body(WebhookDelivery.PING, {"id": locked.pk}),
    )
    enqueue(WebhookDelivery)
    delivery.refresh_from_db()
    return delivery


@transaction.atomic
def resend(*, delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a delivery again, with the same id and all attempts; raises NotFound, WebhookInactive.

    A delivery that is being sent at this moment stays as it is.
    """
    if not _lock(delivery.webhook).active:
        raise WebhookInactive
    rows = WebhookDelivery.objects.filter(pk=delivery.pk)
    rows.exclude(leased_until__gt=Now()).update(**RESTART, error="")
    enqueue(WebhookDelivery)
    if (stored := rows.first()) is None:
        raise NotFound
    return stored


@transaction.atomic
def disable(webhook: Webhook, reason: DisabledReason) -> None:
    """Switch off a webhook that the caller has locked, and mail its owner."""
    webhook.active, webhook.disabled_reason = False, reason
    webhook.save(update_fields=["active", "disabled_reason"])
    _end_waiting(webhook)
    context = {
        "username": webhook.owner.get_username(),
        "name": webhook.description or f"number {webhook.pk}",
        "gone": reason == DisabledReason.GONE,
        "account_url": f"{settings.PUBLIC_URL}/account/",
    }
    mail.queue(to=webhook.owner.email, template="webhook_disabled", context=context, user=webhook.owner)
    audit.record("webhook_disabled", user=webhook.owner, target=webhook, details={"reason": str(reason)})
    logger.info("webhook_disabled", webhook=webhook.pk, reason=str(reason))


def delete_expired() -> int:
    """Delete a batch of ended deliveries that are older than ``WEBHOOK_DAYS``; return how many."""
    old = WebhookDelivery.objects.filter(created_at__lt=Now() - timedelta(days=settings.WEBHOOK_DAYS))
    return delete_batch(old.exclude(done_at=None, failed_at=None))


def _lock(webhook: Webhook) -> Webhook:
    locked = Webhook.objects.filter(pk=webhook.pk).select_for_update().first()
    if locked is None:
        raise NotFound
    return locked


def _end_waiting(webhook: Webhook) -> None:
    """Mark the waiting deliveries failed. Those that are being sent end by themselves."""
    webhook.deliveries.unfinished().filter(leased_until=None).update(failed_at=Now(), error=OFF)
