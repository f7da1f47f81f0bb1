"""The ten columns of a trend: their names in a file and the values that each accepts.

Imports, exports and the admin all use this module, so that an exported file imports again to the same rows.
"""

import re
from typing import NamedTuple

from config.sheets import unescape_formula
from config.text import MAX_MARKS, has_long_mark_run

from ..models import MAX_COUNT, MAX_TEXT, Impact, Readiness, Steepl, Trend

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
REQUIRED = ("megatrend", "macrotrend", "impact_strength", "steepl")
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

# Programs write whole numbers as floats: 1234.0, or 1234,0 with a decimal comma. 1.000 is ambiguous and invalid.
_WHOLE_FLOAT = re.compile(r"(?!\d{1,3}[.,]000\Z)(\d+)[.,]0*", re.ASCII)

Row = tuple[str, ...]


class Problem(NamedTuple):
    """Why a row was rejected. ``line`` counts from 1; ``column`` is empty if the whole row is invalid."""

    line: int
    column: str
    value: str
    code: str
    message: str


def column_named(heading: str) -> str | None:
    """Return the column that ``heading`` names; case, spaces, underscores and hyphens do not matter."""
    return _BY_LETTERS.get(_letters(heading))


def _letters(heading: str) -> str:
    return "".join(char for char in heading.lower() if char.isalnum())


_BY_LETTERS = {_letters(name): name for name in COLUMNS}


def parse_row(values: Row) -> Row | None:
    """Return the values of one row as they are stored, in the order of ``COLUMNS``, or None if the row is invalid.

    :func:`row_problems` explains an invalid row. This function runs for every row of every file, so it is written in
    one piece.
    """
    megatrend, macrotrend, gaps, publications, patents, readiness, impact, steepl, industries, uses = values
    megatrend, macrotrend = unescape_formula(megatrend.strip()), unescape_formula(macrotrend.strip())
    publication_count, patent_count = _parse_count(publications), _parse_count(patents)
    gaps, industries, uses = unescape_formula(gaps), unescape_formula(industries), unescape_formula(uses)
    level = _READINESS.get(readiness.strip().lower())
    strength = _IMPACT.get(impact.strip().lower())
    letter = _STEEPL.get(steepl.strip().lower())
    if (
        level is None
        or strength is None
        or letter is None
        or not 0 < len(megatrend) <= _MEGATREND
        or not 0 < len(macrotrend) <= _MACROTREND
        or publication_count is None
        or patent_count is None
        or len(gaps) > MAX_TEXT
        or len(industries) > MAX_TEXT
        or len(uses) > MAX_TEXT
    ):
        return None
    row = (megatrend, macrotrend, gaps, publication_count, patent_count, level, strength, letter, industries, uses)
    text = "\n".join(row)
    return None if "\x00" in text or has_long_mark_run(text) else row


def _parse_count(value: str) -> str | None:
    """Return the digits of a count, an empty text if it is unknown, or None if it is invalid."""
    value = value.strip()
    if not value.isdecimal():
        if not value:
            return value
        whole = _WHOLE_FLOAT.fullmatch(value)
        if not whole:
            return None
        value = whole[1]
    return value if value.isascii() and len(value) <= 20 and int(value) <= MAX_COUNT else None


def row_problems(line: int, values: Row) -> list[Problem]:
    """Return every reason why :func:`parse_row` rejects ``values``."""
    problems = []
    for name, raw in zip(COLUMNS, values, strict=True):
        value = raw if name in FREE_TEXTS else raw.strip()
        if found := _value_problem(name, unescape_formula(value) if name in LENGTHS else value):
            problems.append(Problem(line, name, value, *found))
    return problems


def _value_problem(name: str, value: str) -> tuple[str, str] | None:
    """Return the code and the message of what is wrong with ``value`` in the column ``name``."""
    if "\x00" in value:
        return "nul", "The value contains a NUL character."
    if has_long_mark_run(value):
        return "too_many_marks", f"The value has more than {MAX_MARKS} combining marks in a row."
    if name in CHOICES:
        if value.lower() in CHOICES[name]:
            return None
        allowed = ", ".join(choice for choice in CHOICES[name].values() if choice)
        return ("required" if not value else "unknown_choice"), f"This must be one of {allowed}."
    if name in COUNTS:
        if _parse_count(value) is not None:
            return None
        if re.fullmatch(r"-\s*[0-9.,]+", value):
            return "negative", "A count must be 0 or more."
        if re.fullmatch(r"[0-9]+([.,]0*)?", value) and len(value.strip(",.0")) > 3:
            return "too_large", f"A count must be at most {MAX_COUNT:,}."
        return "not_a_number", "A count must be a whole number without separators, or empty."
    if not value and name not in FREE_TEXTS:
        return "required", "This must not be empty."
    if len(value) > LENGTHS[name]:
        return "too_long", f"This has {len(value):,} characters; at most {LENGTHS[name]:,} are allowed."
    return None


def describe(name: str) -> str:
    """Return the rule for the values of a column, for people who prepare a file."""
    if name in CHOICES:
        allowed = ", ".join(choice for choice in CHOICES[name].values() if choice)
        return f"One of {allowed}." if name in REQUIRED else f"One of {allowed}, or empty."
    if name in COUNTS:
        return "A whole number from 0, or empty."
    return f"Required. At most {LENGTHS[name]} characters." if name in REQUIRED else "Text, or empty."
