"""The notes of ``manage.py demo``."""

from collections.abc import Sequence
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from accounts.models import User

from .models import Role
from .services import content, labelling, own, sharing


@transaction.atomic
def fill(people: Sequence[User]) -> str:
    """A few notes of the first person, one of them shared with the second; returns what was made."""
    ann, ben, *_ = people
    home = labelling.create_label(owner=ann, name="Home")
    shopping = content.create_note(
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
    plan = content.create_note(owner=ann, title="Release plan", body="Freeze on Monday, tag on Wednesday.")
    own.set_reminder(by=ann, note_id=plan.pk, remind_at=timezone.now() + timedelta(days=2))
    content.create_note(owner=ben, title="Books", body="The Design of Everyday Things")
    return "3 notes, one of them shared, and a label"
