"""How a list of trends is narrowed and ordered by its address."""

from typing import Any

from django import forms
from django.db.models import F
from django_filters import CharFilter, Filter, MultipleChoiceFilter, OrderingFilter
from drf_spectacular.utils import extend_schema_field

from config.choices import FilterSet

from .columns import CHOICES, LENGTHS
from .models import MAX_COUNT, ImportRun, Trend

NONE = "none"  # asks for trends whose readiness is empty
ORDERS = {
    "publications": "total_count_of_publications",
    "patents": "total_count_of_patents",
    "megatrend": "megatrend",
    "uploaded_at": "uploaded_at",
}


class AnyCaseField(forms.MultipleChoiceField):
    """Choices without regard to case, repeated or parted by commas."""

    def to_python(self, value: Any) -> list[str]:
        names = {choice.lower(): choice for choice, _ in self.choices}
        parts = [part.strip() for each in super().to_python(value) for part in each.split(",")]
        return [names.get(part.lower(), part) for part in parts if part]


class AnyOf(Filter):
    """Rows whose column holds one of the values asked for."""

    field_class = AnyCaseField

    def filter(self, queryset: Any, value: list[str]) -> Any:
        values = ["" if each == NONE else each for each in value or []]
        return queryset.filter(**{f"{self.field_name}__in": values}) if values else queryset


def _any_of(column: str) -> AnyOf:
    values = [value or NONE for value in CHOICES[column].values()]
    narrows = AnyOf(
        field_name=column,
        choices=[(value, value) for value in values],
        help_text=f"One or more of {', '.join(values)}; case does not matter.",
    )
    return extend_schema_field({"type": "array", "items": {"type": "string", "enum": values}})(narrows)


@extend_schema_field({"type": "integer", "minimum": 0, "maximum": MAX_COUNT})
class BoundFilter(Filter):
    """A bound of a count; trends without a count lie outside of every range."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=MAX_COUNT, **kwargs)


class TrendOrdering(OrderingFilter):
    """Trends without a count come last either way, and equal ones stand in the order in which they were stored."""

    def filter(self, qs: Any, value: list[str] | None) -> Any:
        if not value:
            return qs
        terms = []
        for name in value:
            column = F(ORDERS[name.removeprefix("-")])
            terms.append(column.desc(nulls_last=True) if name.startswith("-") else column.asc(nulls_last=True))
        return qs.order_by(*terms, "id")


class TrendFilter(FilterSet):
    megatrend = CharFilter(
        lookup_expr="iexact", max_length=LENGTHS["megatrend"], help_text="The whole name; case does not matter."
    )
    macrotrend = CharFilter(
        lookup_expr="iexact", max_length=LENGTHS["macrotrend"], help_text="The whole name; case does not matter."
    )
    technology_readiness_level = _any_of("technology_readiness_level")
    impact_strength = _any_of("impact_strength")
    steepl = _any_of("steepl")
    publications_min = BoundFilter("total_count_of_publications", "gte")
    publications_max = BoundFilter("total_count_of_publications", "lte")
    patents_min = BoundFilter("total_count_of_patents", "gte")
    patents_max = BoundFilter("total_count_of_patents", "lte")
    search = CharFilter(
        method="filter_search",
        max_length=500,
        help_text="Every word stands somewhere in the texts; neither case nor accents matter.",
    )
    ordering = TrendOrdering(fields={name: name for name in ORDERS})

    class Meta:
        model = Trend
        fields: list[str] = []

    def filter_search(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.matching(value)


class ImportRunFilter(FilterSet):
    status = MultipleChoiceFilter(choices=ImportRun.Status.choices)
    origin = MultipleChoiceFilter(choices=ImportRun.Origin.choices)

    class Meta:
        model = ImportRun
        fields: list[str] = []
