"""How a request says who asks: a bearer token, or this site's own cookie."""

import uuid
from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import AccessToken

from . import tokens
from .models import User, UserSession


class InvalidToken(AuthenticationFailed):
    default_detail = "The access token is not valid, or its session has ended. Sign in or refresh."
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
        return 'Bearer realm="api"'


def session_of(raw: str) -> UserSession:
    """The live session that an access token names; raises InvalidToken."""
    try:
        token = AccessToken(raw)  # type: ignore[arg-type]
        uuid.UUID(token["sid"])
        session = tokens.live_session(token)
    except (TokenError, KeyError, ValueError, TypeError) as error:
        raise InvalidToken from error
    if session is None:
        raise InvalidToken
    return session


class CookieAuthentication(SessionAuthentication):
    """The Django session of this site's own pages, with CSRF."""

    def authenticate_header(self, request: Any) -> str:
        return 'Bearer realm="api"'
