"""Changing the e-mail address of an account."""

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from config import audit, mail

from ..devices import Device
from ..models import User, UserSession
from . import links
from .links import Purpose
from .passwords import confirm_person
from .registration import EmailTaken, void_registrations


@transaction.atomic
def request_change(
    *, user: User, email: str, password: str | None = None, session: UserSession | None = None, device: Device
) -> None:
    """Mail a link to the new address and a notice to the current one; raises what passwords.confirm_person raises.

    If the new address belongs to another account, the worker mails a notice instead of a link, so the caller cannot see
    the difference.
    """
    # The lock keeps the password from changing between the check and the creation of the link.
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    confirm_person(user=user, password=password, session=session, field="password")
    mail.queue(
        to=user.email,
        template="email_change_asked",
        context={"username": user.username, "new_email": email, **device.mail_context()},
        user=user,
    )
    links.revoke_links(purposes=[Purpose.CHANGE_EMAIL], user=user)
    links.request_link(purpose=Purpose.CHANGE_EMAIL, email=email, user=user, device=device)
    audit.record("email_change_requested", user=user, details={"new_email": email})


@transaction.atomic
def apply_change(*, user: User, email: str) -> None:
    """Make ``email``, which a link has just confirmed, the address of ``user``; raises EmailTaken."""
    old = user.email
    links.lock_address(email)
    # Links that were requested under the old address must not open the account any more.
    links.revoke_links(purposes=list(Purpose), user=user)
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(email=email, email_verified_at=Now())
    except IntegrityError as error:
        raise EmailTaken from error
    void_registrations(email)
    if old != email:
        context = {"username": user.username, "new_email": email}
        mail.queue(to=old, template="email_changed", context=context, user=user)
    audit.record("email_changed", user=user, actor=user, details={"old_email": old, "new_email": email})
