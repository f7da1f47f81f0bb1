"""The password rule about words of the context: the site's name, the operator's words, and the person's own names."""

import re
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

SITE_WORDS = ("atrium",)
MIN_WORD, MIN_REST = 3, 8  # characters


class ContextWordsValidator:
    """Refuse a password with fewer than 8 characters besides words of the context, such as ``ada-atrium-2026``."""

    def validate(self, password: str, user: Any = None) -> None:
        """Raise ValidationError if ``password`` consists of little more than context words."""
        rest = password.casefold()
        for word in sorted(context_words(user), key=len, reverse=True):
            rest = rest.replace(word, "")
        if rest != password.casefold() and len(rest) < MIN_REST:
            raise ValidationError(
                "This password is easy to guess. Words such as your username or the name of the site do not count, and "
                "the rest is too short.",
                "password_context_words",
            )

    def get_help_text(self) -> str:
        """Return the rule, as the admin shows it."""
        return "Words such as the username or the name of this site do not count for the length of the password."


def context_words(user: Any = None) -> set[str]:
    """Return the words, in lower case: of the site, its host, PASSWORD_WORDS, and the names and address of ``user``."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    texts = [*SITE_WORDS, *settings.PASSWORD_WORDS, *host.split(".")[:-1]]
    for name in ("username", "first_name", "last_name", "email"):
        texts.append(text := str(getattr(user, name, None) or ""))
        texts += re.split(r"\W|_", text.rpartition(".")[0] if "@" in text else text)  # without the top-level domain
    return {text.casefold() for text in texts if len(text) >= MIN_WORD}
