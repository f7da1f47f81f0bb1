"""Authentication of requests: a bearer token, or the session cookie of this site's pages."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.models import AnonymousUser
from django.db.models.functions import Now
from django.http import HttpRequest
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied

from config.cache.redis import guarded, redis_client
from config.client_ip import client_ip
from config.logs import TOKEN_PREFIX

from . import personal_tokens, tokens
from .factors import policy
from .models import PersonalToken, User, UserSession

LAST_USED_INTERVAL = 300  # seconds between two updates of a cookie session's last_used_at
CHALLENGE = 'Bearer realm="api"'


class InvalidToken(AuthenticationFailed):
    default_detail = "The token is invalid or its session has ended. Refresh it or sign in."
    default_code = "token_not_valid"


class FactorSetupRequired(PermissionDenied):
    """``MFA_REQUIRED`` demands a second factor of the user, who has none."""

    default_detail = (
        "This site requires a second factor. Set one up first: on /account/two-step/, or with the calls mfa/."
    )
    default_code = "mfa_setup_required"


def require_factor_setup(request: Any, user: User) -> None:
    """Raise FactorSetupRequired if ``user`` must set up a second factor before this API request.

    Views with ``allowed_without_factor``, and reads that need no sign-in, stay open.
    """
    if not policy.must_set_up(user):
        return
    view = request.parser_context["view"]
    anonymous: Any = SimpleNamespace(method=request.method, user=AnonymousUser(), auth=None)
    is_public = all(permission.has_permission(anonymous, view) for permission in view.get_permissions())
    if not is_public and not getattr(view, "allowed_without_factor", False):
        raise FactorSetupRequired


class SessionTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <access>``, or a personal access token instead of the access token.

    One query loads the user and checks that the session or the token is live.
    """

    @staticmethod
    def session_of(request: HttpRequest, scope: str | Callable[[int], str]) -> UserSession | PersonalToken | None:
        """Return the live session or token of the request, with the ``generation`` of ``scope`` in the cache.

        ``scope`` may be a function that returns the scope of a user's own responses. A view that runs later uses the
        session found here. Returns None if there is no valid token, or its user must set up a second factor first; the
        view then answers 401 or 403.
        """
        raw = _bearer(request)
        try:
            session = credential_from_token(request, raw, scope) if raw else None
        except InvalidToken:
            return None
        request.token_session = session  # type: ignore[attr-defined]
        return None if session and policy.must_set_up(session.user) else session

    def authenticate(self, request: Any) -> tuple[User, UserSession | PersonalToken] | None:
        session = getattr(request, "token_session", None)  # found by session_of
        if session is None:
            raw = _bearer(request)
            if raw is None:
                return None
            session = credential_from_token(request, raw)
        require_factor_setup(request, session.user)
        return session.user, session

    def authenticate_header(self, request: Any) -> str:
        return CHALLENGE


class CookieAuthentication(SessionAuthentication):
    """The Django session of this site's pages, with CSRF protection."""

    def authenticate(self, request: Any) -> tuple[Any, Any] | None:
        found = super().authenticate(request)
        key = request._request.session.session_key if found else None
        # Redis limits the updates, so that polling costs no writes. Without Redis there are no updates.
        if key and guarded(lambda: redis_client().set(f"atrium:seen:{key}", 1, ex=LAST_USED_INTERVAL, nx=True)):
            UserSession.objects.filter(session_key=key).update(last_used_at=Now())
        if found:
            require_factor_setup(request, found[0])
        return found

    def authenticate_header(self, request: Any) -> str:
        return CHALLENGE


def _bearer(request: Any) -> str | None:
    scheme, _, raw = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return raw.strip() if scheme.lower() == "bearer" else None


def credential_from_token(
    request: Any, raw: str, scope: str | Callable[[int], str] = ""
) -> UserSession | PersonalToken:
    """Return the live session or personal token of the bearer token ``raw``; raises InvalidToken."""
    if not raw.startswith(TOKEN_PREFIX):
        return session_from_token(raw, scope)
    token = personal_tokens.live_token(raw, scope=scope)
    if token is None:
        raise InvalidToken
    personal_tokens.record_use(token, ip=client_ip(request))
    return token


def session_from_token(raw: str, scope: str | Callable[[int], str] = "") -> UserSession:
    """Return the live session that the access token ``raw`` names; raises InvalidToken."""
    try:
        token = tokens.decode_access(raw)
    except tokens.BadToken as error:
        raise InvalidToken from error
    session = tokens.live_session(token, scope=scope if isinstance(scope, str) else scope(int(token["user_id"])))
    if session is None:
        raise InvalidToken
    tokens.mark_received(token, session)
    return session


def session_from_cookie(request: Any) -> UserSession | None:
    """Return the live session of the request's cookie, or None."""
    key = request.session.session_key
    return UserSession.objects.live().filter(user=request.user, session_key=key).first() if key else None


def current_session(request: Any) -> UserSession | None:
    """Return the session that authenticated an API request, by access token or by cookie; None for a personal token."""
    if request.auth is None:
        return session_from_cookie(request)
    return request.auth if isinstance(request.auth, UserSession) else None


def keep_cookie_session(request: HttpRequest, user: User, session: UserSession | None) -> None:
    """Keep the cookie valid after its user's password has changed.

    Django gives the cookie a new key and a new expiry, which are stored with ``session``.
    """
    update_session_auth_hash(request, user)
    if session is not None:
        UserSession.objects.filter(pk=session.pk).update(
            session_key=request.session.session_key or "", expires_at=request.session.get_expiry_date()
        )
