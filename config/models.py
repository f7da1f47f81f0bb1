"""The plumbing's own rows."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from .claims import Job, pending
from .fields import IdArrayField


class OutgoingMail(Job):
    """A mail to send. It holds no secret: mails with a link come from a row that makes the link as it sends."""

    to = models.EmailField("recipient", max_length=254)
    template = models.CharField(
        max_length=100,
        help_text="The name of two files in mail/, .html and .txt; the first line of the latter is the subject.",
    )
    context = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "outgoing mail"
        verbose_name_plural = "outgoing mail"
        ordering = ("-id",)
        indexes = (pending("outgoingmail_pending"),)

    def __str__(self) -> str:
        return f"{self.template} to {self.to}"


class DiscardedFile(Job):
    """A file that no row refers to, any more or yet: to be removed when it is due, or when the storage is back."""

    key = models.CharField(max_length=200)

    class Meta:
        ordering = ("-id",)
        indexes = (pending("discarded_file_pending"),)

    def __str__(self) -> str:
        return self.key


class CacheGeneration(models.Model):
    """The age of what is cached under a scope; a writer moves it in the transaction that makes the old bytes wrong."""

    scope = models.CharField(max_length=100, primary_key=True)
    value = models.BigIntegerField(default=1)

    class Meta:
        ordering = ("scope",)

    def __str__(self) -> str:
        return f"{self.scope} {self.value}"


class IdempotencyKey(models.Model):
    """The first answer to a request that a client may repeat, kept for a day."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    endpoint = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32, help_text="SHA-256 of what the request asked for.")
    status = models.PositiveSmallIntegerField(default=0)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.UniqueConstraint(fields=["user", "endpoint", "key"], name="idempotencykey_once_a_user"),)
        indexes = (models.Index(fields=["created_at"], name="idempotencykey_age"),)
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.endpoint} {self.key}"


class OutgoingEvent(models.Model):
    """Something that open event streams are told; kept for the few seconds until it is known to be in Redis."""

    key = models.UUIDField(default=uuid.uuid4, help_text="Its name in Redis, where it is taken once.")
    user_ids = IdArrayField(
        models.BigIntegerField(), help_text="Whom it is for; nobody where only the processes are told."
    )
    kind = models.CharField(max_length=30)
    data = models.TextField(help_text="JSON.")
    receipt = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.kind} for {len(self.user_ids)}"
