"""Password hashing and the Unicode forms of passwords."""

import unicodedata

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, Argon2PasswordHasher, check_password


class Argon2idHasher(Argon2PasswordHasher):
    """Argon2id with 19 MiB, two passes and one lane (OWASP Password Storage Cheat Sheet)."""

    memory_cost = 19 * 1024  # KiB
    time_cost = 2
    parallelism = 1


def normalize_password(raw: str) -> str:
    """Return ``raw`` in the form that is hashed: NFC, because some systems type "é" as two characters."""
    return unicodedata.normalize("NFC", raw)


def password_forms(raw: str) -> list[str]:
    """Return the forms of ``raw`` that may have been hashed: NFC, and for hashes of earlier versions as typed and NFD.

    A password without accents has one form. The number of forms depends on ``raw`` alone, so the time of a check
    reveals nothing about the account.
    """
    return list(dict.fromkeys([normalize_password(raw), raw, unicodedata.normalize("NFD", raw)]))


def password_matches(raw: str, encoded: str | None) -> bool:
    """Return whether ``encoded`` is a hash of ``raw``. None, for an unknown account, takes the time of a wrong one."""
    return any(check_password(form, encoded or UNUSABLE_PASSWORD_PREFIX) for form in password_forms(raw))
