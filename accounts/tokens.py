"""Access and refresh tokens: JWTs that name a row of UserSession, which decides whether they are good."""

import uuid
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Model
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings as jwt_settings
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
    sql, params = _live_sql(jwt_settings.REFRESH_TOKEN_LIFETIME)
    asked: dict[Any, Any] = {_ANY_SESSION: uuid.UUID(token["sid"]), _ANY_USER: int(token["user_id"])}
    with connection.cursor() as cursor:
        cursor.execute(sql, [asked.get(value, value) for value in params])
        row = cursor.fetchone()
    if row is None:
        return None
    session_fields, user_fields = _attnames(UserSession), _attnames(User)
    session = UserSession.from_db(connection.alias, session_fields, row[: len(session_fields)])
    session.user = User.from_db(connection.alias, user_fields, row[len(session_fields) :])
    return session


_ANY_SESSION, _ANY_USER = uuid.UUID(int=0), -1


@cache
def _live_sql(lifetime: timedelta) -> tuple[str, tuple]:
    """The query of ``live_session``, compiled once for ``lifetime`` with stand-ins for its two ids.

    It precedes every request that carries a token, and compiling it anew took longer than all else in an answer from
    the cache. Its columns are the session's and then the user's, as ``select_related`` orders them.
    """
    sessions = UserSession.objects.live().select_related("user").order_by()
    return sessions.filter(id=_ANY_SESSION, user_id=_ANY_USER, user__is_active=True).query.sql_with_params()


@cache
def _attnames(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def _named(token: Any, session: UserSession) -> Any:
    token["user_id"] = session.user_id
    token["sid"] = str(session.pk)
    return token
