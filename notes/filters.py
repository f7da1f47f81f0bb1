"""Filters of the lists of notes. An invalid value is 400, not ignored."""

from typing import Any

import django_filters as filters
from django import forms

from config.api.filters import FilterSet, IdFilter, YesNoFilter

from .colors import COLORS
from .models import Membership
from .pagination import ORDERINGS

STATES = ("active", "archived", "trashed", "all")


class ColorFilter(filters.Filter):
    """A name of a colour, or a value like ``#ffcc00``."""

    field_class = forms.RegexField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, regex=rf"^({'|'.join(COLORS)}|#[0-9a-fA-F]{{6}})$", **kwargs)


class NoteFilter(FilterSet):
    """For the lists of archived and trashed notes."""

    label = IdFilter(method="by_label", label="The id of one of your labels.")
    search = filters.CharFilter(
        method="by_words",
        max_length=500,
        label="Words that the title, body, items or your label names contain; all must match.",
    )
    pinned = YesNoFilter(field_name="pinned", label="Whether you have pinned the note.")
    shared = YesNoFilter(method="by_sharing", label="Whether other users see the note.")
    has_reminder = YesNoFilter(
        field_name="reminder", lookup_expr="isnull", exclude=True, label="Whether you have set a reminder."
    )
    owned = YesNoFilter(method="by_ownership", label="Whether you own the note.")
    has_items = YesNoFilter(method="by_items", label="Whether the note has a checklist.")
    color = ColorFilter(method="by_color", label="The note's colour.")
    person = filters.CharFilter(
        method="by_person", max_length=6, label="The usercode of the owner or a collaborator of the note."
    )
    ordering = filters.ChoiceFilter(
        choices=[(name, name) for name in ORDERINGS],
        method="by_ordering",
        label="Default: pinned notes first, then the most recently changed.",
    )

    class Meta:
        model = Membership
        fields: list[str] = []

    @classmethod
    def unfiltered(cls, queryset: Any) -> Any:
        """Return what the filters select if a request has none of them."""
        return queryset

    def by_label(self, queryset: Any, name: str, value: int) -> Any:
        return queryset.labelled(value)

    def by_words(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.matching(value, self.request.user)

    def by_sharing(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.shared(value)

    def by_ownership(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.owned(value)

    def by_items(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.with_checklist(value)

    def by_color(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(note__color=value.lower())

    def by_person(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.with_member(value.upper())

    def by_ordering(self, queryset: Any, name: str, value: str) -> Any:
        return queryset  # NotePagination orders


class StatefulNoteFilter(NoteFilter):
    """Adds the filter ``state``."""

    default_state = "active"
    state = filters.ChoiceFilter(
        choices=[(state, state) for state in STATES],
        method="by_state",
        help_text="Only notes in this state. Default: those that are neither trashed nor, in `notes/`, archived.",
    )

    @classmethod
    def unfiltered(cls, queryset: Any) -> Any:
        return queryset.in_state(cls.default_state)

    def by_state(self, queryset: Any, name: str, value: str) -> Any:
        return queryset

    def filter_queryset(self, queryset: Any) -> Any:
        state = self.form.cleaned_data.get("state") or self.default_state
        return super().filter_queryset(queryset).in_state(state)


class LabelNoteFilter(StatefulNoteFilter):
    """For the notes of a label: by default all that are not trashed."""

    default_state = "not_trashed"
