from django.db.models import QuerySet
from django_filters import rest_framework as filters

from config.filters import IdFilter

from .models import Contact, UnprocessedContact


class RowFilter(filters.FilterSet):
    search = filters.CharFilter(
        method="matching", help_text="Every word, anywhere in name, phone number or e-mail address."
    )
    upload = IdFilter(field_name="upload_id", help_text="Of this upload.")

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
