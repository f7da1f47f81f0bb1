"""Webhooks and their deliveries."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Now

from config.jobs.job import Job, JobQuerySet, due_index, failed_index

from .signing import new_salt

MAX_URL = 2000  # characters
MAX_DESCRIPTION = 200
MAX_BODY = 20_000  # bytes


class Kind(models.TextChoices):
    """What a webhook can subscribe to."""

    MESSAGE = "message", "messages"
    NOTE = "note", "notes"
    UPLOAD = "upload", "uploads of contacts"
    TRENDS = "trends", "imports of trends"


class DisabledReason(models.TextChoices):
    """Why the service switched a webhook off."""

    GONE = "gone", "the receiver answered 410"
    FAILING = "failing", "three days of failures"


class WebhookQuerySet(models.QuerySet):
    def visible_to(self, user: Any) -> Self:
        return self.filter(owner_id=user.pk)


class Webhook(models.Model):
    """A receiver: the URL to which deliveries of some kinds are sent."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField("URL", max_length=MAX_URL)
    kinds = ArrayField(models.CharField(max_length=10, choices=Kind.choices))
    description = models.CharField(max_length=MAX_DESCRIPTION, blank=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    salt = models.CharField(
        max_length=32, default=new_salt, editable=False, help_text="With SECRET_KEY it gives the secret (signing.py)."
    )
    # The secret before the current one also signs until then, so that a receiver can change it at any time.
    previous_salt = models.CharField(max_length=32, blank=True, editable=False)
    previous_until = models.DateTimeField(null=True, editable=False)
    failing_since = models.DateTimeField(
        null=True, editable=False, help_text="The first failure after the last success."
    )
    disabled_reason = models.CharField(max_length=10, choices=DisabledReason.choices, blank=True, editable=False)
    is_slow = models.BooleanField(default=False, editable=False, help_text="The last answer took seconds.")

    objects = WebhookQuerySet.as_manager()

    class Meta:
        ordering = ("id",)
        indexes = (models.Index(fields=["owner"], name="webhook_active", condition=models.Q(active=True)),)

    def __str__(self) -> str:
        return f"{self.pk}: {self.description or self.url}"

    @property
    def reason(self) -> str | None:
        """Why the service switched it off; None if it did not."""
        return self.disabled_reason or None

    def recent(self) -> "models.QuerySet[WebhookDelivery]":
        """Return the last deliveries, for a page."""
        return self.deliveries.all()[:5]


class DeliveryQuerySet(JobQuerySet):
    def retry_failed(self) -> int:
        """Make failed deliveries due again with all their attempts; returns how many."""
        return self.exclude(failed_at=None).filter(webhook__active=True).update(**RESTART)


RESTART: dict[str, Any] = {"done_at": None, "failed_at": None, "leased_until": None, "attempts": 0, "due_at": Now()}


class WebhookDelivery(Job):
    """One message to one webhook. It is deleted ``WEBHOOK_DAYS`` after it was made."""

    task = "config.tasks.deliver_webhooks"
    reports_to_user = True

    class Status(models.TextChoices):
        WAITING = "waiting", "waiting"
        DELIVERED = "delivered", "delivered"
        FAILED = "failed", "failed"

    PING = "ping"
    KINDS = (*Kind.values, PING)

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    key = models.UUIDField(db_default=RandomUUID(), editable=False, help_text="Part of the id that the receiver gets.")
    kind = models.CharField(max_length=10)
    type = models.CharField(max_length=40, help_text="What happened, such as note.changed.")
    body = models.TextField(help_text="The JSON that is sent.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    leased_until = models.DateTimeField(
        null=True, editable=False, help_text="While a worker sends it. Afterwards another worker takes over."
    )
    response_status = models.PositiveSmallIntegerField(null=True, editable=False)
    duration_ms = models.PositiveIntegerField(null=True, editable=False)

    objects: ClassVar = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "webhook deliveries"
        ordering = ("-id",)
        indexes = (
            # Unlike the index of other jobs it begins with the webhook: a worker takes a few rows of each.
            models.Index(
                fields=["webhook", "due_at", "id"],
                name="webhookdelivery_pending",
                condition=models.Q(done_at=None, failed_at=None),
            ),
            # The dashboard lists deliveries of all webhooks that are stuck.
            due_index("webhookdelivery_due"),
            failed_index("webhookdelivery_failed"),
            models.Index(
                fields=["webhook"], name="webhookdelivery_leased", condition=models.Q(leased_until__isnull=False)
            ),
            models.Index(fields=["webhook", "-id"], name="webhookdelivery_list"),
            models.Index(fields=["created_at"], name="webhookdelivery_age"),
        )

    def __str__(self) -> str:
        return f"{self.type} to webhook {self.webhook_id}"

    @property
    def message_id(self) -> str:
        """The header ``webhook-id``: the same for each attempt and when the delivery is sent again."""
        return f"msg_{self.key.hex}"

    @property
    def status(self) -> str:
        if self.failed_at:
            return self.Status.FAILED
        return self.Status.DELIVERED if self.done_at else self.Status.WAITING

    @property
    def next_attempt_at(self) -> Any:
        return self.due_at if self.status == self.Status.WAITING else None
