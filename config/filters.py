"""A filter by the id of another row."""

from typing import Any

import django_filters
from django import forms


class IdFilter(django_filters.Filter):
    """A whole number. django-filter's own takes any, and finds with 7.9 what belongs to 7."""

    field_class = forms.IntegerField

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, min_value=1, max_value=2**63 - 1, **kwargs)
