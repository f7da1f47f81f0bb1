"""How many notes and bytes a user can own: ``NOTES_MAX_PER_USER`` and ``NOTES_MAX_BYTES_PER_USER``."""

import json
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce

from accounts.models import User
from config.api.errors import Conflict

from ..models import Note


class QuotaExceeded(Conflict):
    default_detail = "The owner's quota of notes is full. Delete notes and empty the trash first."
    default_code = "quota_exceeded"


@dataclass
class Room:
    """How many notes and bytes the user can still add; None is unlimited."""

    notes: int | None
    size: int | None

    def take(self, size: int, notes: int = 1) -> bool:
        """Use the room for notes of ``size`` bytes; return False and use nothing if there is not enough."""
        if self.notes is not None and notes > self.notes:
            return False
        if self.size is not None and size > self.size:
            return False
        self.notes = None if self.notes is None else self.notes - notes
        self.size = None if self.size is None else self.size - size
        return True


def is_limited() -> bool:
    return settings.NOTES_MAX_PER_USER is not None or settings.NOTES_MAX_BYTES_PER_USER is not None


def room_of(user: User) -> Room:
    """Return the user's room. The caller has locked the user."""
    if not is_limited():
        return Room(None, None)
    owned = Note.objects.filter(owner=user).aggregate(notes=Count("pk"), size=Coalesce(Sum("size"), 0))
    limits = {"notes": settings.NOTES_MAX_PER_USER, "size": settings.NOTES_MAX_BYTES_PER_USER}
    return Room(**{name: None if limit is None else limit - owned[name] for name, limit in limits.items()})


def check(owner_id: int, *, notes: int, size: int) -> None:
    """Raise QuotaExceeded if the owner cannot add ``notes`` notes and ``size`` bytes; locks the owner.

    Call it after the notes are locked and before they are written.
    """
    if not is_limited() or (notes <= 0 and size <= 0):
        return
    # Locking the owner makes the sums reliable: two concurrent requests cannot both use the last room.
    owner = User.objects.select_for_update(no_key=True).filter(pk=owner_id).first()
    if owner is not None and not room_of(owner).take(size, notes):
        raise QuotaExceeded


def content_size(title: str, body: str, items: list[dict[str, Any]]) -> int:
    """Return the bytes of a note's content, as ``Note.size`` counts them."""
    return len((title + body + json.dumps(items, ensure_ascii=False)).encode())
