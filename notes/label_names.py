"""How the name of a label is stored, and when two names are equal."""

import unicodedata

from config.text import remove_invisible


def normalize_name(name: str) -> str:
    """Return the name as it is stored: in NFC, words separated by single spaces."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def label_key(name: str) -> str:
    """Return the key of a name. Names that differ only in case and in invisible characters have the same key."""
    visible = normalize_name(remove_invisible(name))
    return unicodedata.normalize("NFC", visible.casefold())
