"""Invitations: staff invite an address, the worker mails a link, and the link creates the account once."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from rest_framework.exceptions import NotFound, ValidationError

from config import audit, mail
from config.api.errors import Conflict
from config.jobs import runner
from config.jobs.enqueue import enqueue

from ..models import Invitation, User
from . import links, registration

LIFETIME = timedelta(days=7)


class InvalidInvitation(ValidationError):
    """No invitation has the code."""

    def __init__(self) -> None:
        super().__init__({"invitation": ["This invitation is invalid. Ask for a new one."]}, "invalid_token")


class ExpiredInvitation(ValidationError):
    """The invitation was used or has expired."""

    def __init__(self) -> None:
        detail = "This invitation was already used or has expired. Ask for a new one."
        super().__init__({"invitation": [detail]}, "expired_token")


class AlreadyHasAccount(Conflict):
    """The invited address has an account. Only staff, who may list accounts, get this answer."""

    default_detail = "This address already has an account."
    default_code = "email_taken"


@transaction.atomic
def invite(*, email: str, is_staff: bool, invited_by: User) -> Invitation:
    """Invite ``email``: the mailed link creates an account for that address. It replaces an earlier invitation.

    The link works with every REGISTRATION_DOMAINS. Raises registration.RegistrationClosed if REGISTRATION is closed, or
    AlreadyHasAccount.
    """
    links.lock_address(email)
    check_may_invite(email)
    Invitation.objects.unused().by_email(email).delete()
    invitation = Invitation.objects.create(
        email=email, is_staff=is_staff, invited_by=invited_by, expires_at=Now() + LIFETIME
    )
    audit.record("invitation_created", actor=invited_by, target=invitation, details={"is_staff": is_staff})
    enqueue(Invitation)
    return Invitation.objects.get(pk=invitation.pk)


def check_may_invite(email: str) -> None:
    """Raise registration.RegistrationClosed if REGISTRATION is closed, or AlreadyHasAccount."""
    _check_open()
    if User.objects.by_email(email).exists():
        raise AlreadyHasAccount


def _check_open() -> None:
    if settings.REGISTRATION == "closed":
        raise registration.RegistrationClosed("Registration is closed: invitations are switched off.")


@transaction.atomic
def revoke(*, id: int, user: User) -> None:
    """Delete an invitation that is not used yet, so that its link no longer works; raises NotFound."""
    invitation = Invitation.objects.visible_to(user).unused().filter(pk=id).first()
    if invitation is None:
        raise NotFound
    audit.record("invitation_revoked", actor=user, target=invitation)
    invitation.delete()


def send_due_invitations(limit: int = 100) -> int:
    """Mail the invitations that are due; returns how many rows are done."""
    return runner.run_due(Invitation.objects.all(), _send, limit=limit)


def _send(invitation: Invitation) -> None:
    """Generate the code and mail the link; the hash is committed after the mail is sent, as in links._mail."""
    code = secrets.token_urlsafe(links.CODE_BYTES)
    message = mail.compose(
        to=invitation.email,
        template="invitation",
        context={
            "invited_by": invitation.invited_by.username if invitation.invited_by else "The operator",
            "url": f"{settings.PUBLIC_URL}/i/{code}/",
            "days": LIFETIME.days,
        },
        key=f"invitation-{invitation.pk}-{invitation.attempts}",
    )
    mail.deliver(message)
    invitation.finish(code_hash=links.hash_code(code))


def find(*, code: str, lock: bool = False) -> Invitation:
    """Return the valid invitation of ``code``.

    Raises InvalidInvitation, ExpiredInvitation, or registration.RegistrationClosed if REGISTRATION is closed.
    """
    _check_open()
    invitations = Invitation.objects.select_for_update() if lock else Invitation.objects.all()
    expired = ExpressionWrapper(Q(expires_at__lte=Now()), output_field=BooleanField())
    invitation = invitations.annotate(is_expired=expired).filter(code_hash=links.hash_code(code)).first()
    if invitation is None:
        raise InvalidInvitation
    if invitation.used_at is not None or invitation.is_expired:
        raise ExpiredInvitation
    return invitation


@transaction.atomic
def accept(*, code: str, username: str, password: str, email: str | None = None) -> User:
    """Create the account of an invitation. Its address counts as confirmed: the code was mailed there.

    ``email`` is what a client sent as the address, which must be the invited one. Raises what ``find`` raises,
    registration.EmailTaken, or a validation error for ``email``, a username that is taken and a weak password; the
    invitation then stays valid.
    """
    address = find(code=code).email
    links.lock_address(address)
    invitation = find(code=code, lock=True)
    if email is not None and email.lower() != invitation.email_lower:
        raise ValidationError({"email": ["This invitation is for another address."]}, "invalid")
    user = User(email=address, username=username, is_staff=invitation.is_staff)
    registration.check_new_account(user=user, password=password)
    user.set_password(password)
    try:
        registration.save_confirmed(user, way="invitation")
    except IntegrityError as error:
        raise (
            registration.UsernameTaken if "user_username_unique" in str(error) else registration.EmailTaken
        ) from error
    Invitation.objects.filter(pk=invitation.pk).update(used_at=Now(), user=user)
    registration.void_registrations(address)
    return User.objects.get(pk=user.pk)
