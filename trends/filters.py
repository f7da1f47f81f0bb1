"""Filters and ordering of trends and import runs."""

from functools import reduce
from operator import or_
from typing import Any

from django import forms
from django.db.models import F, Q
from django_filters import CharFilter, Filter, MultipleChoiceFilter, OrderingFilter
from drf_spectacular.utils import extend_schema_field

from config.api.filters import FilterSet
from config.jobs.job import Status

from .files.columns import CHOICES, LENGTHS
from .models import MAX_COUNT, ImportRun, Trend

NONE = "none"  # selects trends without a readiness level
ORDERS = {
    "publications": "total_count_of_publications",
    "patents": "total_count_of_patents",
    "megatrend": "megatrend",
    "uploaded_at": "uploaded_at",
}


class CaseInsensitiveChoices(forms.MultipleChoiceField):
    """One or more choices, repeated or separated by commas; case does not matter."""

    def to_python(self, value: Any) -> list[str]:
        names = {choice.lower(): choice for choice, _ in self.choices}
        parts = [part.strip() for each in super().to_python(value) for part in each.split(",")]
        return [names.get(part.lower(), part) for part in parts if part]


class AnyOf(Filter):
    """Rows whose column has one of the requested values."""

    field_class = CaseInsensitiveChoices

    def filter(self, queryset: Any, value: list[str]) -> Any:
        values = ["" if each == NONE else each for each in value or []]
        return queryset.filter(**{f"{self.field_name}__in": values}) if values else queryset


class NamesField(forms.MultipleChoiceField):
    """One or more names, repeated. A comma is part of a name."""

    def __init__(self, *args: Any, max_length: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.name = forms.CharField(max_length=max_length)

    def clean(self, value: Any) -> list[str]:
        return [self.name.clean(each) for each in self.to_python(value) if each.strip()]


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class NamesFilter(Filter):
    """Rows whose column has one of the requested names; case does not matter."""

    field_class = NamesField

    def filter(self, queryset: Any, value: list[str]) -> Any:
        if not value:
            return queryset
        return queryset.filter(reduce(or_, (Q(**{f"{self.field_name}__iexact": name}) for name in value)))


def _names(column: str) -> NamesFilter:
    return NamesFilter(
        field_name=column,
        max_length=LENGTHS[column],
        help_text="One or more exact names, repeated; case does not matter.",
    )


def _any_of(column: str) -> AnyOf:
    values = [value or NONE for value in CHOICES[column].values()]
    any_of = AnyOf(
        field_name=column,
        choices=[(value, value) for value in values],
        help_text=f"One or more of {', '.join(values)}; case does not matter.",
    )
    return extend_schema_field({"type": "array", "items": {"type": "string", "enum": values}})(any_of)


@extend_schema_field({"type": "integer", "minimum": 0, "maximum": MAX_COUNT})
class BoundFilter(Filter):
    """A minimum or maximum of a count; trends without a count are outside every range."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=0, max_value=MAX_COUNT, **kwargs)


class TrendOrdering(OrderingFilter):
    """Trends without a count come last in both directions; ties are ordered by id."""

    def filter(self, qs: Any, value: list[str] | None) -> Any:
        if not value:
            return qs
        terms = []
        for name in value:
            column = F(ORDERS[name.removeprefix("-")])
            terms.append(column.desc(nulls_last=True) if name.startswith("-") else column.asc(nulls_last=True))
        return qs.order_by(*terms, "id")


class TrendFilter(FilterSet):
    megatrend = _names("megatrend")
    macrotrend = _names("macrotrend")
    technology_readiness_level = _any_of("technology_readiness_level")
    impact_strength = _any_of("impact_strength")
    steepl = _any_of("steepl")
    publications_min = BoundFilter("total_count_of_publications", "gte", help_text="At least this many publications.")
    publications_max = BoundFilter("total_count_of_publications", "lte", help_text="At most this many publications.")
    patents_min = BoundFilter("total_count_of_patents", "gte", help_text="At least this many patents.")
    patents_max = BoundFilter("total_count_of_patents", "lte", help_text="At most this many patents.")
    search = CharFilter(
        method="filter_search",
        max_length=500,
        help_text="Trends that contain every word; case and accents do not matter.",
    )
    ordering = TrendOrdering(fields={name: name for name in ORDERS})

    class Meta:
        model = Trend
        fields: list[str] = []

    def filter_search(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.matching(value)


class ImportRunFilter(FilterSet):
    status = MultipleChoiceFilter(choices=Status.choices, help_text="One or more states.")
    origin = MultipleChoiceFilter(choices=ImportRun.Origin.choices, help_text="Where the file came from.")

    class Meta:
        model = ImportRun
        fields: list[str] = []
