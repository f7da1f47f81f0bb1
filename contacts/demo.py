"""The contacts of ``manage.py demo``."""

from collections.abc import Sequence
from contextlib import closing

from django.core.files.uploadedfile import TemporaryUploadedFile
from openpyxl import Workbook

from accounts.models import User

from .services import uploads

ROWS = (
    ("Name", "Phone Number", "Email Address"),
    ("Ada Lovelace", "+44 20 7946 0001", "ada@contacts.example"),
    ("Alan Turing", "+44 20 7946 0002", "alan@contacts.example"),
    ("Grace Hopper", "", "grace@contacts.example"),
    ("Katherine Johnson", "+1 202 555 0104", ""),
    ("Ada Lovelace", "+44 20 7946 0001", "lovelace@contacts.example"),  # the same number again: it has to wait
)


def fill(people: Sequence[User]) -> str:
    """Upload a sheet for the first of ``people`` and return a description of it."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    for row in ROWS:
        sheet.append(row)
    file = TemporaryUploadedFile("demo.xlsx", "application/octet-stream", 0, None)
    book.save(file.temporary_file_path())
    file.seek(0, 2)
    file.size = file.tell()
    file.seek(0)
    with closing(file):
        uploads.create_upload(owner=people[0], file=file)
    return f"a sheet of {len(ROWS) - 1} contacts, one of which waits for three minutes"
