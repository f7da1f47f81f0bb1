"""The second step of every sign-in: of the API, of the pages, of the admin, and after OpenID Connect.

After the first step (a password, or the provider's answer), call :func:`begin`. It returns None if the account has no
second factor, and the sign-in may start a session. Otherwise it returns a ticket for the client, and the session starts
only after :func:`finish`.
"""

from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from rest_framework.exceptions import APIException

from config import audit

from ...factors import policy, webauthn
from ...models import Passkey, User
from . import answers, tickets
from .tickets import Purpose


class SecondStep(NamedTuple):
    """What a client needs to confirm a sign-in. ``expires_in`` is in seconds."""

    ticket: str
    methods: list[str]
    passkey_options: dict[str, Any] | None
    expires_in: int = int(tickets.LIFETIME.total_seconds())
    mfa_required: bool = True


class Completed(NamedTuple):
    """A user who has passed all steps; ``signed_in_with`` is for the session, such as ``password+totp``."""

    user: User
    signed_in_with: str


@transaction.atomic
def begin(*, user: User, first_step: str) -> SecondStep | None:
    """Return the second step of a sign-in as ``user``, or None if the account has no second factor.

    ``first_step`` says what was checked: ``password`` or ``oidc``.
    """
    if not policy.has_factor(user):
        return None
    ticket = tickets.open_ticket(purpose=Purpose.SIGN_IN, user=user, first_step=first_step)
    methods = policy.methods(user)
    options = None
    if "passkey" in methods:
        passkeys = Passkey.objects.filter(user=user)
        options = webauthn.request_options(answers.site(), challenge=ticket.challenge, passkeys=passkeys)
    return SecondStep(ticket.raw, methods, options)


def finish(*, ticket: str, code: str | None = None, credential: dict[str, Any] | None = None) -> Completed:
    """Confirm a sign-in with a ``code`` or with the ``credential`` of a passkey.

    Raises tickets.InvalidTicket, tickets.ExpiredTicket, answers.InvalidCode or answers.TooManyCodes.
    """
    with transaction.atomic():
        answer = try_finish(ticket=ticket, code=code, credential=credential)
    if isinstance(answer, APIException):
        raise answer
    return answer


def try_finish(*, ticket: str, code: str | None, credential: dict[str, Any] | None) -> Completed | APIException:
    """Do the work of :func:`finish` in the caller's transaction; returns a refusal, so that its count is committed."""
    user = locked_user(User.objects.filter(pk=tickets.ticket_owner(raw=ticket, purpose=Purpose.SIGN_IN)))
    row = tickets.lock_ticket(raw=ticket, purpose=Purpose.SIGN_IN, user=user)
    if credential is not None:
        found = answers.check_passkey(user=user, credential=credential, challenge=bytes(row.challenge or b""))
    else:
        found = answers.check_code(user=user, code=code or "")
    if isinstance(found, APIException):
        return _refuse(found, row, user)
    tickets.use_ticket(row)
    return Completed(user, f"{row.first_step}+{found}")


class PasskeyChallenge(NamedTuple):
    """A challenge for a passkey."""

    ticket: str
    options: dict[str, Any]


def begin_with_passkey() -> PasskeyChallenge:
    """Return the challenge of a sign-in without a password; raises answers.PasskeysUnavailable."""
    site = answers.site()
    ticket = tickets.open_ticket(purpose=Purpose.PASSKEY_SIGN_IN, user=None)
    options = webauthn.request_options(site, challenge=ticket.challenge, verify_user=True)
    return PasskeyChallenge(ticket.raw, options)


def finish_with_passkey(*, ticket: str, credential: dict[str, Any]) -> Completed:
    """Sign in with a passkey that has verified its user; raises the errors of :func:`finish`."""
    with transaction.atomic():
        answer = try_finish_with_passkey(ticket=ticket, credential=credential)
    if isinstance(answer, APIException):
        raise answer
    return answer


def try_finish_with_passkey(*, ticket: str, credential: dict[str, Any]) -> Completed | APIException:
    """Do the work of :func:`finish_with_passkey` in the caller's transaction."""
    answers.site()
    credential_id = webauthn.credential_id(credential)
    owner = Passkey.objects.filter(credential_id=credential_id).values("user") if credential_id else None
    user = User.objects.select_for_update(no_key=True).filter(pk__in=owner).first() if owner is not None else None
    row = tickets.lock_ticket(raw=ticket, purpose=Purpose.PASSKEY_SIGN_IN, user=user or User())
    if user is None or not user.is_active or not user.email_verified:
        return _refuse(answers.InvalidPasskey(), row, None)
    found = answers.check_passkey(
        user=user, credential=credential, challenge=bytes(row.challenge or b""), verify_user=True
    )
    if isinstance(found, APIException):
        return _refuse(found, row, user)
    tickets.use_ticket(row)
    return Completed(user, found)


def locked_user(users: QuerySet[User]) -> User:
    """Lock the active user that ``users`` selects; raises tickets.ExpiredTicket if there is none."""
    user = users.select_for_update(no_key=True).filter(is_active=True).first()
    if user is None:
        raise tickets.ExpiredTicket
    return user


def _refuse(error: APIException, row: Any, user: User | None) -> APIException:
    if not isinstance(error, answers.TooManyCodes):
        tickets.count_wrong_answer(row)
    if not isinstance(error, answers.ClonedPasskey):  # which has a record of its own
        reason = "too_many" if isinstance(error, answers.TooManyCodes) else "wrong"
        audit.record("mfa_failed", user=user, details={"reason": reason})
    return error
