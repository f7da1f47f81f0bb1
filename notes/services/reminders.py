"""Reminders: set, clear, and queue the mails that are due."""

from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.db import transaction
from rest_framework.exceptions import NotFound

from accounts.models import User
from config import mail
from config.api.errors import attr_error
from config.jobs import runner

from ..models import Membership, Reminder
from .access import lock_notes
from .events import notify_user

EXCERPT = 300  # characters of the note that the mail quotes


@transaction.atomic
def set_reminder(*, by: User, note_id: int, remind_at: datetime, versions: Collection[int] | None = None) -> None:
    """Set or replace ``by``'s reminder. Raises a validation error if ``remind_at`` is in the past."""
    membership: Any
    (membership,) = lock_notes(by=by, note_ids=[note_id], versions=versions)
    if remind_at <= membership.now:
        raise attr_error("remind_at", "Choose a time in the future.", "in_the_past")
    # Delete and insert instead of update: a worker may be processing the old row, and must not delete the new one.
    Reminder.objects.filter(membership=membership).delete()
    Reminder.objects.create(membership=membership, remind_at=remind_at, due_at=remind_at)
    notify_user(by, [note_id], by=by)


@transaction.atomic
def clear_reminder(*, by: User, note_id: int, versions: Collection[int] | None = None) -> None:
    """Delete ``by``'s reminder. Raises NotFound if there is no reminder."""
    (membership,) = lock_notes(by=by, note_ids=[note_id], versions=versions)
    deleted, _ = Reminder.objects.filter(membership=membership).delete()
    if not deleted:
        raise NotFound
    notify_user(by, [note_id], by=by)


def send_due_reminders(limit: int = 500) -> int:
    """Queue the mails of due reminders and return how many; trashed notes and inactive users wait."""
    rows = Reminder.objects.filter(membership__trashed=False, membership__user__is_active=True)
    return runner.run_due(rows, _queue_mail, limit=limit)


def _queue_mail(reminder: Reminder) -> None:
    membership = Membership.objects.select_related("user__profile", "note").get(pk=reminder.membership_id)
    if membership.trashed:
        raise runner.Postpone("The note was moved to the trash meanwhile.")
    note, user = membership.note, membership.user
    mail.queue(
        to=user.email,
        template="note_reminder",
        context={
            "title": " ".join(note.title.split()),
            "excerpt": excerpt(note.body, note.items),
            "when": local_time(reminder.remind_at, user.profile.timezone),
            "url": f"{settings.PUBLIC_URL}/notes/{note.pk}/",
            "username": user.username,
        },
        user=user,
    )
    reminder.delete()
    notify_user(user, [note.pk])


def excerpt(body: str, items: list[dict]) -> str:
    """Return the beginning of the body, or of the unchecked items if the body is empty."""
    text = body.strip() or "\n".join(f"– {item['text']}" for item in items if not item["checked"])
    return text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + "…"


def local_time(instant: datetime, zone: str) -> str:
    """Return ``Saturday 21 November 2026, 09:30 (Europe/Rome)``; in UTC if the zone is unknown."""
    try:
        local = instant.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        local, zone = instant.astimezone(UTC), "UTC"
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M} ({zone})"
