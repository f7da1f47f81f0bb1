"""Throttles with the rates of the ``THROTTLE_*`` settings, in DRF's notation (``20/min``); an empty rate is off.

A window starts with the first counted request. Redis counts atomically, so parallel requests are all counted. The
client is the address that ``TRUSTED_PROXIES`` trusts (a forged ``X-Forwarded-For`` changes nothing); an IPv6 network
counts as one client. Nothing is counted while Redis is down, because availability matters more here.
"""

import hashlib
from typing import Any

from django.conf import settings
from rest_framework.throttling import SimpleRateThrottle

from config.cache.counters import Window, count
from config.client_ip import client_network


class SettingsThrottle(SimpleRateThrottle):
    """Read the rate from ``settings.THROTTLE_<scope>`` at each request, so that tests can change it."""

    scope: str
    num_requests: int | None
    duration: int | None  # seconds
    _remaining: float = 0.0

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
        """Count one request under ``key``; return whether it is within ``times`` the rate."""
        if self.num_requests is None or self.duration is None:
            return True
        counted = count(key, self.duration * 1000)
        if counted is None:
            return True
        self._remaining = counted.remaining / 1000
        return counted.number <= self.num_requests * times

    def window(self, request: Any, view: Any) -> Window | None:
        """Return the counter of this request; None if it is not limited."""
        key = self.get_cache_key(request, view) if self.rate else None
        if key is None or self.num_requests is None or self.duration is None:
            return None
        return Window(key, self.num_requests, self.duration * 1000)

    def wait(self) -> float:
        """Return the seconds until the window ends."""
        return max(self._remaining, 1.0)


class AnonThrottle(SettingsThrottle):
    scope = "ANON"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return None if request.user and request.user.is_authenticated else self.counter(client_network(request))


class UserThrottle(SettingsThrottle):
    scope = "USER"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return self.counter(request.user.pk) if request.user and request.user.is_authenticated else None


class ClientThrottle(SettingsThrottle):
    """Count per client address, signed in or not. Subclass it with a ``scope``."""

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return self.counter("client", client_network(request))


class AccountThrottle(SettingsThrottle):
    """Count per client address and per account that a request names. Subclass it with a ``scope``.

    An account's limit is ``share`` times the client's. Requests over the client's limit do not count against the
    account, so one client alone cannot lock an account.
    """

    fields: tuple[str, ...] = ("email",)
    share = 2

    def allow_request(self, request: Any, view: Any) -> bool:
        data = request.data if isinstance(request.data, dict) else {}
        named = next((data[field] for field in self.fields if isinstance(data.get(field), str) and data[field]), None)
        return self.allow(request, named)

    def allow(self, request: Any, named: str | None) -> bool:
        """Count one request for the account ``named``; return whether it is allowed."""
        if not self.count(self.counter("client", client_network(request))):
            return False
        if not named or self.count(self.counter("account", named.strip().lower()), times=self.share):
            return True
        return self.is_known(request, named)

    def is_known(self, request: Any, named: str) -> bool:
        """Return whether the client is allowed although the account's limit is reached."""
        return False


class SendThrottle(UserThrottle):
    scope = "SEND"


class UploadThrottle(UserThrottle):
    scope = "UPLOAD"
