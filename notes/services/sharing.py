"""Who sees a note. What collaborators make of their own view stays theirs."""

from collections.abc import Collection

from django.db import IntegrityError, transaction
from rest_framework.exceptions import NotFound, PermissionDenied

from accounts.models import User
from config import caching, events
from config.errors import Conflict, attr_error

from ..models import MAX_COLLABORATORS, Membership, Role
from .access import OWNER, OwnerOnly, announce, news, take


class AlreadyShared(Conflict):
    default_detail = "This person sees the note already."
    default_code = "already_shared"


class OwnerStays(Conflict):
    default_detail = "The owner cannot leave the note, only delete it."
    default_code = "owner_stays"


class OwnerKeepsRole(PermissionDenied):
    default_detail = "The owner's role cannot be changed."
    default_code = "owner_role"


@transaction.atomic
def share_note(
    *,
    by: User,
    note_id: int,
    role: Role,
    email: str = "",
    usercode: str = "",
    versions: Collection[int] | None = None,
) -> Membership:
    """Let the person with this ``email`` or ``usercode`` see the note.

    Raises AlreadyShared, and a validation error for someone unknown, oneself, or past 50 collaborators.
    """
    (own,) = take(by=by, note_ids=[note_id], roles=OWNER, versions=versions, in_trash=False)
    person = _person(email, usercode)
    if person == by:
        raise attr_error("email" if email else "usercode", "This is you; the note is yours already.", "self")
    if Membership.objects.filter(note_id=note_id).exclude(role=Role.OWNER).count() >= MAX_COLLABORATORS:
        raise attr_error(
            "email" if email else "usercode", f"A note has at most {MAX_COLLABORATORS} collaborators.", "too_many"
        )
    try:
        with transaction.atomic():
            membership = Membership.objects.create(
                user=person, note_id=note_id, role=role, updated_at=own.note.updated_at
            )
    except IntegrityError as error:
        if "membership_once" in str(error):
            raise AlreadyShared from error
        raise
    _announce(by, note_id, person.pk, "shared")
    return membership


def _person(email: str, usercode: str) -> User:
    people = User.objects.by_email(email) if email else User.objects.filter(usercode=usercode)
    person = people.filter(is_active=True).first()
    if person is None:
        attr = "email" if email else "usercode"
        raise attr_error(attr, "Nobody here has this address." if email else "Nobody has this code.", "unknown_user")
    return person


@transaction.atomic
def change_role(
    *, by: User, note_id: int, usercode: str, role: Role, versions: Collection[int] | None = None
) -> Membership:
    """Make a viewer of an editor, or the reverse. Raises NotFound, OwnerKeepsRole."""
    take(by=by, note_ids=[note_id], roles=OWNER, versions=versions)
    membership = _membership(note_id, usercode)
    if membership.role == Role.OWNER:
        raise OwnerKeepsRole
    membership.role = role
    membership.save(update_fields=["role"])
    announce(by=by, note_ids=[note_id], action="changed")
    return membership


@transaction.atomic
def remove_collaborator(*, by: User, note_id: int, usercode: str, versions: Collection[int] | None = None) -> None:
    """Take the note away from a collaborator, at once and with all they made of it; with one's own code, leave it.

    Raises NotFound, OwnerOnly, OwnerStays.
    """
    (own,) = take(by=by, note_ids=[note_id], versions=versions)
    membership = _membership(note_id, usercode)
    if membership.user_id != by.pk and own.role != Role.OWNER:
        raise OwnerOnly
    if membership.role == Role.OWNER:
        raise OwnerStays
    membership.delete()
    _announce(by, note_id, membership.user_id, "revoked")


def _membership(note_id: int, usercode: str) -> Membership:
    members = Membership.objects.select_related("user").filter(note_id=note_id)
    membership = members.filter(user__usercode=usercode.upper()).first()
    if membership is None:
        raise NotFound
    return membership


def _announce(by: User, note_id: int, about: int, action: str) -> None:
    """Tell the person ``about`` what happened to them, and everybody else who sees the note that it has changed."""
    people = set(Membership.objects.filter(note_id=note_id).values_list("user_id", flat=True))
    told = {"changed": people - {by.pk, about}, action: {about} - {by.pk}}
    events.publish_all([news(them, note_id=note_id, action=what, by=by) for what, them in told.items() if them])
    caching.bump(*caching.scopes("notes", people | {about, by.pk}))
