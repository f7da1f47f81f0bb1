"""A date and time that names one instant."""

from datetime import datetime
from typing import Any

from django.utils.dateparse import parse_datetime
from rest_framework import serializers


class InstantField(serializers.DateTimeField):
    """A datetime with an offset from UTC."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            instant = parse_datetime(value) if isinstance(value, str) else None
            if instant is not None and instant.tzinfo is None:
                raise serializers.ValidationError("Add the offset from UTC, such as Z or +02:00.", "offset_required")
            return super().to_internal_value(value)
        except (ValueError, OverflowError) as error:
            raise serializers.ValidationError("This is not a valid date and time.", "invalid") from error
