"""Encrypt secrets that Postgres stores and Atrium must read again, such as the secrets of authenticator apps.

Fernet (AES-128-CBC with HMAC-SHA256) encrypts with a key derived from ``ENCRYPTION_KEY`` and decrypts with that key or
one of ``ENCRYPTION_KEY_FALLBACKS``. Without ``ENCRYPTION_KEY`` the key is derived from ``SECRET_KEY``.
"""

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


class UnknownKey(Exception):
    """The text was encrypted with a key that is not among the settings, or it is damaged."""


def encrypt(text: str) -> str:
    """Encrypt ``text`` with the current key."""
    return _fernet().encrypt(text.encode()).decode()


def decrypt(encrypted: str) -> str:
    """Return the text that :func:`encrypt` encrypted; raises UnknownKey."""
    try:
        return _fernet().decrypt(encrypted.encode()).decode()
    except InvalidToken as error:
        raise UnknownKey("ENCRYPTION_KEY and its fallbacks cannot decrypt a stored secret.") from error


def rotate(encrypted: str) -> str:
    """Encrypt the same text again with the current key; raises UnknownKey."""
    try:
        return _fernet().rotate(encrypted.encode()).decode()
    except InvalidToken as error:
        raise UnknownKey("ENCRYPTION_KEY and its fallbacks cannot decrypt a stored secret.") from error


def _fernet() -> MultiFernet:
    # SECRET_KEY comes last, so that secrets from before ENCRYPTION_KEY was set can still be read.
    keys = (settings.ENCRYPTION_KEY, *settings.ENCRYPTION_KEY_FALLBACKS, settings.SECRET_KEY)
    return _from_keys(tuple(key for key in keys if key))


@lru_cache(maxsize=8)
def _from_keys(keys: tuple[str, ...]) -> MultiFernet:
    def derive(key: str) -> bytes:
        derivation = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"atrium: secrets in Postgres")
        return base64.urlsafe_b64encode(derivation.derive(key.encode()))

    return MultiFernet([Fernet(derive(key)) for key in keys])
