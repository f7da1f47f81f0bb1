"""The last imports of all kinds."""

from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.text import capfirst

from config.jobs.job import ImportJob

from .jobs import visible_to

LISTED = 10
# Counts of an import that together are its rows, each with its colour in the bar.
PARTS = (
    ("accepted", "good"), ("created", "good"), ("updated", "changed"), ("deferred", "waiting"),
    ("duplicates", "waiting"), ("rejected", "bad"),
)  # fmt: skip


@dataclass(frozen=True)
class Import:
    """An import with the parts of its bar, in percent."""

    row: Any
    kind: str
    url_name: str
    total: int
    parts: list[dict[str, Any]]
    text: str
    status: str


def last(request: HttpRequest) -> list[Import]:
    """Return the last imports that this member of staff may see, newest first."""
    rows: list[Any] = []
    for model in visible_to(request.user):
        if issubclass(model, ImportJob):
            rows += admin.site._registry[model].get_queryset(request).order_by("-pk")[:LISTED]
    rows.sort(key=lambda row: row.created_at, reverse=True)
    return [_shown(row) for row in rows[:LISTED]]


def _shown(row: Any) -> Import:
    total = getattr(row, "total_rows", None) or getattr(row, "total", 0) or 0
    counts = [(name, colour, getattr(row, name)) for name, colour in PARTS if getattr(row, name, 0)]
    whole = max(total, sum(count for *_, count in counts), 1)
    return Import(
        row=row,
        kind=str(capfirst(row._meta.verbose_name)),
        url_name=f"admin:{row._meta.app_label}_{row._meta.model_name}_change",
        total=total,
        parts=[
            {"value": round(100 * count / whole, 2), "title": name, "progress_class": f"dash-{colour}"}
            for name, colour, count in counts
        ],
        text=", ".join(f"{count:,} {name}" for name, _, count in counts),
        # A generated column has no get_status_display().
        status=str(dict(row._meta.get_field("status").output_field.choices).get(row.status, row.status)),
    )
