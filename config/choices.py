"""Answers to a value that is none of the choices: they name the choices."""

from collections.abc import Iterable
from typing import Any, NoReturn

import django_filters
from rest_framework import serializers


def one_of(value: str, choices: Iterable[object]) -> str:
    return f"“{value}” is none of {', '.join(str(choice) for choice in choices if choice)}."


class ChoiceField(serializers.ChoiceField):
    def fail(self, key: str, **values: Any) -> NoReturn:
        if key == "invalid_choice":
            raise serializers.ValidationError(one_of(values["input"], self.choices), code=key)
        super().fail(key, **values)


class FilterSet(django_filters.FilterSet):
    def get_form_class(self) -> Any:
        form = super().get_form_class()
        for field in form.base_fields.values():
            if choices := dict(getattr(field, "choices", ())):
                names = (str(choice).replace("%", "%%") for choice in choices)
                field.error_messages["invalid_choice"] = one_of("%(value)s", names)
        return form
