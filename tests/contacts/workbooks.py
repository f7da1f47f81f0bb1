"""Workbooks for tests."""

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from openpyxl import Workbook

HEADER = ("Name", "Phone Number", "Email Address")
DATA = Path(__file__).resolve().parent.parent / "data"


def xlsx(rows: Iterable[Sequence], header: Sequence | None = HEADER) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet")
    for row in ([header] if header else []) + list(rows):
        sheet.append(list(row))
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def upload_of(content: bytes, name: str = "contacts.xlsx") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content)
