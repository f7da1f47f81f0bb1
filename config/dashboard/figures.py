"""The six figures of the dashboard, from the table that beat fills: counting millions of rows would be too slow."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from config.models import Figure

DAYS = 30
WIDTH, HEIGHT = 120, 32  # of a sparkline


@dataclass(frozen=True)
class Source:
    """What a figure counts: the rows of ``model``, or of all imports if it is empty."""

    name: str
    title: str
    model: str
    created: str


FIGURES = (
    Source("people", "People", "accounts.User", "date_joined"),
    Source("notes", "Notes", "notes.Note", "created_at"),
    Source("messages", "Messages", "messaging.Message", "created_at"),
    Source("contacts", "Contacts", "contacts.Contact", "accepted_at"),
    Source("trends", "Trends", "trends.Trend", "uploaded_at"),
    Source("imports", "Imports", "", "created_at"),
)


@dataclass(frozen=True)
class Shown:
    """A figure as it is displayed. ``change`` is since the same day of last week; None if that is unknown."""

    title: str
    value: int | None
    change: int | None
    points: str
    first: int

    @property
    def value_text(self) -> str:
        return "–" if self.value is None else f"{self.value:,}"

    @property
    def change_text(self) -> str:
        if self.value is None:
            return "counted within five minutes"
        if self.change is None:
            return "no figure of last week yet"
        return f"{self.change:+,} since last week" if self.change else "same as last week"


def shown() -> list[Shown]:
    """Return the figures with their history."""
    today = timezone.now().date()
    values: dict[str, dict[int, int]] = {}
    stored = Figure.objects.filter(day__gt=today - timedelta(days=DAYS))
    for name, day, value in stored.values_list("name", "day", "value"):
        values.setdefault(name, {})[(today - day).days] = value
    return [_shown(each.title, values.get(each.name, {})) for each in FIGURES]


def _shown(title: str, by_age: dict[int, int]) -> Shown:
    if not by_age:
        return Shown(title, None, None, "", 0)
    value = by_age[min(by_age)]
    week_ago = [by_age[age] for age in sorted(by_age) if age >= 7]
    low, high = min(by_age.values()), max(by_age.values())
    points = " ".join(
        f"{(DAYS - 1 - age) / (DAYS - 1) * WIDTH:.1f},"
        f"{HEIGHT - 2 - (by_age[age] - low) / ((high - low) or 1) * (HEIGHT - 4):.1f}"
        for age in sorted(by_age, reverse=True)
    )
    return Shown(title, value, value - week_ago[0] if week_ago else None, points, by_age[max(by_age)])
