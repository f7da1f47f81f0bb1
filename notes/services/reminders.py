"""Reminders: due rows become mails, each with the end of its row in one commit."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings

from config import claims, mail

from ..models import Membership, Reminder
from .access import forget_reads

EXCERPT = 300  # characters of the note's text that the mail quotes


def send_due_reminders(limit: int = 500) -> int:
    """Have the reminders mailed whose time has come, those of trashed notes and of closed accounts left waiting."""
    rows = Reminder.objects.filter(membership__trashed=False, membership__user__is_active=True)
    return claims.work_through(rows, _send, limit=limit)


def _send(reminder: Reminder) -> None:
    membership = Membership.objects.select_related("user__profile", "note").get(pk=reminder.membership_id)
    if membership.trashed:
        raise claims.Postpone("The note was put in the trash at this very moment.")
    note, person = membership.note, membership.user
    mail.queue(
        to=person.email,
        template="note_reminder",
        context={
            "title": " ".join(note.title.split()),
            "excerpt": excerpt(note.body, note.items),
            "when": local_time(reminder.remind_at, person.profile.timezone),
            "url": f"{settings.PUBLIC_URL}/notes/{note.pk}/",
            "username": person.username,
        },
    )
    reminder.delete()
    forget_reads(person)


def excerpt(body: str, items: list[dict]) -> str:
    """The beginning of what the note says, or of what is still to do in its list."""
    text = body.strip() or "\n".join(f"– {item['text']}" for item in items if not item["checked"])
    return text if len(text) <= EXCERPT else text[:EXCERPT].rstrip() + "…"


def local_time(instant: datetime, zone: str) -> str:
    """``Saturday 21 November 2026, 09:30 (Europe/Rome)``; a zone that no longer exists gives UTC."""
    try:
        local = instant.astimezone(ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError):
        local, zone = instant.astimezone(UTC), "UTC"
    return f"{local:%A} {local.day} {local:%B %Y, %H:%M} ({zone})"
