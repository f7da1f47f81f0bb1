"""Responses cached in Redis as the bytes that were sent, with their ETag; never older than the last commit.

A cached response belongs to a *scope* ("notes:17": what user 17 sees of notes; "trends": what everybody sees). A scope
has a generation in Postgres. A write changes it with :func:`~config.cache.generations.invalidate` in its own
transaction, so the new data and the end of the old bytes become visible in the same instant. A read looks up the
generation *before* it reads the data and stores the bytes under it, so bytes made from older data are stored under an
older generation. If Redis is away, was flushed, or returns with old content, the answer comes from Postgres.
"""

import gzip
import hashlib
import re
from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags
from prometheus_client import Counter
from rest_framework.request import Request

from config.json import dumps

from .bounded import BOUND
from .counters import COUNT, Window, count
from .generations import current_generation
from .local import LocalCache
from .redis import guarded, redis_client, run_script

# KEYS: the cached response.  ARGV: form, body, field of the tag, tag, seconds to live, bytes of all cached responses.
_PUT = (
    BOUND
    + """
local before = redis.call('HSTRLEN', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
bound('atrium:cache', KEYS[1], #ARGV[2] - before, tonumber(ARGV[5]), tonumber(ARGV[6]))
"""
)
# One round trip for a cached read: it counts the request and returns the response with its tag. Nothing is counted or
# returned if nothing is cached or the client is over its limit: then the view answers and counts.
# KEYS: the cached response, the client's counter, if any.
# ARGV: form, field of the tag, If-None-Match, limit of the counter, its window in ms.
_READ = (
    COUNT
    + """
local tag = redis.call('HGET', KEYS[1], ARGV[2])
if not tag or (KEYS[2] and count(KEYS[2], ARGV[5]) > tonumber(ARGV[4])) then return false end
-- The client probably has the bytes, if its header contains the tag without the quotes.
if ARGV[3]:find(tag:sub(2, -2), 1, true) then return {tag} end
return {tag, redis.call('HGET', KEYS[1], ARGV[1])}
"""
)
# Proxies that compress a response add a suffix to its tag, inside the quotes or after them: "abc-gzip", "abc"-gzip.
_ENCODING_SUFFIX = re.compile(r'(?:[-;]{1,2}(?:gzip|br|zstd|deflate|df))+"|"(?:[-;](?:gzip|br|zstd|deflate))+')
COMPRESS_FROM = 1024  # bytes; below, the header costs as much as it saves
# Public responses that this process has fetched from Redis. They too are stored under their generation, so they are not
# staler than in Redis; the seconds only bound how long they live on after they have expired there.
local_cache = LocalCache(limit=16 * 1024 * 1024, seconds=5)
_LOOKUPS = Counter("atrium_cache_lookups", "Look-ups of cached responses, by where they were found.", ["result"])
_IN_PROCESS, _IN_REDIS, _MISS = (_LOOKUPS.labels(result=result) for result in ("process", "redis", "miss"))
# Keys of request.META: the generation of a scope, and the cached response that Redis does not have.
_GENERATION, _MISSED = "atrium.generation.", "atrium.missed"


def cached_response(
    request: Request | HttpRequest,
    *,
    scope: str,
    produce: Callable[[], object],
    ttl: int = 120,
    public: bool = False,
    etag: Callable[[bytes], str] | None = None,
) -> HttpResponse:
    """Answer a GET with cached bytes of ``produce()``, or with 304 if the client has them already.

    ``produce`` returns data for JSON, or the bytes themselves; it is called only if nothing is cached. ``ttl`` is in
    seconds. The key is the scope, its generation and the whole URL, so the scope must say who may see the answer.
    ``public`` answers are also cached compressed, for clients that accept gzip. ``etag`` makes the tag from the body;
    by default the tag is a digest of the bytes.
    """
    key, form = _key_and_form(request, scope, public)
    stored = _stored(request, key, form, public)
    if stored is not None:
        return stored
    _MISS.inc()
    data = produce()
    body = data if isinstance(data, bytes) else dumps(data)
    tag = etag(body) if etag else None
    if form == "gzip" and len(body) >= COMPRESS_FROM:
        body = gzip.compress(body, compresslevel=6, mtime=0)
    tag = tag or f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    _put(key, form, body, tag, ttl)
    return _respond(request, body, tag, public)


def stored_response(request: HttpRequest, *, scope: str, public: bool, window: Window | None) -> HttpResponse | None:
    """Count a GET in ``window`` and return its cached answer, in one round trip to Redis.

    None if nothing is cached or the client is over its limit.
    """
    key, form = _key_and_form(request, scope, public)
    if public and (local := local_cache.get(f"{key}:{form}")):
        counted = count(window.key, window.milliseconds) if window else None
        if window and counted and counted.number > window.limit:
            return None
        _IN_PROCESS.inc()
        return _respond(request, local.body, local.tag, public)
    keys, limits = [key], [0, 0]
    if window:
        keys, limits = [key, window.key], [window.limit, window.milliseconds]
    known = request.META.get("HTTP_IF_NONE_MATCH", "")
    found = guarded(lambda: run_script(_READ, keys, [form, _tag_field(form), known, *limits]))
    if not found:
        request.META[_MISSED] = f"{key}:{form}"
        return None
    tag = found[0].decode()
    if _client_has(request, tag):
        _IN_REDIS.inc()
        return _respond(request, b"", tag, public)
    (body,) = found[1:] or _get(key, form)
    if body is None:
        return None
    _IN_REDIS.inc()
    if public:
        local_cache.put(f"{key}:{form}", body, tag)
    return _respond(request, body, tag, public)


