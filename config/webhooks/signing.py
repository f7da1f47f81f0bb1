"""Secrets and signatures, as Standard Webhooks defines them (https://www.standardwebhooks.com).

A secret is not stored. It is derived from SECRET_KEY and a random salt of the webhook, so a copy of the database alone
signs nothing (docs/decisions/webhook-secrets.md).
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable

from django.utils.crypto import salted_hmac

PREFIX = "whsec_"


def new_salt() -> str:
    """Return a random salt of 128 bits."""
    return secrets.token_hex(16)


def secret(salt: str) -> str:
    """Return the secret that belongs to ``salt``: ``whsec_`` and 32 bytes in base64."""
    return PREFIX + base64.b64encode(_key(salt)).decode()


def headers(*, message_id: str, timestamp: int, body: bytes, salts: Iterable[str]) -> dict[str, str]:
    """Return the three headers of a message; ``timestamp`` is in seconds. Each salt adds a signature."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (hmac.new(_key(salt), content, hashlib.sha256).digest() for salt in salts)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
    }


def _key(salt: str) -> bytes:
    return salted_hmac("config.webhooks.signing", salt, algorithm="sha256").digest()
