"""Checks of ``manage.py check --deploy``."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register

from .factors import webauthn


@register(Tags.security, deploy=True)
def check_second_factors(**_: Any) -> list[CheckMessage]:
    """Warn if nobody needs a second factor, or if passkeys cannot work at this address."""
    found: list[CheckMessage] = []
    if not settings.MFA_REQUIRED:
        hint = "Set MFA_REQUIRED=staff, so that a stolen password is not enough to reach the admin."
        found.append(Warning("Nobody needs a second factor.", hint=hint, id="accounts.W001"))
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    if webauthn.relying_party() is None or not (settings.HTTPS or host.endswith("localhost")):
        hint = "Browsers allow passkeys only with a host name, and with https unless the host is localhost."
        found.append(Warning(f"Passkeys do not work at {settings.PUBLIC_URL}.", hint=hint, id="accounts.W002"))
    return found
