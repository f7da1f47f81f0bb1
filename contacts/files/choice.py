"""What a person may choose about a file: its columns, and its sheet."""

from collections.abc import Mapping
from dataclasses import dataclass

FIELDS = ("name", "phone_number", "email_address")

# The titles of the columns for each field. Names are joined; of the others, the first value that is not empty counts.
ColumnMapping = Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Empty values are the default: the three exact columns, the first visible sheet, the detected encoding."""

    mapping: ColumnMapping | None = None
    sheet: str = ""
    encoding: str = ""


DEFAULT = Choice()
