"""Recovery codes: 80 random bits in base 32, so that a plain SHA-256 protects them as they are stored."""

import base64
import hashlib
import re
import secrets

NUMBER = 10  # codes in a set


def new_codes() -> list[str]:
    """Generate a set of codes such as ``k3fq-7m2p-xw5a-bn6d``."""
    return [_new_code() for _ in range(NUMBER)]


def hash_code(code: str) -> str:
    """Return the hash under which ``code`` is stored, in any spelling: SHA-256 in hex."""
    return hashlib.sha256(re.sub(r"[\s-]", "", code).lower().encode(errors="replace")).hexdigest()


def _new_code() -> str:
    text = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))
