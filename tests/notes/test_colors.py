"""The colours of notes on their page: every text on them has enough contrast in both themes (WCAG AA, 4.5:1)."""

import re
from pathlib import Path

import pytest

from notes.colors import COLORS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "notes/static/notes/notes.css").read_text()
SITE = (ROOT / "config/static/atrium/atrium.css").read_text()


def pair(style: str, name: str) -> tuple[str, str]:
    """Return the light and the dark colour of the variable ``name`` where ``style`` first sets it."""
    found = re.search(rf"{name}: light-dark\((#\w{{6}}), (#\w{{6}})\)", style)
    assert found, name
    return found[1], found[2]


def luminance(color: str) -> float:
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("color", [color for color in COLORS if color != "default"])
def test_texts_on_a_colour_have_enough_contrast_in_both_themes(color: str) -> None:
    grounds = pair(PAGE, rf"\.c-{color} {{{{ --note".replace("{{", "{"))
    muted = pair(PAGE, "--muted")
    for name, texts in (
        ("text", pair(SITE, "--ink")), ("muted", muted), ("link", pair(SITE, "--accent-ink")),
    ):  # fmt: skip
        for theme in (0, 1):
            assert contrast(texts[theme], grounds[theme]) >= 4.5, (color, name, ("light", "dark")[theme])
