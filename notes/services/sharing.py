"""Share a note, change a role, remove a collaborator."""

from collections.abc import Collection

from django.db import IntegrityError, transaction
from rest_framework.exceptions import NotFound, PermissionDenied

from accounts.models import Block, User
from config.api.errors import Conflict, attr_error

from ..models import MAX_COLLABORATORS, Membership, Role
from .access import OWNER, OwnerOnly, lock_notes
from .events import notify_about_member, notify_members


class AlreadyShared(Conflict):
    default_detail = "The note is already shared with this user."
    default_code = "already_shared"


class OwnerStays(Conflict):
    default_detail = "The owner cannot leave the note. Delete it instead."
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
    """Share the note with the user who has this ``email`` or ``usercode``.

    If that user has blocked ``by``, the membership is withheld: they never see the note, and ``by`` cannot tell.
    Raises AlreadyShared, and a validation error for an unknown user, oneself, or more than MAX_COLLABORATORS.
    """
    (own,) = lock_notes(by=by, note_ids=[note_id], roles=OWNER, versions=versions, in_trash=False)
    attr = "email" if email else "usercode"
    user = _find_user(email, usercode)
    if user == by:
        raise attr_error(attr, "You are the owner of this note. Choose another user.", "self")
    if Membership.objects.filter(note_id=note_id).exclude(role=Role.OWNER).count() >= MAX_COLLABORATORS:
        raise attr_error(attr, f"A note can have at most {MAX_COLLABORATORS} collaborators.", "too_many")
    try:
        with transaction.atomic():
            membership = Membership.objects.create(
                user=user,
                note_id=note_id,
                role=role,
                updated_at=own.note.updated_at,
                withheld=Block.objects.filter(blocker=user, blocked=by).exists(),
            )
    except IntegrityError as error:
        if "membership_once" in str(error):
            raise AlreadyShared from error
        raise
    notify_about_member(by=by, membership=membership, action="shared")
    return membership


def _find_user(email: str, usercode: str) -> User:
    users = User.objects.by_email(email) if email else User.objects.filter(usercode=usercode)
    # An address that nobody has confirmed may belong to somebody else: it is unknown.
    user = users.filter(is_active=True).exclude(email_verified_at=None).first()
    if user is None:
        attr = "email" if email else "usercode"
        raise attr_error(attr, f"No user has this {'e-mail address' if email else 'usercode'}.", "unknown_user")
    return user


@transaction.atomic
def change_role(
    *, by: User, note_id: int, usercode: str, role: Role, versions: Collection[int] | None = None
) -> Membership:
    """Change a collaborator's role. Raises NotFound, OwnerKeepsRole."""
    lock_notes(by=by, note_ids=[note_id], roles=OWNER, versions=versions)
    membership = _find_membership(note_id, usercode)
    if membership.role == Role.OWNER:
        raise OwnerKeepsRole
    membership.role = role
    membership.save(update_fields=["role"])
    notify_members(by=by, note_ids=[note_id], action="changed")
    return membership


@transaction.atomic
def remove_collaborator(*, by: User, note_id: int, usercode: str, versions: Collection[int] | None = None) -> None:
    """Remove a collaborator and their labels and reminder; with one's own usercode, leave the note.

    Raises NotFound, OwnerOnly, OwnerStays.
    """
    (own,) = lock_notes(by=by, note_ids=[note_id], versions=versions)
    membership = _find_membership(note_id, usercode)
    if membership.user_id != by.pk and own.role != Role.OWNER:
        raise OwnerOnly
    if membership.role == Role.OWNER:
        raise OwnerStays
    membership.delete()
    notify_about_member(by=by, membership=membership, action="revoked")


def _find_membership(note_id: int, usercode: str) -> Membership:
    members = Membership.objects.select_related("user").filter(note_id=note_id)
    membership = members.filter(user__usercode=usercode.upper()).first()
    if membership is None:
        raise NotFound
    return membership
