"""Creating and revoking personal access tokens."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from config import audit
from config.api.errors import Conflict
from config.realtime import events

from .. import personal_tokens
from ..authentication import InvalidToken
from ..models import PersonalToken, User, UserSession
from .recent_sign_in import require_recent_sign_in

MAX_TOKENS = 100  # of one user


class TooManyTokens(Conflict):
    """The user has the most tokens that one user can have."""

    default_detail = f"You have {MAX_TOKENS} tokens. Delete one that you no longer use."
    default_code = "too_many_tokens"


class ExpiryInThePast(ValidationError):
    """The token would never be valid."""

    def __init__(self) -> None:
        super().__init__({"expires_at": ["Choose a time in the future."]}, "in_the_past")


@transaction.atomic
def create_token(
    *, user: User, session: UserSession | None, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[PersonalToken, str]:
    """Create a token of ``user``; returns its row and the token itself, which nothing else will ever show.

    The user is locked: a concurrent new password either ends ``session`` before, or revokes the token after. Raises
    recent_sign_in.ReauthenticationRequired, TooManyTokens or ExpiryInThePast.
    """
    if not User.objects.select_for_update(no_key=True).filter(pk=user.pk, is_active=True).exists():
        raise InvalidToken
    require_recent_sign_in(session=session)
    if expires_at is not None and expires_at <= timezone.now():
        raise ExpiryInThePast
    if PersonalToken.objects.filter(user=user).count() >= MAX_TOKENS:
        raise TooManyTokens
    raw = personal_tokens.new_token()
    token = PersonalToken(
        user=user,
        name=name,
        scopes=sorted(set(scopes)),
        prefix=raw[: personal_tokens.SHOWN_LENGTH],
        token_hash=personal_tokens.hash_token(raw),
        created_at=timezone.now(),
        expires_at=expires_at,
    )
    token.save(force_insert=True)
    details = {"name": name, "scopes": token.scopes, "expires_at": expires_at}
    audit.record("token_created", user=user, target=token, details=details)
    return token, raw


@transaction.atomic
def revoke_token(*, user: User, token_id: UUID) -> bool:
    """Revoke a token of ``user`` from the next request on; returns whether there was one."""
    token = PersonalToken.objects.filter(user=user, pk=token_id).first()
    if token is None or not revoke_tokens(user=user, token_id=token_id):
        return False
    audit.record("token_revoked", user=user, target=token, details={"name": token.name})
    return True


@transaction.atomic
def revoke_tokens(*, user: User, token_id: UUID | None = None) -> int:
    """Delete one token of ``user``, or all, and close their event streams at the commit; returns how many."""
    tokens = PersonalToken.objects.filter(user=user)
    ids = list((tokens if token_id is None else tokens.filter(pk=token_id)).values_list("pk", flat=True))
    if ids:
        PersonalToken.objects.filter(pk__in=ids).delete()
        events.end_sessions(ids)
    return len(ids)
