"""What a person does to their own view of notes. Nobody else sees it, and the note's version stays."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from rest_framework.exceptions import NotFound

from accounts.models import User
from config.errors import attr_error

from ..models import Membership, Reminder
from .access import forget_reads, take


@transaction.atomic
def set_view(
    *,
    by: User,
    note_ids: Collection[int],
    versions: Collection[int] | None = None,
    pinned: bool | None = None,
    archived: bool | None = None,
) -> None:
    """Pin, unpin, archive or unarchive; what is None stays."""
    memberships = take(by=by, note_ids=note_ids, versions=versions)
    asked = {"pinned": pinned, "archived": archived}
    changes = {name: value for name, value in asked.items() if value is not None}
    Membership.objects.filter(pk__in=[membership.pk for membership in memberships]).update(**changes)
    forget_reads(by)


@transaction.atomic
def set_reminder(*, by: User, note_id: int, remind_at: datetime, versions: Collection[int] | None = None) -> None:
    """Have ``by`` reminded at ``remind_at``, in place of any earlier setting. A past one is a validation error."""
    membership: Any
    (membership,) = take(by=by, note_ids=[note_id], versions=versions)
    if remind_at <= membership.now:
        raise attr_error("remind_at", "This moment has passed.", "in_the_past")
    # A new row, since the old one may be with a worker right now: that one then finds its row gone, or has sent it.
    Reminder.objects.filter(membership=membership).delete()
    Reminder.objects.create(membership=membership, remind_at=remind_at, due_at=remind_at)
    forget_reads(by)


@transaction.atomic
def clear_reminder(*, by: User, note_id: int, versions: Collection[int] | None = None) -> None:
    """Raises NotFound where none is set."""
    (membership,) = take(by=by, note_ids=[note_id], versions=versions)
    deleted, _ = Reminder.objects.filter(membership=membership).delete()
    if not deleted:
        raise NotFound
    forget_reads(by)
