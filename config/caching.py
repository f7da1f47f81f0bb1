"""Reads kept in Redis as the bytes that were sent, with their ETag; never older than the last commit.

What is cached belongs to a *scope* ("notes:17": what user 17 sees of notes; "trends": what everybody sees). A scope has
a generation in Postgres. A writer moves it with :func:`bump` inside its own transaction, so that the new data and the
end of the old bytes become visible in the same instant, whether Redis is there or not. A reader asks for the generation
*before* it reads the data, and keeps the bytes under it: bytes made from older data can only ever lie under an older
generation. Redis may be away, flushed, or come back with what it had: a request is then answered from Postgres.
"""

import gzip
import hashlib
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlencode

import redis
import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from rest_framework.request import Request

from .codecs import dumps
from .memory import Memory

logger = structlog.get_logger(__name__)

T = TypeVar("T")

REDIS_REST = 5.0  # seconds that this process leaves a Redis alone which has just failed it
COMPRESS_FROM = 1024  # bytes; below, the header costs as much as it saves
# Public answers are asked for by everybody, so each process has the latest at hand. As in Redis, they lie under their
# generation, so they are no staler than there; the seconds only bound how much longer than there they live.
_near = Memory(limit=16 * 1024 * 1024, seconds=5)
_rest_until = 0.0
_client: redis.Redis | None = None


def bump(*scopes: str) -> None:
    """End everything cached under ``scopes`` as of this transaction's commit. Call it inside ``atomic``, last.

    The rows are taken in one order by everybody, so that two writers never wait for each other.
    """
    if not scopes:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO config_cachegeneration AS kept (scope, value) "
            "SELECT scope, 1 FROM unnest(%s::text[]) AS scope ORDER BY scope "
            "ON CONFLICT (scope) DO UPDATE SET value = kept.value + 1",
            [sorted(set(scopes))],
        )


def generation(scope: str) -> int:
    """The present generation of ``scope``; 0 where nothing was ever written."""
    own: Any = connection
    if own.connection is None or own.in_atomic_block or own.health_check_done:
        return _generation(scope)
    # A request's first query tells as well whether the connection still lives as the check that Django makes before it,
    # and cached reads are made of little else than these round trips.
    own.health_check_done = True
    try:
        return _generation(scope)
    except (OperationalError, InterfaceError):
        own.close()
        return _generation(scope)


