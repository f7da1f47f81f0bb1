"""Access and refresh tokens: JWTs that name a row of UserSession, which decides whether they are good."""

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from .models import User, UserSession

SESSION_LIFETIME = timedelta(days=90)  # however often it is refreshed


class BadToken(Exception):
    """Not a token of ours, of another kind, or expired."""


def new_jti() -> str:
    return uuid.uuid4().hex


def start_session(*, user: User, ip: str | None = None, user_agent: str = "") -> tuple[UserSession, str, str]:
    """Sign ``user`` in on a new device; returns its session, an access token and a refresh token."""
    now = timezone.now()
    session = UserSession(
        user=user,
        ip=ip,
        user_agent=user_agent[:300],
        expires_at=now + SESSION_LIFETIME,
        refresh_jti=new_jti(),
        refresh_issued_at=now,
    )
    session.save(force_insert=True)
    return session, str(access_token(session)), str(refresh_token(session))


def access_token(session: UserSession) -> AccessToken:
    return _named(AccessToken(), session)


def refresh_token(session: UserSession) -> RefreshToken:
    """The session's present refresh token: fourteen days from its issue, or what is left of the session.

    It is made of what the row holds alone, so that asking twice gives the same token.
    """
    issued: datetime = session.refresh_issued_at or session.created_at
    token = _named(RefreshToken(), session)
    token["jti"] = session.refresh_jti
    token.set_iat(at_time=issued)
    token.set_exp(from_time=issued, lifetime=min(token.lifetime, session.expires_at - issued))
    return token


def read(raw: str, kind: type[Token]) -> Token:
    """The token behind ``raw`` with its signature, kind, expiry and names checked; raises BadToken."""
    try:
        token = kind(raw)  # type: ignore[arg-type]
        uuid.UUID(token["sid"])
        int(token["user_id"])
    except (TokenError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadToken from error
    return token


def live_session(token: Token) -> UserSession | None:
    """The session a token belongs to, with its user, in one query; None once either has ended."""
    return (
        UserSession.objects.live()
        .select_related("user")
        .filter(id=token["sid"], user_id=token["user_id"], user__is_active=True)
        .first()
    )


def _named(token: Any, session: UserSession) -> Any:
    token["user_id"] = session.user_id
    token["sid"] = str(session.pk)
    return token
