"""Filters that refuse invalid values with a 400."""

from typing import Any

import django_filters
from django import forms
from drf_spectacular.utils import extend_schema_field

from .choices import invalid_choice


class IdFilter(django_filters.Filter):
    """Filter by a whole number. django-filter's NumberFilter would treat 7.9 as 7."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, max_value=2**63 - 1, **kwargs)


class YesNoFilter(django_filters.TypedChoiceFilter):
    """``true`` or ``false``."""

    def __init__(self, *, label: str, **kwargs: Any) -> None:
        choices = [("true", "true"), ("false", "false")]
        super().__init__(choices=choices, coerce=lambda value: value == "true", label=label, **kwargs)
        extend_schema_field({"type": "boolean", "description": label})(self)


class FilterSet(django_filters.FilterSet):
    def get_form_class(self) -> Any:
        form = super().get_form_class()
        for field in form.base_fields.values():
            if choices := dict(getattr(field, "choices", ())):
                names = (str(choice).replace("%", "%%") for choice in choices)
                field.error_messages["invalid_choice"] = invalid_choice("%(value)s", names)
        return form
