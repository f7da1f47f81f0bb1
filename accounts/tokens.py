"""Access and refresh tokens: JWTs that name a UserSession row, which decides whether they are valid."""

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any

from django.db import connection
from django.db.models import Model
from django.db.models.expressions import RawSQL
from django.utils import timezone
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings as jwt_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from config.cache.generations import CURRENT
from config.db import prepared
from config.db.first_query import first_query

from .models import User, UserSession

MAX_ID = 2**63 - 1
SESSION_LIFETIME = timedelta(days=90)  # refreshes do not extend it


class BadToken(Exception):
    """The token was not issued by Atrium, has another type, or is expired."""


def new_jti() -> str:
    """Generate the ID of a new token."""
    return uuid.uuid4().hex


def start_session(
    *, user: User, ip: str | None = None, user_agent: str = "", signed_in_with: str = ""
) -> tuple[UserSession, str, str]:
    """Create a session for ``user``; returns it with an access token and a refresh token."""
    now = timezone.now()
    session = UserSession(
        user=user,
        ip=ip,
        user_agent=user_agent[:300],
        signed_in_with=signed_in_with,
        expires_at=now + SESSION_LIFETIME,
        refresh_jti=new_jti(),
        refresh_issued_at=now,
    )
    session.save(force_insert=True)
    return session, str(access_token(session)), str(refresh_token(session))


def access_token(session: UserSession) -> AccessToken:
    """Return the access token that was issued together with the session's current refresh token."""
    issued: datetime = session.refresh_issued_at or session.created_at
    token = _add_claims(AccessToken(), session)
    token["jti"] = _access_jti(session)
    token.set_iat(at_time=issued)
    token.set_exp(from_time=issued)
    return token


def access_token_of_cookie(session: UserSession) -> tuple[str, int]:
    """Return a new access token for a cookie session, and for how many seconds it is valid.

    It is refused as soon as the session has ended, and never outlives it.
    """
    now = timezone.now()
    lifetime = min(jwt_settings.ACCESS_TOKEN_LIFETIME, session.expires_at - now)
    token: Any = _add_claims(AccessToken(), session)
    token["jti"] = new_jti()
    token.set_iat(at_time=now)
    token.set_exp(from_time=now, lifetime=lifetime)
    return str(token), int(lifetime.total_seconds())


def refresh_token(session: UserSession) -> RefreshToken:
    """Return the session's current refresh token. It lives 14 days from its issue, but not longer than the session.

    It is computed from the row alone, so two calls return the same token.
    """
    issued: datetime = session.refresh_issued_at or session.created_at
    token = _add_claims(RefreshToken(), session)
    token["jti"] = session.refresh_jti
    token.set_iat(at_time=issued)
    token.set_exp(from_time=issued, lifetime=min(token.lifetime, session.expires_at - issued))
    return token


def mark_received(token: Token, session: UserSession) -> None:
    """Record that the client has received the tokens of its last refresh, because it used the access token.

    The refresh token before it is no longer accepted from then on.
    """
    if session.spent_jti and token["jti"] == _access_jti(session):
        UserSession.objects.filter(pk=session.pk, refresh_jti=session.refresh_jti).update(spent_jti="")


def decode(raw: str, kind: type[Token]) -> Token:
    """Decode ``raw`` and check its signature, type, expiry and claims; raises BadToken."""
    try:
        token = kind(raw)  # type: ignore[arg-type]
        uuid.UUID(token["sid"])
        if int(token["user_id"]) > MAX_ID:
            raise BadToken
    except (TokenError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise BadToken from error
    return token


def decode_access(raw: str) -> Token:
    """Return the access token ``raw``, which callers must not change; raises BadToken if it is invalid or expired.

    A client sends the same token for minutes. Decoding it takes 0.1 to 0.3 ms, as long as the rest of a cached
    response, so decoded tokens are kept. Only valid ones are.
    """
    token = _decoded_access(raw)
    leeway = timedelta(seconds=jwt_settings.LEEWAY)
    if token["exp"] <= (timezone.now() - leeway).timestamp():
        raise BadToken
    return token


@lru_cache(maxsize=2048)
def _decoded_access(raw: str) -> Token:
    return decode(raw, AccessToken)


def live_session(token: Token, *, scope: str = "") -> UserSession | None:
    """Return the token's session and user in one query; None if either is no longer active.

    The same query reads the session's ``generation``: that of ``scope`` in the cache.
    """
    sql, params = _live_sql(jwt_settings.REFRESH_TOKEN_LIFETIME)
    asked: dict[Any, Any] = {
        _ANY_SESSION: uuid.UUID(token["sid"]), _ANY_USER: int(token["user_id"]), _ANY_SCOPE: scope
    }  # fmt: skip
    row = first_query(lambda: _fetch_one(sql, [asked[value] for value in params]))
    if row is None:
        return None
    session_fields, user_fields = _attnames(UserSession), _attnames(User)
    at = len(session_fields)
    session = UserSession.from_db(connection.alias, session_fields, row[:at])
    session.generation = row[at]
    session.user = User.from_db(connection.alias, user_fields, row[at + 1 :])
    return session


def _fetch_one(sql: str, params: Sequence[Any]) -> Any:
    with connection.cursor() as cursor:
        prepared.execute(cursor, sql, params)
        return cursor.fetchone()


_ANY_SESSION, _ANY_USER, _ANY_SCOPE = uuid.UUID(int=0), -1, "any scope"


@cache
def _live_sql(lifetime: timedelta) -> tuple[str, list]:
    """Compile the query of ``live_session`` once for ``lifetime``, with placeholders for its arguments.

    Every request with a token runs it, and compiling it took longer than the rest of a cached response. Its columns are
    those of the session, the generation, then those of the user, as ``select_related`` orders them.
    """
    generation = RawSQL(f"({CURRENT})", [_ANY_SCOPE])  # noqa: S611
    sessions = UserSession.objects.live().select_related("user").annotate(cache_generation=generation).order_by()
    query = sessions.filter(id=_ANY_SESSION, user_id=_ANY_USER, user__is_active=True).query
    return prepared.fixed(*query.sql_with_params(), variable=(_ANY_SESSION, _ANY_USER, _ANY_SCOPE))


@cache
def _attnames(model: type[Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def _access_jti(session: UserSession) -> str:
    return uuid.uuid5(session.pk, session.refresh_jti).hex


def _add_claims(token: Any, session: UserSession) -> Any:
    token["user_id"] = session.user_id
    token["sid"] = str(session.pk)
    return token
