"""What requests may send."""

from typing import Any

import orjson
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from .files.cells import CELL_LENGTH
from .files.choice import FIELDS, Choice
from .files.header import MAX_TITLE
from .models import NAME_LENGTH

MAX_IDS = 1000
MAX_ID = 2**63 - 1
MAX_COLUMNS = 20  # of one field
MAX_MAPPING = 100_000  # characters of JSON


@extend_schema_field(OpenApiTypes.STR)
class MappingField(serializers.Field):
    """A JSON object in a form field: for each field of a contact the title of a column, or a list of titles."""

    def to_internal_value(self, data: Any) -> dict[str, list[str]]:
        mapping = self._parse(data)
        if unknown := sorted(set(mapping) - set(FIELDS)):
            raise _error_of(unknown[0][:60], f"Unknown field. The fields are: {', '.join(FIELDS)}.")
        titles = {field: self._titles(field, value) for field, value in mapping.items() if value is not None}
        if not titles.keys() & {"phone_number", "email_address"}:
            raise serializers.ValidationError("Name a column for phone_number or email_address.", "required")
        return titles

    def to_representation(self, value: Any) -> Any:
        return value

    def _parse(self, data: Any) -> dict[str, Any]:
        try:
            if not isinstance(data, str) or len(data) > MAX_MAPPING:
                raise ValueError
            mapping = orjson.loads(data)
        except ValueError:
            mapping = None
        if not isinstance(mapping, dict):
            example = '{"name": "Full name", "email_address": ["E-mail", "Work e-mail"]}'
            raise serializers.ValidationError(f"This must be a JSON object such as {example}.")
        return mapping

    def _titles(self, field: str, value: Any) -> list[str]:
        titles = value if isinstance(value, list) else [value]
        if not all(isinstance(title, str) and 0 < len(title.strip()) <= MAX_TITLE for title in titles):
            raise _error_of(field, "This must be the title of a column, or a list of titles.")
        if not 0 < len(titles) <= MAX_COLUMNS:
            raise _error_of(field, f"A field has 1 to {MAX_COLUMNS} columns.")
        return titles


def _error_of(field: str, detail: str) -> serializers.ValidationError:
    return serializers.ValidationError({field: [detail]})


class DryRunSerializer(serializers.Serializer):
    """The query parameters of an upload."""

    dry_run = serializers.BooleanField(default=False, help_text="Report what an import would do and store nothing.")


class UploadSheetSerializer(DryRunSerializer):
    file = serializers.FileField(
        allow_empty_file=True,  # refused by its content
        help_text="An .xlsx or CSV file with the columns Name, Phone Number and Email Address, or with any columns and "
        "a mapping. The delimiter and the encoding of CSV are detected.",
    )
    mapping = MappingField(
        required=False,
        help_text="A JSON object: for `name`, `phone_number` and `email_address` the title of a column, or a list of "
        "titles. Names are joined by a space; of the others the first value that is not empty counts. Other columns "
        "are ignored.",
    )
    sheet = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, max_length=255,
        help_text="The sheet of a workbook. Default: the first visible one.",
    )  # fmt: skip

    def choice(self) -> Choice:
        """Return what the valid input chooses."""
        return Choice(self.validated_data.get("mapping"), self.validated_data.get("sheet", ""))


class CorrectContactSerializer(serializers.Serializer):
    """The texts of a contact. The rules of a sheet apply: a contact needs a phone number or an e-mail address."""

    name = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=NAME_LENGTH)
    phone_number = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=CELL_LENGTH)
    email_address = serializers.CharField(allow_blank=True, trim_whitespace=False, max_length=CELL_LENGTH)


class DeleteContactsSerializer(serializers.Serializer):
    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=MAX_ID), allow_empty=False, max_length=MAX_IDS
    )
