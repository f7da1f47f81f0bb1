"""Moving an account to another e-mail address."""

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from config import mail
from config.errors import Conflict

from ..devices import Device
from ..models import User
from . import links
from .links import Purpose
from .passwords import confirm_password


class EmailTaken(Conflict):
    default_detail = "This address belongs to another account by now."
    default_code = "email_taken"


@transaction.atomic
def request_change(*, user: User, email: str, password: str, device: Device) -> None:
    """Mail a link to the new address, and a notice to the present one. Raises passwords.WrongPassword.

    A new address that belongs to another account gets a notice instead of a link; the caller cannot tell.
    """
    # Locked, so that no change of the password comes between the look at it and the link that it allows.
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    confirm_password(user=user, password=password, field="password")
    mail.queue(
        to=user.email,
        template="email_change_asked",
        context={"username": user.username, "new_email": email, **device.told()},
    )
    owner = User.objects.by_email(email).first()
    if owner is None or owner == user:
        links.request_link(purpose=Purpose.CHANGE_EMAIL, email=email, user=user, device=device)
    else:
        mail.queue(to=owner.email, template="account_exists", context={"username": owner.username, **device.told()})


@transaction.atomic
def apply_change(*, user: User, email: str) -> None:
    """Make ``email``, which has just been proven, the address of ``user``. Raises EmailTaken."""
    old = user.email
    # What was asked for under the old address must not open the account any more.
    links.spend_links(purposes=list(Purpose), email=user.email_lower, user=user)
    try:
        with transaction.atomic():
            User.objects.filter(pk=user.pk).update(email=email, email_verified_at=Now())
    except IntegrityError as error:
        raise EmailTaken from error
    if old != email:
        mail.queue(to=old, template="email_changed", context={"username": user.username, "new_email": email})
