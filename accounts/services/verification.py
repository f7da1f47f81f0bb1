"""Confirmation of e-mail addresses with a mailed link."""

from django.db import transaction
from django.db.models.functions import Now

from ..models import User
from . import emails, links, registration
from .links import Purpose


@transaction.atomic
def verify_email(*, code: str) -> User:
    """Confirm the address of a link: create the account of a registration, or change the address of an account.

    Raises links.InvalidCode, links.ExpiredCode, registration.RegistrationClosed, registration.EmailTaken or
    registration.UsernameConflict.
    """
    link = links.use_link(code=code, purposes=[Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL])
    if link.user is None:
        if link.registration is None:
            raise links.InvalidCode
        registration.check_may_register(link.registration.email)  # the rules may have changed since
        return registration.create_account(link.registration)
    if link.purpose == Purpose.CHANGE_EMAIL:
        emails.apply_change(user=link.user, email=link.email)
    else:
        mark_verified(link.user)
    return link.user


def mark_verified(user: User) -> bool:
    """Mark the address of ``user`` as confirmed; returns whether it was unconfirmed."""
    changed = User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=Now())
    if changed:
        registration.void_registrations(user.email)
    return bool(changed)
