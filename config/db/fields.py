"""Fields that Django lacks, or that are slow in Django."""

from collections.abc import Iterable
from typing import Any

from django.contrib.postgres.fields import ArrayField


class IdArrayField(ArrayField):
    """An array of ids that is sent to Postgres as one text.

    psycopg2 sends a list as ``ARRAY[1, 2, …]``, for which Postgres makes a parse node per number: 20 ms for ten
    thousand ids. It reads the text ``{1,2,…}`` in 0.5 ms.
    """

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:
        return id_array(value) if isinstance(value, (list, tuple)) else value

    def deconstruct(self) -> Any:
        # The column is an ordinary array, so migrations need not refer to this class.
        name, _, args, kwargs = super().deconstruct()
        return name, "django.contrib.postgres.fields.ArrayField", args, kwargs


def id_array(ids: Iterable[int]) -> str:
    """Return ids as the text of an array, for a parameter ``%s::bigint[]``."""
    return "{" + ",".join(map(str, ids)) + "}"
