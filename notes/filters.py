"""What the lists of notes can be asked for. A value that means nothing is 400, not ignored."""

from typing import Any

import django_filters as filters
from drf_spectacular.utils import extend_schema_field

from config.choices import FilterSet
from config.filters import IdFilter

from .models import Membership
from .pagination import ORDERINGS

STATES = ("active", "archived", "trashed", "all")


class YesNoFilter(filters.TypedChoiceFilter):
    """``true`` or ``false``."""

    def __init__(self, *, label: str, **kwargs: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda value: value == "true", label=label, **kwargs)
        extend_schema_field({"type": "boolean", "description": label})(self)


class NoteFilter(FilterSet):
    """For a list whose state is settled by its address."""

    label = IdFilter(method="by_label", label="The id of one of the caller's labels.")
    search = filters.CharFilter(
        method="by_words", max_length=500, label="Every word stands in title, body, items or the caller's label names."
    )
    pinned = YesNoFilter(field_name="pinned", label="Whether the caller has pinned it.")
    shared = YesNoFilter(method="by_sharing", label="Whether anybody else sees it.")
    has_reminder = YesNoFilter(field_name="reminder", lookup_expr="isnull", exclude=True, label="Whether one is set.")
    ordering = filters.ChoiceFilter(
        choices=[(name, name) for name in ORDERINGS],
        method="by_ordering",
        label="Without it, pinned notes come first, then the latest changed.",
    )

    class Meta:
        model = Membership
        fields: list[str] = []

    def by_label(self, queryset: Any, name: str, value: int) -> Any:
        return queryset.labelled(value)

    def by_words(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.matching(value, self.request.user)

    def by_sharing(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.shared(value)

    def by_ordering(self, queryset: Any, name: str, value: str) -> Any:
        return queryset  # the pagination's matter, which also has to find its way back


class StatefulNoteFilter(NoteFilter):
    """For a list that may be asked for any state."""

    default_state = "active"
    state = filters.ChoiceFilter(choices=[(state, state) for state in STATES], method="by_state")

    def by_state(self, queryset: Any, name: str, value: str) -> Any:
        return queryset

    def filter_queryset(self, queryset: Any) -> Any:
        state = self.form.cleaned_data.get("state") or self.default_state
        return super().filter_queryset(queryset).in_state(state)


class LabelNoteFilter(StatefulNoteFilter):
    """A label's notes: all but the trashed ones, unless asked otherwise."""

    default_state = "kept"
