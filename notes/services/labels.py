"""Labels: create, rename and delete them, and attach them to notes.

Every write locks in one order, so that none can deadlock: notes, the user, labels, the cache generation.
"""

from collections.abc import Collection

from django.db import IntegrityError, transaction
from rest_framework.exceptions import NotFound

from accounts.models import User
from config.api.errors import Conflict, attr_error

from ..label_names import normalize_name
from ..models import MAX_LABELS_PER_NOTE, MAX_LABELS_PER_USER, Label, Membership, MembershipLabel
from .access import lock_notes
from .events import invalidate_user, notify_user


class LabelExists(Conflict):
    default_detail = "You already have a label with this name."
    default_code = "label_exists"


def unknown_labels(label_ids: Collection[int]) -> Exception:
    ids = ", ".join(map(str, sorted(label_ids)[:10]))
    return attr_error("label_ids", f"You have no label with these ids: {ids}.", "unknown_label")


def too_many_labels() -> Exception:
    return attr_error("label_ids", f"A note can have at most {MAX_LABELS_PER_NOTE} labels.", "too_many_labels")


@transaction.atomic
def create_label(*, owner: User, name: str) -> Label:
    """Create a label. Raises LabelExists, or a validation error at MAX_LABELS_PER_USER."""
    # Locking the user makes the count reliable: two concurrent requests cannot both create the last label.
    User.objects.select_for_update(no_key=True).filter(pk=owner.pk).first()
    if Label.objects.visible_to(owner).count() >= MAX_LABELS_PER_USER:
        raise attr_error("name", f"You can have at most {MAX_LABELS_PER_USER:,} labels.", "too_many_labels")
    label = _save(Label(owner=owner, name=normalize_name(name)))
    invalidate_user(owner)
    return label


@transaction.atomic
def rename_label(*, owner: User, label_id: int, name: str) -> None:
    """Rename a label. Raises NotFound, LabelExists."""
    label = _lock_label(owner, label_id)
    label.name = normalize_name(name)
    _save(label)
    notify_user(owner, _notes_with(label), by=owner)


def _notes_with(label: Label) -> list[int]:
    return list(label.labellings.values_list("membership__note_id", flat=True))


def _lock_label(owner: User, label_id: int) -> Label:
    # The full lock, because the update of its key and its deletion take it: a lock that grows can deadlock.
    label = Label.objects.visible_to(owner).select_for_update().filter(pk=label_id).first()
    if label is None:
        raise NotFound
    return label


def _save(label: Label) -> Label:
    try:
        with transaction.atomic():
            label.save()
    except IntegrityError as error:
        if "label_unique_a_person" in str(error):
            raise LabelExists from error
        raise
    return label


@transaction.atomic
def delete_label(*, owner: User, label_id: int) -> None:
    """Delete a label; its notes stay. Raises NotFound."""
    label = _lock_label(owner, label_id)
    note_ids = _notes_with(label)
    label.delete()
    notify_user(owner, note_ids, by=owner)


@transaction.atomic
def add_labels(
    *, by: User, note_ids: Collection[int], label_ids: Collection[int], versions: Collection[int] | None = None
) -> None:
    """Add labels to ``by``'s view of the notes. Raises a validation error for unknown or too many labels."""
    for membership in lock_notes(by=by, note_ids=note_ids, versions=versions):
        attach(membership, label_ids)
    notify_user(by, note_ids, by=by)


@transaction.atomic
def remove_labels(
    *, by: User, note_ids: Collection[int], label_ids: Collection[int], versions: Collection[int] | None = None
) -> int:
    """Remove labels from ``by``'s view of the notes and return how many were there."""
    memberships = lock_notes(by=by, note_ids=note_ids, versions=versions)
    list(Label.objects.visible_to(by).filter(pk__in=label_ids).for_attaching())
    removed, _ = MembershipLabel.objects.filter(membership__in=memberships, label_id__in=label_ids).delete()
    notify_user(by, note_ids, by=by)
    return removed


def lock_own(owner_id: int, label_ids: Collection[int]) -> None:
    """Lock labels before they are attached; raises a validation error for unknown or too many labels."""
    wanted = set(label_ids)
    if len(wanted) > MAX_LABELS_PER_NOTE:
        raise too_many_labels()
    known = Label.objects.filter(owner_id=owner_id, pk__in=wanted).for_attaching() if wanted else ()
    if unknown := wanted - {label.pk for label in known}:
        raise unknown_labels(unknown)


def attach(membership: Membership, label_ids: Collection[int]) -> None:
    """Add labels to one membership whose note the caller has locked."""
    lock_own(membership.user_id, label_ids)
    MembershipLabel.objects.bulk_create(
        [MembershipLabel(membership=membership, label_id=label_id) for label_id in sorted(set(label_ids))],
        ignore_conflicts=True,
    )
    if membership.labellings.count() > MAX_LABELS_PER_NOTE:
        raise too_many_labels()


def replace(membership: Membership, label_ids: Collection[int]) -> None:
    """Make ``label_ids`` the only labels of a membership whose note the caller has locked."""
    membership.labellings.exclude(label_id__in=label_ids).delete()
    attach(membership, label_ids)
