"""Rates by the ``THROTTLE_*`` settings, in DRF's notation (``20/min``); an empty one is off.

The client is the address that REST_FRAMEWORK's ``NUM_PROXIES`` lets us trust, so a made-up ``X-Forwarded-For`` does not
make a new client. Without Redis nothing is counted: a service that answers beats one that counts.
"""

import hashlib
from typing import Any

from django.conf import settings
from rest_framework.throttling import SimpleRateThrottle


class SettingsThrottle(SimpleRateThrottle):
    """Reads its rate from ``settings.THROTTLE_<scope>`` at each request, so that tests and operators can change it."""

    scope: str

    def get_rate(self) -> str | None:
        return getattr(settings, f"THROTTLE_{self.scope}") or None

    def key(self, *parts: object) -> str:
        ident = "\x1f".join(str(part) for part in parts)
        return f"throttle:{self.scope}:{hashlib.blake2b(ident.encode(errors='replace'), digest_size=16).hexdigest()}"


class AnonThrottle(SettingsThrottle):
    scope = "ANON"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return None if request.user and request.user.is_authenticated else self.key(self.get_ident(request))


class UserThrottle(SettingsThrottle):
    scope = "USER"

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return self.key(request.user.pk) if request.user and request.user.is_authenticated else None


class ClientThrottle(SettingsThrottle):
    """One count for each client address, signed in or not. Subclass it with a ``scope``."""

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        return self.key("client", self.get_ident(request))


class AccountThrottle(SettingsThrottle):
    """One count for each account that a request names, whoever asks. Subclass it with a ``scope`` and ``fields``."""

    fields: tuple[str, ...] = ("email",)

    def get_cache_key(self, request: Any, view: Any) -> str | None:
        data = request.data if isinstance(request.data, dict) else {}
        named = next((data[field] for field in self.fields if isinstance(data.get(field), str)), None)
        return self.key("account", named.strip().lower()) if named else None


class SendThrottle(UserThrottle):
    scope = "SEND"


class UploadThrottle(UserThrottle):
    scope = "UPLOAD"
