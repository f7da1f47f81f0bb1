"""Becoming a user: an account that is good once its address is confirmed."""

from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError

from config import mail

from ..devices import Device
from ..models import User
from . import emails, links
from .links import Purpose
from .passwords import check_strength


class UsernameTaken(ValidationError):
    def __init__(self) -> None:
        super().__init__({"username": ["This username is taken."]}, "username_taken")


@transaction.atomic
def register(*, email: str, username: str, password: str, device: Device) -> None:
    """Make an account and have a link mailed that confirms its address.

    For an address that has a confirmed account already nothing is made, and its owner gets a notice: the caller cannot
    tell. The same work is done in both cases, down to the attempt to insert the row. Raises UsernameTaken, or a
    validation error for a weak password.
    """
    user = User(email=email, username=username)
    check_strength(password=password, user=user, field="password")
    user.password = make_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError as error:
        # Postgres checks the username first, so a taken one says nothing of the address.
        if "user_username_unique" in str(error):
            raise UsernameTaken from error
        if "user_email_unique" not in str(error):
            raise
        _register_again(user, device)
        return
    links.request_link(purpose=Purpose.VERIFY_EMAIL, email=email, user=user, device=device)


def _register_again(attempt: User, device: Device) -> None:
    """What becomes of a second registration of one address.

    Where the first was never confirmed, the second takes its place: whoever registers an address that is not theirs
    must not decide under which password its owner will come in. The mail names the username it is for.
    """
    known = User.objects.by_email(attempt.email).select_for_update(no_key=True).first()
    if known is None:
        return  # deleted this instant; its former owner, if this is who it is, will try again
    if known.email_verified or known.is_staff or known.last_login is not None or not known.is_active:
        mail.queue(to=known.email, template="account_exists", context={"username": known.username, **device.told()})
        return
    known.username, known.password = attempt.username, attempt.password
    try:
        with transaction.atomic():
            known.save(update_fields=["username", "password"])
    except IntegrityError as error:
        raise UsernameTaken from error
    links.request_link(purpose=Purpose.VERIFY_EMAIL, email=known.email, user=known, device=device)


def resend_verification(*, email: str, device: Device) -> None:
    """Have another link mailed, if ``email`` belongs to an account that waits for one."""
    links.request_link(purpose=Purpose.VERIFY_EMAIL, email=email, device=device)


@transaction.atomic
def verify_email(*, code: str) -> User:
    """Confirm the address that the link with ``code`` was sent to; a new address takes the old one's place by this.

    Raises links.InvalidCode, links.ExpiredCode or emails.EmailTaken.
    """
    link, user = links.use_link(code=code, purposes=[Purpose.VERIFY_EMAIL, Purpose.CHANGE_EMAIL])
    if link.purpose == Purpose.CHANGE_EMAIL:
        emails.apply_change(user=user, email=link.email)
    else:
        mark_verified(user)
    return user


def mark_verified(user: User) -> bool:
    """Take the present address of ``user`` as proven; whether it was not yet."""
    return bool(User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=Now()))
