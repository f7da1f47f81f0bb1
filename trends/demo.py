"""Trends for ``manage.py demo``."""

from collections.abc import Sequence
from itertools import product

from django.core.files.base import ContentFile

from accounts.models import User

from .models import ImportRun
from .services import imports

HEADER = (
    "megatrend;macrotrend;challenges_and_research_gaps;total_count_of_publications;total_count_of_patents;"
    "technology_readiness_level;impact_strength;steepl;relevant_industries;real_world_application_and_use_cases"
)
MEGATRENDS = {
    "Energy transition": ("Smart grids", "Hydrogen", "Heat pumps"),
    "Ageing societies": ("Assistive robots", "Remote care"),
    "Circular economy": ("Material passports", "Repair services"),
}


def rows() -> list[str]:
    """Return CSV lines, one for each macrotrend and impact, with counts that fill the charts."""
    levels = (("Pilot", "Low", "T"), ("Development", "Medium", "E"), ("Deploy", "High", "S"))
    pairs = [(mega, macro) for mega, macros in MEGATRENDS.items() for macro in macros]
    return [
        f"{mega};{macro};How {macro.lower()} scale;{120 * (n % 7 + 1)};{15 * (n % 5 + 1)};{trl};{impact};{steepl};"
        f"Industry {n % 4 + 1};A pilot in city {n + 1}"
        for n, ((mega, macro), (trl, impact, steepl)) in enumerate(product(pairs, levels))
    ]


def fill(people: Sequence[User]) -> str:
    """Import a CSV file as the first person, who is staff; returns what was created."""
    lines = rows()
    file = ContentFile("\n".join((HEADER, *lines)).encode() + b"\n", name="demo.csv")
    imports.start_import(file=file, key=imports.new_file_key(), origin=ImportRun.Origin.UPLOAD, by=people[0])
    return f"{len(lines)} trends"
