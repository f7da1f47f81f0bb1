"""Filters of the two lists of rows, and the order of contacts."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters

from config.api.filters import FilterSet, IdFilter, YesNoFilter

from .models import Contact, UnprocessedContact
from .querysets import ORDERINGS


class RowFilter(FilterSet):
    search = filters.CharFilter(
        method="matching", help_text="Rows whose name, phone number or e-mail address contain every word."
    )
    upload = IdFilter(method="of_upload", help_text="Rows of this upload.")

    def matching(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.matching(value)

    def of_upload(self, queryset: QuerySet, name: str, value: int) -> QuerySet:
        return queryset.of_upload(value)


class ContactFilter(RowFilter):
    has_phone = YesNoFilter(method="by_key", label="Whether the contact has a phone number.")
    has_email = YesNoFilter(method="by_key", label="Whether the contact has an e-mail address.")
    accepted_after = filters.IsoDateTimeFilter(
        field_name="accepted_at", lookup_expr="gte", help_text="Contacts stored at this instant or later."
    )
    accepted_before = filters.IsoDateTimeFilter(
        field_name="accepted_at", lookup_expr="lt", help_text="Contacts stored before this instant."
    )
    ordering = filters.ChoiceFilter(
        choices=[(name, name) for name in ORDERINGS],
        method="by_ordering",
        help_text="Default: `-id`, the newest first. Names are compared without case and accents. Exports ignore it.",
    )

    class Meta:
        model = Contact
        fields: list[str] = []

    def by_key(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.with_key("phone_key" if name == "has_phone" else "email_key", value)

    def by_ordering(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.in_order(value)


class UnprocessedContactFilter(RowFilter):
    class Meta:
        model = UnprocessedContact
        fields: list[str] = []
