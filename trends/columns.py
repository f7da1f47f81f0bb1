"""The ten columns of a trend: their names in a file, and what a value of each may be.

Everything that reads or writes a trend as text (imports, exports, the admin) asks here, so that what one writes the
others read as the same row.
"""

import re
from typing import NamedTuple

from .models import MAX_COUNT, MAX_TEXT, Impact, Readiness, Steepl, Trend

HEADINGS = {
    "megatrend": "Megatrend",
    "macrotrend": "Macrotrend",
    "challenges_and_research_gaps": "Challenges and Research Gaps",
    "total_count_of_publications": "Total count of publications",
    "total_count_of_patents": "Total count of patents",
    "technology_readiness_level": "Technology Readiness Level",
    "impact_strength": "Impact Strength",
    "steepl": "STEEPL",
    "relevant_industries": "Relevant Industries",
    "real_world_application_and_use_cases": "Real World Application and Use Cases",
}
COLUMNS = tuple(HEADINGS)
COUNTS = ("total_count_of_publications", "total_count_of_patents")
TEXTS = tuple(name for name in COLUMNS if name not in COUNTS)
FREE_TEXTS = ("challenges_and_research_gaps", "relevant_industries", "real_world_application_and_use_cases")
CHOICES = {
    "technology_readiness_level": {value.lower(): value for value in ("", *Readiness.values)},
    "impact_strength": {value.lower(): value for value in Impact.values},
    "steepl": {value.lower(): value for value in Steepl.values},
}
LENGTHS = {
    "megatrend": Trend._meta.get_field("megatrend").max_length or 0,
    "macrotrend": Trend._meta.get_field("macrotrend").max_length or 0,
    **dict.fromkeys(FREE_TEXTS, MAX_TEXT),
}

_READINESS, _IMPACT, _STEEPL = CHOICES.values()
_MEGATREND, _MACROTREND = LENGTHS["megatrend"], LENGTHS["macrotrend"]

# A value that a spreadsheet would take for a formula is written behind an apostrophe, and one that looks as if it had
# been, behind one more: so taking one away gives back the value itself, whatever it was.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_DISARMED = re.compile(r"'+[=+\-@\t\r\n]")


class Problem(NamedTuple):
    """Why a row was not taken. ``line`` counts from 1; ``column`` is empty where the whole row is meant."""

    line: int
    column: str
    value: str
    code: str
    message: str


def disarm(value: str) -> str:
    """``value`` as a spreadsheet shows it and does not run it."""
    return f"'{value}" if _FORMULA.match(value) else value


def rearm(value: str) -> str:
    """What :func:`disarm` was given; every other value as it is."""
    return value[1:] if value[:1] == "'" and _DISARMED.match(value) else value


def known(heading: str) -> str | None:
    """The column that ``heading`` names: letters count, not their case, nor spaces, underscores or hyphens."""
    return _BY_LETTERS.get(_letters(heading))


def _letters(heading: str) -> str:
    return "".join(char for char in heading.lower() if char.isalnum())


_BY_LETTERS = {_letters(name): name for name in COLUMNS}


def take(values: tuple[str, ...]) -> tuple[str, ...] | None:
    """The values of one row, in the order of ``COLUMNS``, as they are stored; None where :func:`explain` says why.

    Called for every row of every file, hence in one piece.
    """
    megatrend, macrotrend, gaps, publications, patents, readiness, impact, steepl, industries, uses = values
    megatrend, macrotrend = rearm(megatrend.strip()), rearm(macrotrend.strip())
    publications, patents = publications.strip(), patents.strip()
    gaps, industries, uses = rearm(gaps), rearm(industries), rearm(uses)
    level = _READINESS.get(readiness.strip().lower())
    strength = _IMPACT.get(impact.strip().lower())
    letter = _STEEPL.get(steepl.strip().lower())
    if (
        level is None
        or strength is None
        or letter is None
        or not 0 < len(megatrend) <= _MEGATREND
        or not 0 < len(macrotrend) <= _MACROTREND
        or (publications and not _is_count(publications))
        or (patents and not _is_count(patents))
        or len(gaps) > MAX_TEXT
        or len(industries) > MAX_TEXT
        or len(uses) > MAX_TEXT
    ):
        return None
    row = (megatrend, macrotrend, gaps, publications, patents, level, strength, letter, industries, uses)
    return None if any("\x00" in value for value in row) else row


def _is_count(value: str) -> bool:
    return value.isdecimal() and value.isascii() and len(value) <= 20 and int(value) <= MAX_COUNT


def explain(line: int, values: tuple[str, ...]) -> list[Problem]:
    """Every reason why :func:`take` refuses ``values``."""
    problems = []
    for name, raw in zip(COLUMNS, values, strict=True):
        value = raw if name in FREE_TEXTS else raw.strip()
        if reason := _fault(name, rearm(value) if name in LENGTHS else value):
            problems.append(Problem(line, name, value, *reason))
    return problems


def _fault(name: str, value: str) -> tuple[str, str] | None:
    if "\x00" in value:
        return "nul", "The value holds a NUL character."
    if name in CHOICES:
        if value.lower() in CHOICES[name]:
            return None
        allowed = ", ".join(choice for choice in CHOICES[name].values() if choice)
        return ("required" if not value else "unknown_choice"), f"This must be one of {allowed}."
    if name in COUNTS:
        if not value or _is_count(value):
            return None
        if re.fullmatch(r"-\s*[0-9.,]+", value):
            return "negative", "A count is 0 or more."
        if value.isdecimal() and value.isascii():
            return "too_large", f"A count is at most {MAX_COUNT:,}."
        return "not_a_number", "A count is a whole number, without separators, or empty."
    if not value and name not in FREE_TEXTS:
        return "required", "This must not be empty."
    if len(value) > LENGTHS[name]:
        return "too_long", f"This has {len(value):,} characters; {LENGTHS[name]:,} is the most."
    return None
