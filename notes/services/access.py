"""The start of every write: lock the notes, then check role, version and trash."""

from collections.abc import Collection
from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied

from accounts.models import User
from config.api.errors import Conflict, PreconditionFailed

from ..models import Membership, Note, Role

ANY_ROLE = frozenset(Role)
WRITERS = frozenset({Role.OWNER, Role.EDITOR})
OWNER = frozenset({Role.OWNER})


class ReadOnlyForYou(PermissionDenied):
    default_detail = "You can view this note but not edit it."
    default_code = "viewer"


class OwnerOnly(PermissionDenied):
    default_detail = "Only the owner of the note can do this."
    default_code = "owner_only"


class NoteChanged(PreconditionFailed):
    """The note has another version than ``If-Match`` names; the ``ETag`` of the response is the current version."""


class NoteInTrash(Conflict):
    default_detail = "The note is in the trash. Its owner can restore it."
    default_code = "note_in_trash"


def lock_notes(
    *,
    by: User,
    note_ids: Collection[int],
    roles: frozenset[Role] = ANY_ROLE,
    versions: Collection[int] | None = None,
    in_trash: bool = True,
) -> list[Membership]:
    """Lock the notes until the end of the transaction and return ``by``'s memberships of them, each with its ``note``.

    ``versions`` are the versions that ``If-Match`` accepts, None for any. ``in_trash`` False refuses trashed notes.
    Raises NotFound if ``by`` does not see one of them, ReadOnlyForYou, OwnerOnly, NoteChanged, NoteInTrash.

    Memberships are read after the notes are locked: a member who was removed meanwhile gets NotFound.
    """
    notes = {
        note.pk: note
        for note in Note.objects.visible_to(by)
        .filter(pk__in=note_ids)
        .for_writing()
        .only("version", "trashed_at", "updated_at", "owner")
    }
    memberships: list[Membership] = list(
        Membership.objects.visible_to(by).filter(note_id__in=notes).annotate(now=Now()).order_by("note_id")
    )
    if len(memberships) != len(set(note_ids)):
        raise NotFound
    for membership in memberships:
        membership.note = notes[membership.note_id]
        if membership.role not in roles:
            raise OwnerOnly if roles == OWNER else ReadOnlyForYou
    for note in notes.values():
        if versions is not None and note.version not in versions:
            raise NoteChanged(
                f"The note has changed: it is at version {note.version} now. Read it again, then repeat your change.",
                etag=f'"{note.version}"',
            )
    if not in_trash and any(note.trashed_at for note in notes.values()):
        raise NoteInTrash
    return memberships


def update_notes(note_ids: Collection[int], **changes: Any) -> None:
    """Change the content of locked notes, increase their version and set ``updated_at``."""
    now = timezone.now()
    Note.objects.filter(pk__in=note_ids).update(**changes, version=F("version") + 1, updated_at=now)
    Membership.objects.filter(note_id__in=note_ids).update(updated_at=now)
