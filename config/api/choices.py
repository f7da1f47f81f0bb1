"""Errors for invalid choices that list the valid ones."""

from collections.abc import Iterable
from typing import Any, NoReturn

from rest_framework import serializers


def invalid_choice(value: str, choices: Iterable[object]) -> str:
    """Return the error text for ``value``, such as ``“gone” is not one of: inbox, sent.``"""
    return f"“{value}” is not one of: {', '.join(str(choice) for choice in choices if choice)}."


class ChoiceField(serializers.ChoiceField):
    def fail(self, key: str, **values: Any) -> NoReturn:
        if key == "invalid_choice":
            raise serializers.ValidationError(invalid_choice(values["input"], self.choices), code=key)
        super().fail(key, **values)
