"""The trash: move notes in and out, empty it, purge what has expired."""

from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.models import User
from config.api.errors import Conflict

from ..models import Membership, Note
from .access import OWNER, lock_notes
from .events import notify_members
from .notes import delete_locked_notes

PURGE_BATCH = 500


class NotInTrash(Conflict):
    default_detail = "The note is not in the trash."
    default_code = "note_not_in_trash"


@transaction.atomic
def trash_notes(*, by: User, note_ids: Collection[int], versions: Collection[int] | None = None) -> None:
    """Move the notes to the trash for all members. Raises access.NoteInTrash."""
    lock_notes(by=by, note_ids=note_ids, roles=OWNER, versions=versions, in_trash=False)
    _set_trashed(note_ids, True)
    notify_members(by=by, note_ids=note_ids, action="trashed")


@transaction.atomic
def restore_notes(*, by: User, note_ids: Collection[int], versions: Collection[int] | None = None) -> None:
    """Move the notes out of the trash. Raises NotInTrash."""
    memberships = lock_notes(by=by, note_ids=note_ids, roles=OWNER, versions=versions)
    if not all(membership.note.trashed_at for membership in memberships):
        raise NotInTrash
    _set_trashed(note_ids, False)
    notify_members(by=by, note_ids=note_ids, action="restored")


def _set_trashed(note_ids: Collection[int], trashed: bool) -> None:
    # updated_at stays: the content has not changed.
    Note.objects.filter(pk__in=note_ids).update(trashed_at=Now() if trashed else None, version=F("version") + 1)
    Membership.objects.filter(note_id__in=note_ids).update(trashed=trashed)


@transaction.atomic
def empty_trash(*, owner: User, trashed_until: datetime | None = None) -> int:
    """Delete the notes in ``owner``'s trash permanently, and return how many.

    With ``trashed_until``, notes that were moved there after that instant stay.
    """
    until = {"trashed_at__lte": trashed_until} if trashed_until else {"trashed_at__isnull": False}
    trashed = Note.objects.filter(owner=owner, **until).for_writing()
    note_ids = list(trashed.values_list("pk", flat=True))
    delete_locked_notes(owner, note_ids)
    return len(note_ids)


def purge_expired_trash(batch_size: int = PURGE_BATCH) -> int:
    """Delete what has been in the trash for ``NOTES_TRASH_DAYS``, in batches, and return how many notes.

    A note that is locked, for example because it is being restored, waits for the next run.
    """
    purged = 0
    while batch := _purge_batch(batch_size):
        purged += batch
    return purged


@transaction.atomic
def _purge_batch(size: int) -> int:
    expired = Note.objects.expired().select_for_update(skip_locked=True).order_by("pk")
    note_ids = list(expired.values_list("pk", flat=True)[:size])
    if note_ids:
        delete_locked_notes(None, note_ids)
    return len(note_ids)
