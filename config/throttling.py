"""Rates by the ``THROTTLE_*`` settings, in DRF's notation (``20/min``); an empty one is off.

A window begins with the first request that is counted and ends a period later; Redis counts in one step, so that a
hundred requests at once are a hundred. The client is the address that ``TRUSTED_PROXIES`` lets us believe, so a made-up
``X-Forwarded-For`` does not make a new client, and one household's IPv6 network is one client. Without Redis nothing is
counted: a service that answers beats one that counts.
"""

import hashlib
from typing import Any

from django.conf import settings
from rest_framework.throttling import SimpleRateThrottle

from .caching import guarded, redis_client
from .clients import client_network


class SettingsThrottle(SimpleRateThrottle):
    """Reads its rate from ``settings.THROTTLE_<scope>`` at each request, so that tests and operators can change it."""

    scope: str
    num_requests: int | None
    duration: int | None  # seconds
    _left: float = 0.0

    def get_rate(self) -> str | None:
        return getattr(settings, f"THROTTLE_{self.scope}") or None

    def counter(self, *parts: object) -> str:
        ident = "\x1f".join(str(part) for part in parts)
        digest = hashlib.blake2b(ident.encode(errors="replace"), digest_size=16).hexdigest()
        return f"atrium:throttle:{self.scope}:{digest}"

    def allow_request(self, request: Any, view: Any) -> bool:
        if self.rate is None:
            return True
        key = self.get_cache_key(request, view)
        return key is None or self.count(key)

    def count(self, key: str, *, times: int = 1) -> bool:
        """Count one more under ``key``; whether that is still within ``times`` the rate."""
        if self.num_requests is None or self.duration is None:
            return True
        counted = guarded(lambda: _count(key, int(self.duration or 1) * 1000))
        if counted is None:
            return True
        number, left = counted
        self._left = left / 1000
        return number <= self.num_requests * times

    def wait(self) -> float:
        """Seconds until the window ends."""
        return max(self._left, 1.0)


def _count(key: str, period: int) -> tuple[int, int]:
    """How many were counted under ``key`` in its window of ``period`` ms, this one included, and the ms left of it."""
    with redis_client().pipeline(transaction=True) as pipe:
        pipe.set(key, 0, px=period, nx=True)
        pipe.incr(key)
        pipe.pttl(key)
        _, number, left = pipe.execute()
    return number, left


class AnonThrottle(SettingsThrottle):
    scope = "ANON"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return None if request.user and request.user.is_authenticated else self.counter(client_network(request))


class UserThrottle(SettingsThrottle):
    scope = "USER"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return self.counter(request.user.pk) if request.user and request.user.is_authenticated else None


class ClientThrottle(SettingsThrottle):
    """One count for each client address, signed in or not. Subclass it with a ``scope``."""

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return self.counter("client", client_network(request))


class AccountThrottle(SettingsThrottle):
    """One count for each client, and one for each account that a request names. Subclass it with a ``scope``.

    What the client's own count refuses is not counted against the account: one client alone cannot use up what others
    may ask of an account, of which they have ``share`` times as much together.
    """

    fields: tuple[str, ...] = ("email",)
    share = 2

    def allow_request(self, request: Any, view: Any) -> bool:
        data = request.data if isinstance(request.data, dict) else {}
        named = next((data[field] for field in self.fields if isinstance(data.get(field), str) and data[field]), None)
        return self.allow(request, named)

    def allow(self, request: Any, named: str | None) -> bool:
        """Count one request for the account ``named``; whether it may go on."""
        if not self.count(self.counter("client", client_network(request))):
            return False
        if not named or self.count(self.counter("account", named.strip().lower()), times=self.share):
            return True
        return self.is_known(request, named)

    def is_known(self, request: Any, named: str) -> bool:
        """Whether a client may go on although the account's count is used up."""
        return False


class SendThrottle(UserThrottle):
    scope = "SEND"


class UploadThrottle(UserThrottle):
    scope = "UPLOAD"
