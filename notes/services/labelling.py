"""Labels: a person's own words, and the notes they put them on."""

from collections.abc import Collection

from django.db import IntegrityError, transaction
from rest_framework.exceptions import NotFound

from accounts.models import User
from config.errors import Conflict, attr_error

from ..models import (
    MAX_LABELS_A_NOTE,
    MAX_LABELS_A_PERSON,
    Label,
    Membership,
    MembershipLabel,
)
from ..text import tidy
from .access import forget_reads, take


class LabelExists(Conflict):
    default_detail = "You have a label of this name already."
    default_code = "label_exists"


def unknown_labels(label_ids: Collection[int]) -> Exception:
    named = ", ".join(map(str, sorted(label_ids)[:10]))
    return attr_error("label_ids", f"You have no label with these ids: {named}.", "unknown_label")


def too_many_labels() -> Exception:
    return attr_error("label_ids", f"A note bears at most {MAX_LABELS_A_NOTE} labels.", "too_many_labels")


@transaction.atomic
def create_label(*, owner: User, name: str) -> Label:
    """Raises LabelExists, and a validation error past 1,000 labels."""
    # Locking the person makes the count hold: two labels at once would otherwise both be the thousandth. Where the
    # account has gone meanwhile, the label's foreign key says so.
    User.objects.select_for_update(no_key=True).filter(pk=owner.pk).first()
    if Label.objects.visible_to(owner).count() >= MAX_LABELS_A_PERSON:
        raise attr_error("name", f"You have {MAX_LABELS_A_PERSON:,} labels, which is the most.", "too_many_labels")
    label = _save(Label(owner=owner, name=tidy(name)))
    forget_reads(owner)
    return label


@transaction.atomic
def rename_label(*, owner: User, label_id: int, name: str) -> None:
    """Raises LabelExists."""
    label = Label.objects.visible_to(owner).select_for_update(no_key=True).filter(pk=label_id).first()
    if label is None:
        raise NotFound
    label.name = tidy(name)
    _save(label)
    forget_reads(owner)


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
    """The notes that bear it stay."""
    deleted, _ = Label.objects.visible_to(owner).filter(pk=label_id).delete()
    if not deleted:
        raise NotFound
    forget_reads(owner)


@transaction.atomic
def add_labels(
    *, by: User, note_ids: Collection[int], label_ids: Collection[int], versions: Collection[int] | None = None
) -> None:
    """Put ``label_ids`` on ``by``'s view of the notes, beside those that are there."""
    for membership in take(by=by, note_ids=note_ids, versions=versions):
        put(membership, label_ids)
    forget_reads(by)


@transaction.atomic
def remove_labels(
    *, by: User, note_ids: Collection[int], label_ids: Collection[int], versions: Collection[int] | None = None
) -> int:
    """Take ``label_ids`` off ``by``'s view of the notes; returns how many there were."""
    memberships = take(by=by, note_ids=note_ids, versions=versions)
    removed, _ = MembershipLabel.objects.filter(membership__in=memberships, label_id__in=label_ids).delete()
    forget_reads(by)
    return removed


def put(membership: Membership, label_ids: Collection[int]) -> None:
    """Add labels to one membership, whose note the caller has locked or just made."""
    wanted = set(label_ids)
    unknown = wanted - set(
        Label.objects.filter(owner_id=membership.user_id, pk__in=wanted).values_list("pk", flat=True)
    )
    if unknown:
        raise unknown_labels(unknown)
    MembershipLabel.objects.bulk_create(
        [MembershipLabel(membership=membership, label_id=label_id) for label_id in sorted(wanted)],
        ignore_conflicts=True,
    )
    if membership.labellings.count() > MAX_LABELS_A_NOTE:
        raise too_many_labels()


def replace(membership: Membership, label_ids: Collection[int]) -> None:
    membership.labellings.exclude(label_id__in=label_ids).delete()
    put(membership, label_ids)
