"""The parts of django-import-export that the admin's import uses: file format, temporary storage and form.

The library brings the two-step page and its permissions. The file itself goes through the same services as an upload.
"""

import zlib
from typing import Any
from uuid import uuid4

from django import forms
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from import_export.formats import base_formats
from import_export.forms import ConfirmImportForm
from import_export.tmp_storages import BaseStorage
from unfold.contrib.import_export.forms import ImportForm as UnfoldImportForm
from unfold.widgets import UnfoldAdminSelectWidget

from ..models import ImportRun

PREVIEW_SECONDS = 3600  # between the preview and its confirmation


class CSVFile(base_formats.Format):
    """A CSV file as bytes: :mod:`trends.files.reader` finds the delimiter and the header itself."""

    def __init__(self, encoding: str | None = None) -> None:
        """Ignore the encoding that the library offers; the reader checks the bytes."""

    def get_title(self) -> str:
        return "csv"

    def create_dataset(self, in_stream: bytes) -> ContentFile:
        return ContentFile(in_stream, name="trends.csv")

    def is_binary(self) -> bool:
        return True

    def get_read_mode(self) -> str:
        return "rb"

    def can_import(self) -> bool:
        return True


class PreviewStorage(BaseStorage):
    """Stores the file between preview and confirmation in the cache, which all web processes share."""

    def save(self, data: bytes) -> None:
        self.name = uuid4().hex
        cache.set(self._key, zlib.compress(data, 1), PREVIEW_SECONDS)

    def read(self) -> bytes | None:
        data = cache.get(self._key)
        return None if data is None else zlib.decompress(data)

    def remove(self) -> None:
        cache.delete(self._key)

    @property
    def _key(self) -> str:
        return f"trends:preview:{self.name}"


class ImportForm(UnfoldImportForm):
    mode = forms.ChoiceField(choices=ImportRun.Mode.choices, widget=UnfoldAdminSelectWidget)

    def clean_import_file(self) -> Any:
        file = self.cleaned_data["import_file"]
        if file.size > settings.TRENDS_MAX_UPLOAD:
            raise ValidationError(f"The file is larger than {settings.TRENDS_MAX_UPLOAD // 1024**2} MiB.")
        return file


class ConfirmForm(ConfirmImportForm):
    mode = forms.ChoiceField(choices=ImportRun.Mode.choices, widget=forms.HiddenInput)
