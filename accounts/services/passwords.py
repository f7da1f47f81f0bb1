"""Setting another password: by a mailed link, or knowing the present one."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError

from config import mail

from ..backends import MAX_PASSWORD_LENGTH
from ..devices import Device
from ..models import User, UserSession
from . import links
from .links import Purpose


class WrongPassword(ValidationError):
    def __init__(self, field: str) -> None:
        super().__init__({field: ["This is not your current password."]}, "wrong_password")


def confirm_password(*, user: User, password: str, field: str) -> None:
    """Raise WrongPassword, naming ``field``, unless ``password`` is the present one of ``user``."""
    if len(password) > MAX_PASSWORD_LENGTH or not user.check_password(password):
        raise WrongPassword(field)


def check_strength(*, password: str, user: User, field: str) -> None:
    """Raise a validation error that names ``field`` unless ``password`` is good enough for ``user``."""
    try:
        validate_password(password, user)
    except DjangoValidationError as error:
        details = [ValidationError(found.messages, found.code).detail for found in error.error_list]
        raise ValidationError({field: [detail for group in details for detail in group]}) from error


def request_reset(*, email: str, device: Device) -> None:
    """Have a link for a new password mailed, if ``email`` belongs to an account."""
    links.request_link(purpose=Purpose.RESET_PASSWORD, email=email, device=device)


@transaction.atomic
def reset_password(*, code: str, password: str, device: Device) -> User:
    """Set the password by a mailed link, and end every session. The link proves the address as well.

    Raises links.InvalidCode, links.ExpiredCode, or a validation error for a weak password, which leaves the link good.
    """
    _, user = links.use_link(code=code, purposes=[Purpose.RESET_PASSWORD])
    check_strength(password=password, user=user, field="password")
    _set_password(user=user, password=password, keep=None, device=device)
    User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=Now())
    return user


@transaction.atomic
def change_password(*, user: User, current: str, new: str, keep: UserSession | None, device: Device) -> User:
    """Set the password, end every session but ``keep``, and return the user.

    Raises WrongPassword, or a validation error for a weak one.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    confirm_password(user=user, password=current, field="current_password")
    check_strength(password=new, user=user, field="new_password")
    _set_password(user=user, password=new, keep=keep, device=device)
    return user


def _set_password(*, user: User, password: str, keep: UserSession | None, device: Device) -> None:
    user.set_password(password)
    user.session_to_keep = keep.pk if keep else None
    user.save(update_fields=["password"])  # which ends the other sessions and links: receivers.end_sessions
    mail.queue(to=user.email, template="password_changed", context={"username": user.username, **device.told()})
