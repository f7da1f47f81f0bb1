"""Proving again who is signed in, before a change of factors or a new token."""

from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from rest_framework.exceptions import APIException, ValidationError

from config import audit

from ...factors import policy, webauthn
from ...models import Passkey, User, UserSession
from ..passwords import confirm_password
from . import answers, tickets
from .second_step import PasskeyChallenge, locked_user
from .tickets import Purpose


class FactorRequired(ValidationError):
    """The account has a second factor: a password is not enough."""

    def __init__(self) -> None:
        super().__init__({"code": ["Your account has a second factor. Send a code or a passkey."]}, "factor_needed")


@transaction.atomic
def begin(*, user: User) -> PasskeyChallenge:
    """Return a challenge for a passkey of ``user``; raises answers.PasskeysUnavailable."""
    ticket = tickets.open_ticket(purpose=Purpose.REAUTHENTICATE, user=user)
    passkeys = Passkey.objects.filter(user=user)
    return PasskeyChallenge(
        ticket.raw, webauthn.request_options(answers.site(), challenge=ticket.challenge, passkeys=passkeys)
    )


def reauthenticate(
    *,
    user: User,
    session: UserSession | None,
    password: str | None = None,
    code: str | None = None,
    ticket: str | None = None,
    credential: dict[str, Any] | None = None,
) -> None:
    """Mark ``session`` as just authenticated.

    One of password, code, and ticket with credential is enough, but an account with a factor must present a factor.
    Raises passwords.WrongPassword, FactorRequired, answers.InvalidCode, answers.TooManyCodes, or those of a ticket.
    """
    with transaction.atomic():
        refusal = _try(user=user, session=session, password=password, code=code, ticket=ticket, credential=credential)
    if refusal is not None:
        raise refusal


def _try(
    *,
    user: User,
    session: UserSession | None,
    password: str | None,
    code: str | None,
    ticket: str | None,
    credential: dict[str, Any] | None,
) -> APIException | None:
    user = locked_user(User.objects.filter(pk=user.pk))
    if password is not None:
        confirm_password(user=user, password=password, field="password")
    found: str | APIException = "password"
    if credential is not None:
        row = tickets.lock_ticket(raw=ticket or "", purpose=Purpose.REAUTHENTICATE, user=user)
        found = answers.check_passkey(user=user, credential=credential, challenge=bytes(row.challenge or b""))
        if isinstance(found, APIException):
            tickets.count_wrong_answer(row)
        else:
            tickets.use_ticket(row)
    elif code is not None:
        found = answers.check_code(user=user, code=code)
    elif policy.has_factor(user):
        raise FactorRequired
    if isinstance(found, APIException):
        if not isinstance(found, answers.ClonedPasskey):  # which has a record of its own
            audit.record("reauthentication_failed", user=user)
        return found
    if session is not None:
        UserSession.objects.filter(pk=session.pk).update(authenticated_at=Now())
    audit.record("reauthenticated", user=user, details={"with": found})
    return None
