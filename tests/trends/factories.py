import csv
import io
from pathlib import Path
from typing import Any

import factory
from django.core.files.uploadedfile import SimpleUploadedFile
from factory.django import DjangoModelFactory

from trends.files.columns import COLUMNS, HEADINGS
from trends.models import Trend

DATA = Path(__file__).resolve().parent.parent / "data"


class TrendFactory(DjangoModelFactory):
    class Meta:
        model = Trend

    megatrend = "Energy Transition"
    macrotrend = factory.Sequence(lambda n: f"Smart grids {n}")
    challenges_and_research_gaps = "Standards lag behind deployment."
    total_count_of_publications = 120
    total_count_of_patents = None
    technology_readiness_level = "Pilot"
    impact_strength = "High"
    steepl = "T"
    relevant_industries = "Energy, Utilities"
    real_world_application_and_use_cases = "Fleet routing in real time"


def values(**changed: Any) -> dict[str, Any]:
    """The ten columns of a trend that differs from every other one made here."""
    trend = TrendFactory.build(**changed)
    return {name: getattr(trend, name) for name in COLUMNS}


def csv_bytes(*rows: dict[str, Any], delimiter: str = ";", encoding: str = "utf-8") -> bytes:
    """A file of ``rows``, each the values of the ten columns."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(HEADINGS.values())
    writer.writerows([row[name] for name in COLUMNS] for row in rows)
    return out.getvalue().encode(encoding)


def upload(content: bytes, name: str = "trends.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "text/csv")


def sample(name: str) -> bytes:
    return (DATA / name).read_bytes()


def stored() -> set[tuple[Any, ...]]:
    """The ten columns of every stored trend."""
    return set(Trend.objects.values_list(*COLUMNS))
