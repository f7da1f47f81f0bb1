"""The notes that ``manage.py demo`` creates."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User

from .models import Role
from .services import labels, notes, reminders, sharing


@transaction.atomic
def fill(people: Sequence[User]) -> str:
    """Create notes for the first two users and return a summary."""
    ann, ben, *_ = people
    home = labels.create_label(owner=ann, name="Home")
    shopping = notes.create_note(
        owner=ann,
        title="Groceries",
        items=[
            {"text": "Milk", "checked": True},
            {"text": "Bread", "checked": False},
            {"text": "Café", "checked": False},
        ],
        label_ids=[home.pk],
    )
    sharing.share_note(by=ann, note_id=shopping.pk, usercode=ben.usercode, role=Role.EDITOR)
    plan = notes.create_note(owner=ann, title="Release plan", body="Freeze on Monday, tag on Wednesday.")
    reminders.set_reminder(by=ann, note_id=plan.pk, remind_at=timezone.now() + timedelta(days=2))
    notes.create_note(owner=ben, title="Books", body="The Design of Everyday Things")
    return "3 notes, one of them shared, and a label"