def _generation(scope: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT value FROM config_cachegeneration WHERE scope = %s", [scope])
        row = cursor.fetchone()
    return row[0] if row else 0


def cached_response(
    request: Request | HttpRequest,
    *,
    scope: str,
    produce: Callable[[], object],
    ttl: int = 120,
    public: bool = False,
    etag: Callable[[bytes], str] | None = None,
) -> HttpResponse:
    """Answer a GET with the cached bytes of ``produce()``, or 304 where the client has them already.

    ``produce`` returns what the answer's JSON is made of (or the bytes themselves), and is called only when nothing is
    kept. ``ttl`` is in seconds. The key is the scope, its generation and the whole address, so the scope must say who
    may see the answer. ``public`` answers are also kept compressed for clients that accept gzip. ``etag`` makes the tag
    from the body where it shall say more than that the bytes are the same.
    """
    key, form = _place(request, scope, public)
    kept = _kept(request, key, form, public)
    if kept is not None:
        return kept
    data = produce()
    body = data if isinstance(data, bytes) else dumps(data)
    tag = etag(body) if etag else None
    if form == "gzip" and len(body) >= COMPRESS_FROM:
        body = gzip.compress(body, compresslevel=6, mtime=0)
    tag = tag or f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    _put(key, {form: body, _tag_of(form): tag.encode()}, ttl)
    return _respond(request, body, tag, public)


def kept_response(request: HttpRequest, *, scope: str, allow: Callable[[], bool]) -> HttpResponse | None:
    """What ``cached_response`` has kept of a public read, if there is any and ``allow`` says yes."""
    key, form = _place(request, scope, True)
    kept = _kept(request, key, form, True)
    return kept if kept is not None and allow() else None


def _kept(request: Request | HttpRequest, key: str, form: str, public: bool) -> HttpResponse | None:
    """The answer from what is kept, if anything is. Of bytes that the client has already, only the tag is fetched."""
    if public and (near := _near.get(f"{key}:{form}")):
        return _respond(request, near.body, near.tag, public)
    if not public and "HTTP_IF_NONE_MATCH" in request.META:
        (tag,) = _get(key, _tag_of(form))
        if tag is not None and _has(request, tag.decode()):
            return _respond(request, b"", tag.decode(), public)
    body, tag = _get(key, form, _tag_of(form))
    if body is None or tag is None:
        return None
    if public:
        _near.put(f"{key}:{form}", body, tag.decode())
    return _respond(request, body, tag.decode(), public)


def _has(request: Request | HttpRequest, tag: str) -> bool:
    return matches(request.META.get("HTTP_IF_NONE_MATCH"), tag)


def _tag_of(form: str) -> str:
    """The field that holds the ETag of a form."""
    return f"{form}.etag"


def _place(request: Request | HttpRequest, scope: str, public: bool) -> tuple[str, str]:
    """The key of an answer in Redis, and the form in which this client takes it, which is a field there."""
    path = f"{request.scheme}://{request.get_host()}{request.path}?{urlencode(sorted(request.GET.lists()), doseq=True)}"
    digest = hashlib.blake2b(path.encode(errors="replace"), digest_size=16).hexdigest()
    compressed = public and "gzip" in request.headers.get("Accept-Encoding", "")
    # Asked once a request: the older answer is the safer one.
    known = f"atrium.generation.{scope}"
    if known not in request.META:
        request.META[known] = generation(scope)
    return f"atrium:read:{scope}:{request.META[known]}:{digest}", "gzip" if compressed else "plain"


def _respond(request: Request | HttpRequest, body: bytes, tag: str, public: bool) -> HttpResponse:
    """The answer that carries ``body``, or 304 where the client says that it has it."""
    response: HttpResponse
    if _has(request, tag):
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(body, content_type="application/json")
        if body[:2] == b"\x1f\x8b":
            response["Content-Encoding"] = "gzip"
    response["ETag"] = tag
    response["Cache-Control"] = "no-cache" if public else "private, no-cache"
    patch_vary_headers(response, ["Accept-Encoding"] if public else ["Authorization", "Cookie"])
    return response


def matches(header: str | None, etag: str) -> bool:
    """Whether an ``If-Match`` or ``If-None-Match`` header names ``etag`` (weak comparison, RFC 9110 13.1.2)."""
    if not header:
        return False
    known = {tag.removeprefix("W/") for tag in parse_etags(header)}
    return "*" in known or etag.removeprefix("W/") in known


def redis_client() -> redis.Redis:
    """The process's client of ``REDIS_URL``, with short time-outs: a request waits behind it."""
    global _client
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1, health_check_interval=30
        )
    return _client


def guarded(action: Callable[[], T]) -> T | None:
    """Run ``action``; None while Redis is away, without asking it again for a few seconds."""
    global _rest_until
    if time.monotonic() < _rest_until:
        return None
    try:
        return action()
    except redis.exceptions.RedisError as error:
        _rest_until = time.monotonic() + REDIS_REST
        logger.warning("redis_unreachable", error=type(error).__name__)
        return None


def _get(key: str, *fields: str) -> list[bytes | None]:
    found = guarded(lambda: redis_client().hmget(key, list(fields)))
    return found or [None] * len(fields)  # type: ignore[return-value]


def _put(key: str, fields: dict[str, bytes], ttl: int) -> None:
    def put() -> None:
        with redis_client().pipeline(transaction=False) as pipe:
            pipe.hset(key, mapping=fields)
            pipe.expire(key, ttl)
            pipe.execute()

    guarded(put)


def scopes(prefix: str, ids: Iterable[int]) -> list[str]:
    """The scopes of several people: ``scopes("notes", [1, 2])`` is ``["notes:1", "notes:2"]``."""
    return [f"{prefix}:{pk}" for pk in ids]
