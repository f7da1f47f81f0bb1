"""The only place that opens connections to Redis."""

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

import redis
import redis.asyncio
import redis.asyncio.retry
import redis.asyncio.sentinel
import redis.sentinel
import structlog
from django.conf import settings
from redis.backoff import NoBackoff

from config.redis_urls import is_sentinel, no_retries, parse_sentinel_url

logger = structlog.get_logger(__name__)

T = TypeVar("T")

PAUSE = 5.0  # seconds during which this process does not ask a Redis that has just failed
_paused_until = 0.0
_clients: dict[str, redis.Redis] = {}


def redis_client() -> Any:
    """Return the process's client of ``REDIS_URL``, with short timeouts because a request waits for it.

    It is typed as Any because redis-py types every answer as awaitable or not, bytes or text.
    """
    url = settings.REDIS_URL
    if url not in _clients:
        _clients[url] = _connect(url, socket_connect_timeout=0.5, socket_timeout=1, health_check_interval=30)
    return _clients[url]


def _connect(url: str, **options: Any) -> redis.Redis:
    if not is_sentinel(url):
        return redis.Redis.from_url(url, **options)
    found = parse_sentinel_url(url)
    sentinel = redis.sentinel.Sentinel(
        found.sentinels, sentinel_kwargs={**found.sentinel_options, "retry": no_retries()}
    )
    return sentinel.master_for(found.primary, **found.options, **options)


class _SentinelPool(redis.asyncio.sentinel.SentinelConnectionPool, redis.asyncio.BlockingConnectionPool):
    """Connections to the primary that Sentinels name; a task waits while all are in use."""


def async_client() -> Any:
    """Return a new client of ``REDIS_URL`` for asyncio; the caller closes it."""
    url = settings.REDIS_URL
    options: dict[str, Any] = {"max_connections": 16, "timeout": 5, "socket_connect_timeout": 2, "socket_timeout": 4}
    if not is_sentinel(url):
        return redis.asyncio.Redis.from_pool(redis.asyncio.BlockingConnectionPool.from_url(url, **options))
    found = parse_sentinel_url(url)
    no_retry = redis.asyncio.retry.Retry(NoBackoff(), 0)
    sentinel = redis.asyncio.sentinel.Sentinel(
        found.sentinels, sentinel_kwargs={**found.sentinel_options, "retry": no_retry}
    )
    return sentinel.master_for(found.primary, connection_pool_class=_SentinelPool, **found.options, **options)


class ConnectionFactory:
    """Makes django-redis, which Django's cache uses, share the client of this module."""

    def __init__(self, options: dict[str, Any]) -> None: ...

    def connect(self, url: str) -> redis.Redis:
        return redis_client()

    def disconnect(self, connection: redis.Redis) -> None: ...


def guarded(action: Callable[[], T]) -> T | None:
    """Run ``action``; return None if Redis cannot be reached, and for ``PAUSE`` seconds after a failure."""
    global _paused_until
    if time.monotonic() < _paused_until:
        return None
    try:
        return action()
    except redis.exceptions.RedisError as error:
        _paused_until = time.monotonic() + PAUSE
        logger.warning("redis_unreachable", error=type(error).__name__)
        return None


def run_script(script: str, keys: Sequence[str], arguments: Sequence[Any]) -> Any:
    """Run a Lua script, which Redis keeps after the first time."""
    client = redis_client()
    try:
        return client.evalsha(_sha1(script), len(keys), *keys, *arguments)
    except redis.exceptions.NoScriptError:
        return client.eval(script, len(keys), *keys, *arguments)


@cache
def _sha1(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()


def retry_now() -> None:
    """End the pause after a failure: the next call asks Redis again."""
    global _paused_until
    _paused_until = 0.0
