"""Messages, receipts (one recipient's view of a message), broadcast jobs and blocks."""

from collections.abc import Sequence
from typing import ClassVar

from django.conf import settings
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.db import models
from django.db.models import Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from config.db.fields import IdArrayField
from config.db.search import Fold
from config.jobs.job import Job, due_index, failed_index

from .querysets import SEEN, UNREAD, BroadcastBatchQuerySet, MessageQuerySet, MessageRecipientQuerySet
from .representation import Receipt

BODY_LENGTH = 4000  # characters
MAX_RECIPIENTS = 100  # of a direct message; also how many recipients of a broadcast a message lists


class Message(models.Model):
    """A message. After its sender has deleted it, it stays as a tombstone without a body."""

    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    body = models.TextField(blank=True)
    broadcast = models.BooleanField(default=False)
    recipient_count = models.PositiveIntegerField(help_text="How many it was sent to.")
    created_at = models.DateTimeField(db_default=Now())
    edited_at = models.DateTimeField(null=True, editable=False)
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = MessageQuerySet.as_manager()

    # Set by the services that send.
    recipients: Sequence[Receipt] = ()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["sender", "-id"], name="message_sent"),
            models.Index(fields=["sender", "-id"], name="message_broadcast", condition=Q(broadcast=True)),
            models.Index(fields=["deleted_at"], name="message_deleted", condition=Q(deleted_at__isnull=False)),
            models.Index(fields=["edited_at"], name="message_edited", condition=Q(edited_at__isnull=False)),
            GinIndex(OpClass(Fold("body"), name="gin_trgm_ops"), name="message_search"),
        )
        constraints = (
            models.CheckConstraint(condition=LessThanOrEqual(Length("body"), BODY_LENGTH), name="message_body_length"),
            models.CheckConstraint(
                condition=Q(deleted_at=None) & ~Q(body="") | Q(deleted_at__isnull=False, body=""),
                name="message_body_until_deleted",
            ),
        )

    def __str__(self) -> str:
        return f"Message {self.pk}"


class MessageRecipient(models.Model):
    """A receipt: one recipient's view of a message.

    ``sender``, ``broadcast`` and ``deleted`` are copies of what the message says, because the indexes need them.
    ``sender`` has no foreign key: ``receivers.clear_sender`` replaces ``on_delete`` (docs/decisions/broadcast-rows.md).
    A ``withheld`` receipt belongs to a recipient who has blocked the sender: only the sender sees it, and it is never
    delivered.
    """

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="receipts", db_index=False)
    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.DO_NOTHING,
        null=True,
        related_name="+",
        db_index=False,
        db_constraint=False,
    )
    broadcast = models.BooleanField(default=False)
    withheld = models.BooleanField(default=False)
    deleted = models.BooleanField(default=False, db_default=False)
    delivered_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(null=True)

    objects = MessageRecipientQuerySet.as_manager()

    class Meta:
        ordering = ("-message_id", "recipient_id")
        constraints = (
            models.UniqueConstraint(fields=["message", "recipient"], name="messagerecipient_once"),
            models.CheckConstraint(
                condition=Q(withheld=False) | Q(delivered_at=None, read_at=None), name="messagerecipient_withheld"
            ),
            models.CheckConstraint(
                condition=Q(read_at=None) | Q(delivered_at__isnull=False), name="messagerecipient_read_is_delivered"
            ),
        )
        indexes = (
            # A new receipt of a broadcast enters only `received` and `unread`, and `seen` when it is read. Each index
            # covers its lists: a page is an index-only scan, also for a user with so many rows that the planner would
            # otherwise scan the table.
            models.Index(
                fields=["recipient", "broadcast", "-message"], name="messagerecipient_received", include=["withheld"]
            ),
            models.Index(fields=["recipient", "sender", "message"], name="messagerecipient_unread", condition=UNREAD),
            models.Index(fields=["recipient", "sender", "message"], name="messagerecipient_seen", condition=SEEN),
            models.Index(
                fields=["sender", "recipient", "message"], name="messagerecipient_sent", condition=Q(broadcast=False)
            ),
            models.Index(
                fields=["recipient", "-message"], name="messagerecipient_orphaned", include=["withheld"],
                condition=Q(sender=None),
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"Message {self.message_id} to {self.recipient_id}"


class BroadcastBatch(Job):
    """A job that creates the receipts of up to 5,000 recipients of a broadcast.

    The recipients are the people online when it was sent, each in one batch. Workers process batches in parallel.
    """

    task = "messaging.tasks.fan_out_broadcasts"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="batches")
    recipient_ids = IdArrayField(models.BigIntegerField())

    objects: ClassVar = BroadcastBatchQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "broadcast batches"
        indexes = (
            due_index("broadcast_pending"),
            failed_index("broadcast_failed"),
            models.Index(fields=["message"], name="broadcast_unfinished", condition=Q(done_at=None)),
        )

    def __str__(self) -> str:
        return f"Broadcast {self.message_id} to {len(self.recipient_ids)}"
