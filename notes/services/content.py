"""Writing notes: what they say, and their way through the trash."""

from collections.abc import Collection
from typing import Any

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from config.errors import Conflict

from ..models import Membership, Note, Role
from . import labelling
from .access import OWNER, WRITERS, announce, forget_reads, take, write

PURGE_BATCH = 500


class NotInTrash(Conflict):
    default_detail = "The note is not in the trash."
    default_code = "note_not_in_trash"


@transaction.atomic
def create_note(*, owner: User, label_ids: Collection[int] = (), **content: Any) -> Note:
    """A new note of ``owner``; ``content`` is title, body, items, color. Unknown labels are a validation error."""
    now = timezone.now()
    note = Note.objects.create(owner=owner, created_at=now, updated_at=now, **content)
    membership = Membership.objects.create(user=owner, note=note, role=Role.OWNER, updated_at=now)
    if label_ids:
        labelling.put(membership, label_ids)
    announce(by=owner, note_ids=[note.pk], action="created")
    return note


@transaction.atomic
def edit_note(
    *,
    by: User,
    note_id: int,
    versions: Collection[int] | None = None,
    label_ids: Collection[int] | None = None,
    **changes: Any,
) -> None:
    """Change title, body, items or color, and with ``label_ids`` replace the labels that ``by`` put on it.

    Labels are nobody else's business: a change of them alone counts no version and is told to nobody.
    """
    (membership,) = take(by=by, note_ids=[note_id], roles=WRITERS, versions=versions, in_trash=False)
    if label_ids is not None:
        labelling.replace(membership, label_ids)
    if changes:
        write([note_id], **changes)
        announce(by=by, note_ids=[note_id], action="changed")
    else:
        forget_reads(by)


@transaction.atomic
def trash_notes(*, by: User, note_ids: Collection[int], versions: Collection[int] | None = None) -> None:
    """Put the notes in the trash, for everybody who sees them. Raises access.NoteInTrash."""
    take(by=by, note_ids=note_ids, roles=OWNER, versions=versions, in_trash=False)
    _move(note_ids, trashed=True)
    announce(by=by, note_ids=note_ids, action="trashed")


@transaction.atomic
def restore_notes(*, by: User, note_ids: Collection[int], versions: Collection[int] | None = None) -> None:
    """Take the notes back from the trash. Raises NotInTrash."""
    memberships = take(by=by, note_ids=note_ids, roles=OWNER, versions=versions)
    if not all(membership.note.trashed_at for membership in memberships):
        raise NotInTrash
    _move(note_ids, trashed=False)
    announce(by=by, note_ids=note_ids, action="restored")


def _move(note_ids: Collection[int], *, trashed: bool) -> None:
    # The date of the last change stays what it was: nobody has written anything.
    Note.objects.filter(pk__in=note_ids).update(trashed_at=Now() if trashed else None, version=F("version") + 1)
    Membership.objects.filter(note_id__in=note_ids).update(trashed=trashed)


@transaction.atomic
def delete_notes(*, by: User, note_ids: Collection[int], versions: Collection[int] | None = None) -> None:
    """Delete the notes for good, wherever they are."""
    take(by=by, note_ids=note_ids, roles=OWNER, versions=versions)
    _delete(by, note_ids)


@transaction.atomic
def empty_trash(*, owner: User) -> int:
    """Delete for good what ``owner`` has trashed, and return how many notes that was."""
    note_ids = list(
        Note.objects.filter(owner=owner, trashed_at__isnull=False).for_writing().values_list("pk", flat=True)
    )
    _delete(owner, note_ids)
    return len(note_ids)


def purge_trash() -> int:
    """Delete what has been in the trash for ``NOTES_TRASH_DAYS``, in batches; returns how many notes.

    A note that somebody is writing to this very moment, to restore it perhaps, is left to the next sweep.
    """
    purged = 0
    while batch := _purge_batch():
        purged += batch
    return purged


@transaction.atomic
def _purge_batch() -> int:
    expired = Note.objects.expired().select_for_update(skip_locked=True).order_by("pk")
    note_ids = list(expired.values_list("pk", flat=True)[:PURGE_BATCH])
    if note_ids:
        _delete(None, note_ids)
    return len(note_ids)


def _delete(by: User | None, note_ids: Collection[int]) -> None:
    former = list(Membership.objects.filter(note_id__in=note_ids).values_list("note_id", "user_id"))
    Note.objects.filter(pk__in=note_ids).delete()
    announce(by=by, note_ids=[], action="deleted", former=former)
