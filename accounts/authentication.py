"""How a request says who asks: a bearer token, or this site's own cookie."""

from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import AccessToken

from . import tokens
from .models import User, UserSession

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


class CookieAuthentication(SessionAuthentication):
    """The Django session of this site's own pages, with CSRF."""

    def authenticate_header(self, request: Any) -> str:
        return CHALLENGE
