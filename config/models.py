"""Tables that belong to no app: outgoing e-mail, discarded files, cache generations, idempotency keys, events."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from .audit.models import AuditRecord
from .db.fields import IdArrayField
from .jobs.job import Job, SteppedJob, due_index, failed_index

__all__ = [
    "AuditRecord", "Backup", "CacheGeneration", "DiscardedFile", "DismissedJob", "Figure", "IdempotencyKey",
    "OutgoingEvent", "OutgoingMail",
]  # fmt: skip


class OutgoingMail(Job):
    """An e-mail to send. It contains no secret: e-mails with a secret link are made by the row that makes the link."""

    task = "config.tasks.send_mail"

    to = models.EmailField("recipient", max_length=254)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        null=True,
        editable=False,
        related_name="+",
        help_text="The user that the e-mail is about. It is deleted with the account.",
    )
    is_transient = models.BooleanField(default=False, editable=False, help_text="Delete the row once it is sent.")
    template = models.CharField(
        max_length=100,
        help_text="The name of two templates in mail/, .html and .txt. The first line of the .txt file is the subject.",
    )
    context = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "outgoing mail"
        verbose_name_plural = "outgoing mail"
        ordering = ("-id",)
        indexes = (
            due_index("outgoingmail_pending"),
            failed_index("outgoingmail_failed"),
        )

    def __str__(self) -> str:
        return f"{self.template} to {self.to}"


class DiscardedFile(Job):
    """A file that no row refers to, no longer or not yet: it is deleted when the row is due."""

    task = "config.tasks.discard_files"

    key = models.CharField(max_length=200)

    class Meta:
        ordering = ("-id",)
        indexes = (
            due_index("discarded_file_pending"),
            failed_index("discarded_file_failed"),
        )

    def __str__(self) -> str:
        return self.key


class Backup(SteppedJob):
    """A scheduled backup: an archive in the storage ``backups``, until newer ones replace it."""

    task = "config.tasks.make_backups"

    name = models.CharField(max_length=100, blank=True, help_text="The archive in the folder or bucket of the backups.")
    size = models.BigIntegerField(default=0, help_text="Of the archive, in bytes.")
    rows = models.BigIntegerField(default=0, help_text="Rows that were counted in the restored copy.")
    files = models.PositiveIntegerField(default=0, help_text="Files of the local storage in the archive.")
    verified_at = models.DateTimeField(null=True, help_text="When the copy was restored and counted.")
    encrypted = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True, help_text="When newer backups replaced it.")

    class Meta:
        ordering = ("-id",)
        indexes = (
            due_index("backup_pending"),
            failed_index("backup_failed"),
        )

    def __str__(self) -> str:
        return self.name or f"Backup {self.pk}"


class DismissedJob(models.Model):
    """A failed job row that staff removed from the dashboard. If it fails again, it is listed again."""

    table = models.CharField(max_length=60, help_text="Label of the job model, such as config.outgoingmail.")
    row = models.BigIntegerField(help_text="ID of the row.")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.UniqueConstraint(fields=["table", "row"], name="dismissedjob_once_a_row"),)
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.table} {self.row}"


class Figure(models.Model):
    """How many rows of a kind there were at the end of a day (UTC), for the history in the dashboard."""

    day = models.DateField()
    name = models.CharField(max_length=30)
    value = models.BigIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["day", "name"], name="figure_once_a_day"),)
        ordering = ("-day", "name")

    def __str__(self) -> str:
        return f"{self.name} {self.day}"


class CacheGeneration(models.Model):
    """How often a scope's cached responses were invalidated: the sum of its rows, one for each slot of the writers.

    Writers of different slots do not wait for each other (docs/decisions/generations-in-postgres.md).
    """

    scope = models.CharField(max_length=100)
    slot = models.SmallIntegerField(default=0, db_default=0)
    value = models.BigIntegerField(default=1)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["scope", "slot"], name="cachegeneration_once_a_slot"),)
        ordering = ("scope", "slot")

    def __str__(self) -> str:
        return f"{self.scope} {self.value}"


class IdempotencyKey(models.Model):
    """The first answer to a request that a client may repeat, stored for a day."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    endpoint = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32, help_text="SHA-256 of the request's content.")
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
    """An event for open streams; deleted some seconds later, when it is known to be in Redis."""

    key = models.UUIDField(default=uuid.uuid4, help_text="Identifies the event in Redis, so that it is added once.")
    user_ids = IdArrayField(
        models.BigIntegerField(), help_text="The users who get the event; empty for a notice to the events processes."
    )
    kind = models.CharField(max_length=30)
    data = models.TextField(help_text="JSON.")
    receipt = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.kind} for {len(self.user_ids)}"
