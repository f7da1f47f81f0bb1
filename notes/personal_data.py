"""The notes part of a user's data export."""

from typing import Any

from accounts.models import User

from .models import Label, Reminder
from .takeout.export import exported_notes


def personal_data(user: User) -> dict[str, Any]:
    """Return everything that notes stores about ``user``."""
    return {
        "notes": list(exported_notes(user)),
        "labels": list(Label.objects.visible_to(user).values_list("name", flat=True)),
        "reminders": list(Reminder.objects.filter(membership__user=user).values("membership__note_id", "remind_at")),
        "imports": list(user.note_imports.values("name", "size", "status", "total", "created", "created_at")),
    }
