"""Querysets of messages and receipts; ``visible_to(user)`` comes first."""

from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, OuterRef, Q

from config.jobs.job import JobQuerySet

if TYPE_CHECKING:
    from accounts.models import User

# Every receipt that its recipient sees is one or the other. Each has a partial index, which Postgres uses only for
# exactly this condition.
UNREAD = Q(read_at=None, deleted=False, withheld=False)
SEEN = (Q(read_at__isnull=False) | Q(deleted=True)) & Q(withheld=False)


class MessageQuerySet(models.QuerySet):
    def visible_to(self, user: "User") -> Self:
        """Select messages that ``user`` sent or received, including broadcasts whose receipts do not exist yet."""
        receipts = apps.get_model("messaging", "MessageRecipient").objects.received_by(user)
        batches = apps.get_model("messaging", "BroadcastBatch").objects.pending_for(user)
        return self.filter(
            Q(sender=user)
            | Exists(receipts.filter(message=OuterRef("pk")))
            | Exists(batches.filter(message=OuterRef("pk")))
        )

    def with_sender(self) -> Self:
        """Load the sender in the same query."""
        return self.select_related("sender")


class MessageRecipientQuerySet(models.QuerySet):
    def received_by(self, user: "User") -> Self:
        """Select the receipts of messages that reached ``user``."""
        return self.filter(recipient=user, withheld=False)

    def unread_by(self, user: "User") -> Self:
        """Select the receipts of messages that ``user`` has not read."""
        return self.received_by(user).filter(UNREAD)


class BroadcastBatchQuerySet(JobQuerySet):
    def pending_for(self, user: "User") -> Self:
        """Select batches that will create a receipt for ``user``; there are few, and a partial index holds them."""
        return self.filter(done_at=None, recipient_ids__contains=[user.pk])
