"""Messages, and one row for each person who receives one: that person's view of it."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual

from config.claims import Job, pending
from config.fields import IdArrayField

from .querysets import SETTLED, UNREAD, MessageQuerySet, MessageRecipientQuerySet

BODY_LENGTH = 4000
RECIPIENTS = 100


class Message(models.Model):
    """What somebody wrote. Deleted by its sender it stays as a tombstone without a body."""

    sender = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    body = models.TextField(blank=True)
    broadcast = models.BooleanField(default=False)
    recipient_count = models.PositiveIntegerField(help_text="How many it was sent to.")
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, editable=False)

    objects = MessageQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["sender", "-id"], name="message_sent"),
            models.Index(fields=["sender", "-id"], name="message_broadcast", condition=Q(broadcast=True)),
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
    """One person's receipt of a message.

    ``sender`` and ``broadcast`` are the message's own, repeated for the indexes that make every list a few ranges of an
    index; that the sender exists Postgres checks once, at the message, and ``receivers.take_the_name_off`` takes the
    place of ``on_delete``. A ``withheld`` row is for a recipient who has blocked the sender: only the sender sees it,
    undelivered for ever.
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
            # Each row of a broadcast pays for every index, so one serves several lists where it can, and an unread row
            # enters `settled` only when it is read. Each holds all that its lists ask for: a page is read from the
            # index alone, and no user is so busy that the planner would rather walk through everybody's rows.
            models.Index(
                fields=["recipient", "broadcast", "-message"], name="messagerecipient_received", include=["withheld"]
            ),
            models.Index(fields=["recipient", "sender", "message"], name="messagerecipient_unread", condition=UNREAD),
            models.Index(
                fields=["recipient", "sender", "message"], name="messagerecipient_settled", include=["withheld"],
                condition=SETTLED,
            ),
            models.Index(
                fields=["recipient", "-message"], name="messagerecipient_orphaned", include=["withheld"],
                condition=Q(sender=None),
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"Message {self.message_id} to {self.recipient_id}"


class BroadcastBatch(Job):
    """Part of a broadcast's fan-out: some of those who were online when it was sent, to be made into MessageRecipient
    rows. Everybody is in one batch; several workers make several at once.
    """

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="batches")
    recipient_ids = IdArrayField(models.BigIntegerField())

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "broadcast batches"
        indexes = (
            pending("broadcast_pending"),
            models.Index(fields=["message"], name="broadcast_unfinished", condition=Q(done_at=None)),
        )

    def __str__(self) -> str:
        return f"Broadcast {self.message_id} to {len(self.recipient_ids)}"


class Block(models.Model):
    """``blocker`` receives nothing from ``blocked`` and is not seen online by them."""

    blocker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    blocked = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(fields=["blocker", "blocked"], name="block_once"),
            models.CheckConstraint(condition=~Q(blocker=F("blocked")), name="block_somebody_else"),
        )

    def __str__(self) -> str:
        return f"{self.blocker} blocks {self.blocked}"
