"""django-import-export's buttons in the admin, with this app's own reading and writing behind them.

The library brings the forms, the two steps and the rights; a file goes through the same services as one that is
uploaded or dropped into the watched folder.
"""

import zlib
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from import_export.formats import base_formats
from import_export.resources import ModelResource
from import_export.results import Result
from import_export.tmp_storages import BaseStorage
from unfold.contrib.import_export.forms import ImportForm as UnfoldImportForm

from . import services
from .columns import COLUMNS
from .models import ImportRun, Trend

PREVIEW_KEPT = 3600  # seconds between a preview and its confirmation


class CSVFile(base_formats.Format):
    """A CSV file as its bytes: trends.reading knows how to read it, and finds its own delimiter and header."""

    def __init__(self, encoding: str | None = None) -> None:
        """The library offers an encoding; the file's own bytes say better."""

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


class Preview(BaseStorage):
    """The file between preview and confirmation: in the cache, which every web process reaches."""

    def save(self, data: bytes) -> None:
        self.name = uuid4().hex
        cache.set(self._key, zlib.compress(data, 1), PREVIEW_KEPT)

    def read(self) -> bytes | None:
        kept = cache.get(self._key)
        return None if kept is None else zlib.decompress(kept)

    def remove(self) -> None:
        cache.delete(self._key)

    @property
    def _key(self) -> str:
        return f"trends:preview:{self.name}"


class ImportForm(UnfoldImportForm):
    def clean_import_file(self) -> Any:
        file = self.cleaned_data["import_file"]
        if file.size > settings.TRENDS_MAX_UPLOAD:
            raise ValidationError(f"A file has at most {settings.TRENDS_MAX_UPLOAD // 1024**2} MiB.")
        return file


class FileResult(Result):
    """What the library's views ask of an import; ``report`` or ``run`` is what ours answered."""

    def __init__(self, *, report: services.Report | None = None, run: ImportRun | None = None) -> None:
        super().__init__()
        self.report = report
        self.run = run

    def has_errors(self) -> bool:
        return bool(self.report and self.report.error)


class TrendResource(ModelResource):
    class Meta:
        model = Trend
        fields = COLUMNS

    def import_data(self, dataset: ContentFile, dry_run: bool = False, **kwargs: Any) -> FileResult:
        dataset.name = kwargs.get("file_name") or dataset.name
        if dry_run:
            return FileResult(report=services.check_file(file=dataset))
        run = services.start_import(
            file=dataset, key=services.file_key(), origin=ImportRun.Origin.ADMIN, by=kwargs.get("user")
        )
        return FileResult(run=run)
