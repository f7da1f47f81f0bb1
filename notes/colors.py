"""The colours of a note: the names that Google Keep uses, or any RGB value."""

import re

COLORS = (
    "default", "red", "orange", "yellow", "green", "teal", "blue", "cerulean", "purple", "pink", "brown", "gray",
)  # fmt: skip
HEX_COLOR = r"^#[0-9a-f]{6}$"  # for Postgres
HEX_COLOR_RE = re.compile(r"#[0-9a-f]{6}\Z")


def is_color(value: str) -> bool:
    """Return whether a note can have this colour. ``value`` is in lower case."""
    return value in COLORS or HEX_COLOR_RE.match(value) is not None
