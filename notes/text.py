"""What counts as a colour, and when two labels have the same name."""

import re
import unicodedata

COLORS = (
    "default", "red", "orange", "yellow", "green", "teal", "blue", "cerulean", "purple", "pink", "brown", "gray",
)  # fmt: skip
HEX_COLOR = r"^#[0-9a-f]{6}$"  # for Postgres
HEX_COLOR_RE = re.compile(r"#[0-9a-f]{6}\Z")


def tidy(name: str) -> str:
    """A label's name as it is stored: composed, and with single spaces only between words."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def label_key(name: str) -> str:
    """Equal for names that differ in case alone, in any script, whatever the locale of the database."""
    return unicodedata.normalize("NFC", tidy(name).casefold())
