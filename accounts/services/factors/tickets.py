"""Tickets: single-use rows for the steps of a client, and for the challenges of passkeys."""

import hashlib
import secrets
from datetime import timedelta
from typing import NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.db.models.functions import Now
from rest_framework.exceptions import ValidationError

from ...models import MfaTicket, User

LIFETIME = timedelta(minutes=5)
MAX_WRONG_ANSWERS = 5
CHALLENGE_BYTES = 32
Purpose = MfaTicket.Purpose


class InvalidTicket(ValidationError):
    """No step has this ticket."""

    def __init__(self) -> None:
        super().__init__({"ticket": ["This ticket is invalid. Start again."]}, "invalid_token")


class ExpiredTicket(ValidationError):
    """The ticket was used, is too old, had five wrong answers, or was made before a change of the password."""

    def __init__(self) -> None:
        super().__init__({"ticket": ["This ticket was already used or has expired. Start again."]}, "expired_token")


class OpenTicket(NamedTuple):
    """A new ticket as the client gets it, and the challenge of its passkey options."""

    raw: str
    challenge: bytes


def open_ticket(
    *, purpose: Purpose, user: User | None, first_step: str = "", user_handle: bytes | None = None
) -> OpenTicket:
    """Store a ticket for ``user``, who must be as just checked: a change of the password voids it."""
    raw, challenge = secrets.token_urlsafe(24), secrets.token_bytes(CHALLENGE_BYTES)
    MfaTicket.objects.create(
        token_hash=_hash(raw),
        purpose=purpose,
        user=user,
        auth_hash=user.get_session_auth_hash() if user else "",
        first_step=first_step,
        challenge=challenge,
        user_handle=user_handle,
        expires_at=Now() + LIFETIME,
    )
    return OpenTicket(raw, challenge)


def ticket_owner(*, raw: str, purpose: Purpose) -> int:
    """Return the ID of the ticket's user; raises InvalidTicket."""
    owner = MfaTicket.objects.filter(token_hash=_hash(raw), purpose=purpose).values_list("user_id", flat=True).first()
    if owner is None:
        raise InvalidTicket
    return owner


def lock_ticket(*, raw: str, purpose: Purpose, user: User) -> MfaTicket:
    """Lock the valid ticket that ``user`` answers; raises InvalidTicket or ExpiredTicket.

    Lock the row of ``user`` before, as a change of the password does.
    """
    ticket = (
        MfaTicket.objects.select_for_update(no_key=True)
        .annotate(is_expired=ExpressionWrapper(Q(expires_at__lte=Now()), output_field=BooleanField()))
        .filter(token_hash=_hash(raw), purpose=purpose)
        .first()
    )
    if ticket is None or ticket.user_id not in (None, user.pk):
        raise InvalidTicket
    is_void = ticket.user_id is not None and ticket.auth_hash != user.get_session_auth_hash()
    if ticket.used_at is not None or ticket.is_expired or is_void or ticket.wrong_answers >= MAX_WRONG_ANSWERS:
        raise ExpiredTicket
    return ticket


def use_ticket(ticket: MfaTicket) -> None:
    """Mark a locked ticket as used."""
    MfaTicket.objects.filter(pk=ticket.pk).update(used_at=Now())


def count_wrong_answer(ticket: MfaTicket) -> None:
    """Count a wrong answer to a locked ticket."""
    MfaTicket.objects.filter(pk=ticket.pk).update(wrong_answers=ticket.wrong_answers + 1)


def delete_expired() -> int:
    """Delete old tickets; returns how many. They stay for a day, so that a late answer is told why it fails."""
    return MfaTicket.objects.filter(expires_at__lt=Now() - timedelta(days=1)).delete()[0]


def _hash(raw: str) -> str:
    return hashlib.sha256(raw.encode(errors="replace")).hexdigest()
