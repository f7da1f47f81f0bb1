"""Create, edit and delete notes."""

from collections.abc import Collection
from contextlib import nullcontext
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from config.realtime import events

from ..models import Note
from ..sql import NewNote, insert_note
from . import labels, quota
from .access import OWNER, WRITERS, lock_notes, update_notes
from .events import cache_scope, note_event, note_members, notify_members, notify_user


def create_note(*, owner: User, label_ids: Collection[int] = (), **content: Any) -> NewNote:
    """Create a note. ``content`` is title, body, items and color.

    Raises QuotaExceeded, and a validation error for unknown or too many labels.
    """
    values = {"title": "", "body": "", "items": [], "color": "default", **content}
    # The insert alone is atomic without a transaction, which would cost two more round trips.
    with transaction.atomic() if label_ids or quota.is_limited() else nullcontext():
        quota.check(owner.pk, notes=1, size=quota.content_size(values["title"], values["body"], values["items"]))
        labels.lock_own(owner.pk, label_ids)
        event = note_event([owner.pk], note_id=0, action="created", by=owner)
        note = insert_note(
            owner.pk,
            values,
            label_ids=set(label_ids),
            created_at=timezone.now(),
            scope=cache_scope(owner.pk),
            event=event,
        )
        events.send_after_commit([event])
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
    """Change title, body, items or color; ``label_ids`` replaces the labels of ``by``. Raises what lock_notes raises,
    and QuotaExceeded if the note would become too large for its owner.

    Labels are private: a change of labels alone increases no version, and other members get no event.
    """
    (membership,) = lock_notes(by=by, note_ids=[note_id], roles=WRITERS, versions=versions, in_trash=False)
    _check_quota(note_id, changes)
    if label_ids is not None:
        labels.replace(membership, label_ids)
    if changes:
        update_notes([note_id], **changes)
        notify_members(by=by, note_ids=[note_id], action="changed")
    else:
        notify_user(by, [note_id], by=by)


def _check_quota(note_id: int, changes: dict[str, Any]) -> None:
    if changes and quota.is_limited():
        old = Note.objects.values("owner_id", "size", "title", "body", "items").get(pk=note_id)
        new = {name: changes.get(name, old[name]) for name in ("title", "body", "items")}
        quota.check(old["owner_id"], notes=0, size=quota.content_size(**new) - old["size"])


@transaction.atomic
def delete_notes(*, by: User, note_ids: Collection[int], versions: Collection[int] | None = None) -> None:
    """Delete the notes permanently, in the trash or not."""
    lock_notes(by=by, note_ids=note_ids, roles=OWNER, versions=versions)
    delete_locked_notes(by, note_ids)


def delete_locked_notes(by: User | None, note_ids: Collection[int]) -> None:
    """Delete notes that the caller has locked; ``by`` is None for the system."""
    former = note_members(note_ids)
    Note.objects.filter(pk__in=note_ids).delete()
    notify_members(by=by, note_ids=[], action="deleted", former=former)
