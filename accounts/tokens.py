"""Access and refresh tokens: JWTs that name a row of UserSession, which decides whether they are good."""

from datetime import timedelta
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from .models import User, UserSession

SESSION_LIFETIME = timedelta(days=90)


def start_session(*, user: User, ip: str | None = None, user_agent: str = "") -> tuple[UserSession, str, str]:
    """Sign ``user`` in on a new device; returns its session, an access token and a refresh token."""
    session = UserSession(user=user, ip=ip, user_agent=user_agent[:300], expires_at=timezone.now() + SESSION_LIFETIME)
    refresh = refresh_token(session)
    session.refresh_jti = refresh["jti"]
    session.save(force_insert=True)
    return session, str(access_token(session)), str(refresh)


def access_token(session: UserSession) -> AccessToken:
    return _named(AccessToken(), session)


def refresh_token(session: UserSession) -> RefreshToken:
    """A fourteen-day token, or one as long as what is left of the session."""
    token = _named(RefreshToken(), session)
    left = session.expires_at - timezone.now()
    if left < token.lifetime:
        token.set_exp(lifetime=left)
    return token


def live_session(token: AccessToken) -> UserSession | None:
    """The session an access token belongs to, with its user, in one query; None once either has ended."""
    return (
        UserSession.objects.select_related("user")
        .filter(id=token["sid"], user_id=token["user_id"], ended_at=None, expires_at__gt=Now(), user__is_active=True)
        .first()
    )


def _named(token: Any, session: UserSession) -> Any:
    token["user_id"] = session.user_id
    token["sid"] = str(session.pk)
    return token
