"""How a request says who asks: a bearer token, or this site's own cookie."""

from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.db.models.functions import Now
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import AccessToken

from config.caching import guarded, redis_client

from . import tokens
from .models import User, UserSession

SEEN_EVERY = 300  # seconds between two notes that a cookie is in use
CHALLENGE = 'Bearer realm="api"'


class InvalidToken(AuthenticationFailed):
    default_detail = "The token is not valid, or its session has ended. Refresh it or sign in."
    default_code = "token_not_valid"


class SessionTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access>``. One query loads the user and says whether the session still stands."""

    def authenticate(self, request: Any) -> tuple[User, UserSession] | None:
        scheme, _, raw = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        session = session_of(raw.strip().decode("latin-1"))
        return session.user, session

    def authenticate_header(self, request: Any) -> str:
        return CHALLENGE


def session_of(raw: str) -> UserSession:
    """The live session that an access token names; raises InvalidToken."""
    try:
        session = tokens.live_session(tokens.read(raw, AccessToken))
    except tokens.BadToken as error:
        raise InvalidToken from error
    if session is None:
        raise InvalidToken
    return session


def current_session(request: Any) -> UserSession | None:
    """The session by which somebody signed in asks, be it of a token or of a cookie."""
    if isinstance(request.auth, UserSession):
        return request.auth
    return session_of_cookie(request)


def session_of_cookie(request: Any) -> UserSession | None:
    key = request.session.session_key
    return UserSession.objects.live().filter(user=request.user, session_key=key).first() if key else None


def stay_signed_in(request: HttpRequest, user: User, session: UserSession | None) -> None:
    """Carry a cookie over its user's change of password; Django renews its key and its time, which the row learns."""
    update_session_auth_hash(request, user)
    if session is not None:
        UserSession.objects.filter(pk=session.pk).update(
            session_key=request.session.session_key or "", expires_at=request.session.get_expiry_date()
        )


class CookieAuthentication(SessionAuthentication):
    """The Django session of this site's own pages, with CSRF."""

    def authenticate(self, request: Any) -> tuple[Any, Any] | None:
        found = super().authenticate(request)
        key = request._request.session.session_key if found else None
        # Seldom enough that polling costs no write: without Redis, which remembers it, not at all.
        if key and guarded(lambda: redis_client().set(f"atrium:seen:{key}", 1, ex=SEEN_EVERY, nx=True)):
            UserSession.objects.filter(session_key=key).update(last_used_at=Now())
        return found

    def authenticate_header(self, request: Any) -> str:
        return CHALLENGE
