from django.db.models import QuerySet
from django_filters import rest_framework as filters

from .models import Contact, UnprocessedContact


class RowFilter(filters.FilterSet):
    search = filters.CharFilter(
        method="matching", help_text="Every word, anywhere in name, phone number or e-mail address."
    )
    upload = filters.NumberFilter(field_name="upload_id", min_value=1, max_value=2**63 - 1, help_text="Of this upload.")

    def matching(self, queryset: QuerySet, name: str, value: str) -> QuerySet:
        return queryset.matching(value)


class ContactFilter(RowFilter):
    class Meta:
        model = Contact
        fields: list[str] = []


class UnprocessedContactFilter(RowFilter):
    class Meta:
        model = UnprocessedContact
        fields: list[str] = []
