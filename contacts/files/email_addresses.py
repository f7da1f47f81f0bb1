"""Reads an e-mail address from a cell."""

import re
import unicodedata

from config.text import is_blank, remove_invisible

from .phone_numbers import Fault

EMAIL = "Email Address"
MAX_LENGTH = 254

_PLAIN = re.compile(r"[a-z0-9_+%'.-]{1,64}@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}\Z", re.ASCII)


def email_key_of(text: str) -> tuple[str, Fault | None]:
    """Return the address that is compared (trimmed, NFC, lower case), and what is wrong with it.

    Invisible characters are ignored. An empty text is ``("", None)``.
    """
    trimmed = remove_invisible(text).strip()
    key = trimmed.lower()
    if _PLAIN.match(key) and "--" not in key and len(key) <= MAX_LENGTH:
        return key, None
    if not trimmed or is_blank(trimmed):
        return "", None
    if len(trimmed) <= MAX_LENGTH * 2:
        key = unicodedata.normalize("NFC", unicodedata.normalize("NFC", trimmed).lower())
    problem = _problem_with(key)
    return ("", Fault(EMAIL, "email_invalid", problem, text)) if problem else (key, None)


def _problem_with(address: str) -> str:
    """Return what email-validator finds wrong with an address, or an empty text."""
    from email_validator import EmailNotValidError, validate_email

    if len(address) > MAX_LENGTH:
        return f"An e-mail address has at most {MAX_LENGTH} characters."
    # No RFC allows dots side by side or at an end, but addresses that docomo gave out have them and work.
    local, at, domain = address.rpartition("@")
    local = re.sub(r"\.{2,}", ".", local).strip(".") or local
    try:
        checked = validate_email(
            local + at + domain, check_deliverability=False, globally_deliverable=False, strict=True
        )
    except EmailNotValidError as error:
        return str(error)
    return "" if "." in checked.domain else "The part after the @ has no dot."
