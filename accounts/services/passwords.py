"""Setting a new password, with a mailed link or with the current password."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError

from config import audit, mail

from ..backends import MAX_PASSWORD_LENGTH
from ..devices import Device
from ..hashers import normalize_password
from ..models import User, UserSession
from . import links, recent_sign_in
from .links import Purpose


class WrongPassword(ValidationError):
    """The password entered as confirmation is wrong."""

    def __init__(self, field: str) -> None:
        super().__init__({field: ["This is not your current password."]}, "wrong_password")


def confirm_password(*, user: User, password: str, field: str) -> None:
    """Raise WrongPassword for ``field`` unless ``password`` is the current one of ``user``."""
    if len(password) > MAX_PASSWORD_LENGTH or not user.check_password(password):
        raise WrongPassword(field)


def confirm_person(*, user: User, password: str | None, session: UserSession | None, field: str) -> None:
    """Raise unless ``password`` is the current one, or the user has none and has just signed in with ``session``.

    An account without a password signs in with the OpenID Connect provider: ``/oidc/login/?reauth=1`` makes the sign-in
    recent. Raises WrongPassword, a validation error for a missing password, or
    recent_sign_in.ReauthenticationRequired.
    """
    if not user.has_usable_password():
        recent_sign_in.require_recent_sign_in(session=session)
    elif password is None:
        raise ValidationError({field: ["This field is required."]}, "required")
    else:
        confirm_password(user=user, password=password, field=field)


def check_strength(*, password: str, user: User, field: str) -> None:
    """Raise a validation error for ``field`` if ``password`` is too weak for ``user``."""
    try:
        validate_password(normalize_password(password), user)
    except DjangoValidationError as error:
        details = [ValidationError(found.messages, found.code).detail for found in error.error_list]
        raise ValidationError({field: [detail for group in details for detail in group]}) from error


def check_all(*checks: Callable[[], None]) -> None:
    """Run all ``checks`` and raise one validation error with the errors of all of them."""
    found: dict[str, Any] = {}
    for check in checks:
        try:
            check()
        except ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            found |= error.detail
    if found:
        raise ValidationError(found)


def request_reset(*, email: str, device: Device) -> None:
    """Mail a link for a new password, if ``email`` belongs to an account."""
    links.request_link(purpose=Purpose.RESET_PASSWORD, email=email, device=device)


@transaction.atomic
def reset_password(*, code: str, password: str, device: Device) -> User:
    """Set a new password with a mailed link and end every session. The link also confirms the address.

    Raises links.InvalidCode, links.ExpiredCode, or a validation error for a weak password; the link then stays valid.
    """
    user = links.use_link(code=code, purposes=[Purpose.RESET_PASSWORD]).user
    if user is None:
        raise links.InvalidCode
    check_strength(password=password, user=user, field="password")
    _set_password(user=user, password=password, keep=None, device=device)
    audit.record("password_reset", user=user, actor=user)
    User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=Now())
    return user


@transaction.atomic
def change_password(*, user: User, current: str, new: str, keep: UserSession | None, device: Device) -> User:
    """Set a new password, end every session except ``keep``, and return the user.

    Raises a validation error for a wrong current password, a weak new one, or both.
    """
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    check_all(
        lambda: confirm_password(user=user, password=current, field="current_password"),
        lambda: check_strength(password=new, user=user, field="new_password"),
    )
    _set_password(user=user, password=new, keep=keep, device=device)
    audit.record("password_changed", user=user)
    return user


def _set_password(*, user: User, password: str, keep: UserSession | None, device: Device) -> None:
    user.set_password(password)
    user.session_to_keep = keep.pk if keep else None
    user.save(update_fields=["password"])  # receivers.end_sessions ends the other sessions
    context = {"username": user.username, **device.mail_context()}
    mail.queue(to=user.email, template="password_changed", context=context, user=user)
