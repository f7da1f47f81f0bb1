"""Codes of authenticator apps: six digits from HMAC-SHA1 and 30-second steps (RFC 6238), which every app supports."""

import hmac
import io
import re
import time
from collections.abc import Container

import pyotp
import segno

PERIOD = 30  # seconds
# Steps before and after the present one whose codes are accepted: the clocks may differ by a minute.
TOLERANCE = 2


def new_secret() -> str:
    """Generate a secret of 160 bits, in base 32."""
    return pyotp.random_base32(32)


def is_code(text: str) -> bool:
    """Return whether ``text`` looks like a code of an app, which may be typed with spaces."""
    return re.fullmatch(r"[0-9]{6}", _compact(text)) is not None


def matching_step(secret: str, code: str, *, after: int = 0, at: float | None = None) -> int | None:
    """Return the time step of ``code`` if it is valid at ``at`` (seconds, default now); None otherwise.

    Steps up to ``after``, the step of the latest used code, are not accepted, so that a code works once.
    """
    now = int((time.time() if at is None else at) // PERIOD)
    generator = pyotp.TOTP(secret)
    typed = _compact(code)
    valid = [
        step
        for step in range(max(now - TOLERANCE, after + 1), now + TOLERANCE + 1)
        if hmac.compare_digest(generator.generate_otp(step), typed)
    ]
    return valid[0] if valid else None


def uri(secret: str, *, account: str, issuer: str) -> str:
    """Return the ``otpauth://`` URI that apps read from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def qr(text: str) -> str:
    """Return a QR code of ``text`` as an SVG document, dark on light as scanners need it, without inline styles."""
    image = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        image,
        kind="svg",
        border=4,
        dark="#000",
        light="#fff",
        xmldecl=False,
        omitsize=True,
        svgclass=None,
        lineclass=None,
    )
    return image.getvalue().decode()


def _compact(text: str, spaces: Container[str] = " \u00a0\u202f") -> str:
    return "".join(char for char in text if char not in spaces)