def use_generation(request: Request | HttpRequest, scope: str, generation: int) -> None:
    """Use this generation for the rest of the request. If it changes meanwhile, the older one is the safe one."""
    request.META[f"{_GENERATION}{scope}"] = generation


def matches(header: str | None, etag: str) -> bool:
    """Whether an ``If-Match`` or ``If-None-Match`` header names ``etag`` (weak comparison, RFC 9110 13.1.2)."""
    if not header:
        return False
    known = {tag.removeprefix("W/") for tag in parse_etags(_ENCODING_SUFFIX.sub('"', header))}
    return "*" in known or etag.removeprefix("W/") in known


def _stored(request: Request | HttpRequest, key: str, form: str, public: bool) -> HttpResponse | None:
    """Return the cached answer. If the client has the bytes already, only the tag is fetched from Redis."""
    if request.META.get(_MISSED) == f"{key}:{form}":
        return None
    if public and (local := local_cache.get(f"{key}:{form}")):
        _IN_PROCESS.inc()
        return _respond(request, local.body, local.tag, public)
    if not public and "HTTP_IF_NONE_MATCH" in request.META:
        (tag,) = _get(key, _tag_field(form))
        if tag is not None and _client_has(request, tag.decode()):
            _IN_REDIS.inc()
            return _respond(request, b"", tag.decode(), public)
    body, tag = _get(key, form, _tag_field(form))
    if body is None or tag is None:
        return None
    _IN_REDIS.inc()
    if public:
        local_cache.put(f"{key}:{form}", body, tag.decode())
    return _respond(request, body, tag.decode(), public)


def _client_has(request: Request | HttpRequest, tag: str) -> bool:
    return matches(request.META.get("HTTP_IF_NONE_MATCH"), tag)


def _tag_field(form: str) -> str:
    return f"{form}.etag"


def _key_and_form(request: Request | HttpRequest, scope: str, public: bool) -> tuple[str, str]:
    """Return the Redis key of an answer, and the field of its hash that this client accepts: ``plain`` or ``gzip``."""
    _drop_unknown_parameters(getattr(request, "_request", request))
    host, query = request.META.get("HTTP_HOST", ""), ""  # CommonMiddleware has checked the host
    if request.META.get("QUERY_STRING"):
        query = urlencode(sorted(request.GET.lists()), doseq=True)
    path = f"{request.scheme}://{host}{request.path}?{query}"
    digest = hashlib.blake2b(path.encode(errors="replace"), digest_size=16).hexdigest()
    compressed = public and "gzip" in request.headers.get("Accept-Encoding", "")
    if (generation := request.META.get(f"{_GENERATION}{scope}")) is None:
        generation = current_generation(scope)
        use_generation(request, scope, generation)
    return f"atrium:read:{scope}:{generation}:{digest}", "gzip" if compressed else "plain"


def _drop_unknown_parameters(request: HttpRequest) -> None:
    """Remove query parameters that the view does not know, from the key and from the links in the body.

    Otherwise each made-up parameter would be a response of its own, and a shared body would show another client's.
    """
    match = request.resolver_match
    if match is None or not hasattr(match.func, "cls") or not request.META.get("QUERY_STRING"):
        return
    known = _known_parameters(match.func)
    if unknown := request.GET.keys() - known:
        query = request.GET.copy()
        for name in unknown:
            del query[name]
        request.GET = query  # type: ignore[assignment]
        request.META["QUERY_STRING"] = query.urlencode()


@cache
def _known_parameters(view: Any) -> frozenset[str]:
    """Return the query parameters of a view function of REST framework: those of its filters and of pagination."""
    filterset = view.initkwargs.get("filterset_class", getattr(view.cls, "filterset_class", None))
    filters = filterset.base_filters if filterset else ()
    declared = getattr(view.cls, "query_parameters", ())
    return frozenset({"cursor", "page", "page_size", *filters, *declared})


def _respond(request: Request | HttpRequest, body: bytes, tag: str, public: bool) -> HttpResponse:
    response: HttpResponse
    if _client_has(request, tag):
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(body, content_type="application/json")
        if body[:2] == b"\x1f\x8b":
            response["Content-Encoding"] = "gzip"
    response["ETag"] = tag
    response["Cache-Control"] = "no-cache" if public else "private, no-cache"
    patch_vary_headers(response, ["Accept-Encoding"] if public else ["Authorization", "Cookie"])
    return response


def _get(key: str, *fields: str) -> list[bytes | None]:
    found = guarded(lambda: redis_client().hmget(key, list(fields)))
    return found or [None] * len(fields)


def _put(key: str, form: str, body: bytes, tag: str, ttl: int) -> None:
    limit = settings.CACHE_MAX_BYTES
    # One body must not push out most of the others.
    if len(body) > limit // 8:
        return
    arguments = [form, body, _tag_field(form), tag, ttl, limit]
    guarded(lambda: run_script(_PUT, [key], arguments))
