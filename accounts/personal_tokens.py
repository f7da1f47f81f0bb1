"""Personal access tokens: their format, and finding the row of one.

A token is ``atr_``, 30 random letters or digits (178 bits) and six that are the CRC-32 of those 30, in base 62.
Scanners for leaked secrets find tokens by this shape, and a mistyped token costs no query.
"""

import hashlib
import secrets
import string
import zlib
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Now
from django.utils import timezone

from config.cache.generations import CURRENT
from config.db.first_query import first_query
from config.logs import TOKEN_PREFIX

from .models import PersonalToken, User

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH, CHECKSUM_LENGTH = 30, 6
SHOWN_LENGTH = 8  # the prefix that lists show: atr_ and four random characters
USE_INTERVAL = timedelta(minutes=1)  # between two updates of last_used_at


def new_token() -> str:
    """Return a new random token."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
    return f"{TOKEN_PREFIX}{body}{checksum(body)}"


def checksum(body: str) -> str:
    """Return the CRC-32 of ``body`` as six digits of base 62."""
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def is_well_formed(raw: str) -> bool:
    """Return whether ``raw`` has the shape and the checksum of a token."""
    body = raw.removeprefix(TOKEN_PREFIX)
    if len(body) != RANDOM_LENGTH + CHECKSUM_LENGTH or not (body.isascii() and body.isalnum()):
        return False
    return checksum(body[:RANDOM_LENGTH]) == body[RANDOM_LENGTH:]


def hash_token(raw: str) -> str:
    """Return the hash under which a token is stored. A slow hash is not needed for 178 random bits."""
    return hashlib.sha256(raw.encode()).hexdigest()


def live_token(raw: str, *, scope: str | Callable[[int], str] = "") -> PersonalToken | None:
    """Return the row of ``raw`` with its user in one query; None if it is revoked, expired, or its user inactive.

    The same query reads the row's ``generation``: that of ``scope`` in the cache. ``scope`` may be a function of the
    user's ID, which only the query knows, so it is called with a number that the query replaces.
    """
    if not is_well_formed(raw):
        return None
    scope_text = scope if isinstance(scope, str) else scope(_ANY_USER)
    sql, params = _live_sql()
    asked: dict[Any, Any] = {_ANY_HASH: hash_token(raw), _ANY_SCOPE: scope_text}
    row = first_query(lambda: _fetch_one(sql, [asked.get(value, value) for value in params]))
    if row is None:
        return None
    token_fields, user_fields = _attnames(PersonalToken), _attnames(User)
    at = len(token_fields)
    token = PersonalToken.from_db(connection.alias, token_fields, row[:at])
    token.generation = row[at]
    token.user = User.from_db(connection.alias, user_fields, row[at + 1 :])
    return token


def record_use(token: PersonalToken, *, ip: str | None) -> None:
    """Store when and from where ``token`` was used, at most once a minute."""
    if token.last_used_at is not None and timezone.now() - token.last_used_at < USE_INTERVAL:
        return
    unused = Q(last_used_at=None) | Q(last_used_at__lte=Now() - USE_INTERVAL)
    PersonalToken.objects.filter(unused, pk=token.pk).update(last_used_at=Now(), last_used_ip=ip)


def _fetch_one(sql: str, params: list[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()


_ANY_HASH, _ANY_SCOPE, _ANY_USER = "any hash", "any scope", -7308241


@cache
def _live_sql() -> tuple[str, tuple]:
    """Compile the query of ``live_token`` once, as ``accounts.tokens`` does for sessions."""
    scope_of_user = f"replace(%s, '{_ANY_USER}', accounts_personaltoken.user_id::text)"
    generation = RawSQL(f"({CURRENT.replace('%s', scope_of_user)})", [_ANY_SCOPE])  # noqa: S611
    tokens = PersonalToken.objects.live().select_related("user").annotate(cache_generation=generation).order_by()
    return tokens.filter(token_hash=_ANY_HASH, user__is_active=True).query.sql_with_params()


@cache
def _attnames(model: Any) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]
