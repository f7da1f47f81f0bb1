"""What every write begins and ends with: the note locked and the role asked for, then those told who see it."""

from collections.abc import Collection, Iterable
from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone
from rest_framework.exceptions import NotFound, PermissionDenied

from accounts.models import User
from config import caching, events
from config.errors import Conflict, PreconditionFailed
from config.models import OutgoingEvent

from ..models import Membership, Note, Role

ANYBODY = frozenset(Role)
WRITERS = frozenset({Role.OWNER, Role.EDITOR})
OWNER = frozenset({Role.OWNER})


class ReadOnlyForYou(PermissionDenied):
    default_detail = "This note is shared with you for reading, not for writing."
    default_code = "viewer"


class OwnerOnly(PermissionDenied):
    default_detail = "Only the owner of the note may do this."
    default_code = "owner_only"


class NoteChanged(PreconditionFailed):
    """The note has another version by now; ``ETag`` says which."""


class NoteInTrash(Conflict):
    default_detail = "The note is in the trash. Its owner can restore it."
    default_code = "note_in_trash"


def take(
    *,
    by: User,
    note_ids: Collection[int],
    roles: frozenset[Role] = ANYBODY,
    versions: Collection[int] | None = None,
    in_trash: bool = True,
) -> list[Membership]:
    """Lock the notes for the rest of the transaction and return ``by``'s memberships of them, ``note`` included.

    ``versions`` are those that ``If-Match`` allows, None for any. With ``in_trash`` False none may be there. Raises
    NotFound where one is not there for ``by``, ReadOnlyForYou or OwnerOnly, NoteChanged, NoteInTrash.

    Memberships are read after the lock is held: whoever was thrown out while this waited, is out.
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
                f"The note is at version {note.version} by now. Read it again, then repeat your change.",
                etag=f'"{note.version}"',
            )
    if not in_trash and any(note.trashed_at for note in notes.values()):
        raise NoteInTrash
    return memberships


def write(note_ids: Collection[int], **changes: Any) -> None:
    """Change what the notes say, count the change, and date it."""
    now = timezone.now()
    Note.objects.filter(pk__in=note_ids).update(**changes, version=F("version") + 1, updated_at=now)
    Membership.objects.filter(note_id__in=note_ids).update(updated_at=now)


def announce(
    *, by: User | None, note_ids: Collection[int], action: str, former: Iterable[tuple[int, int]] = ()
) -> None:
    """End what is cached for everybody who sees the notes, and tell all of them but ``by``. The last act of a write.

    ``former`` are pairs of note and user who saw it until now.
    """
    pairs = {*Membership.objects.filter(note_id__in=note_ids).values_list("note_id", "user_id"), *former}
    told: dict[int, list[int]] = {}
    for note_id, user_id in pairs:
        if by is None or user_id != by.pk:
            told.setdefault(note_id, []).append(user_id)
    events.publish_all([news(people, note_id=note_id, action=action, by=by) for note_id, people in told.items()])
    people_of_all = {user_id for _, user_id in pairs} | ({by.pk} if by else set())
    caching.bump(*caching.scopes("notes", people_of_all))


def news(people: Iterable[int], *, note_id: int, action: str, by: User | None) -> OutgoingEvent:
    """The event ``note`` for ``people``: ``{id, action, by}``, where ``by`` is a usercode, or null for the purge."""
    return events.row(people, "note", {"id": note_id, "action": action, "by": by.usercode if by else None})


def forget_reads(user: User) -> None:
    """End what is cached for ``user`` alone: for what nobody else sees."""
    caching.bump(f"notes:{user.pk}")
