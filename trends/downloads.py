"""What staff take away of a run: its errors, and its file."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpResponseBase, HttpResponseRedirect, StreamingHttpResponse
from django.utils.http import content_disposition_header

from config import storage

from . import folders
from .columns import disarm
from .models import ImportRun


class _Echo:
    @staticmethod
    def write(line: str) -> str:
        return line


def stream(chunks: Iterable[bytes | str], filename: str, content_type: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(chunks, content_type=content_type)
    response["Content-Disposition"] = content_disposition_header(True, filename)
    response["Cache-Control"] = "private, no-store"
    return response


def errors_csv(run: ImportRun) -> StreamingHttpResponse:
    """The bad rows of ``run``, one line a value."""
    writer = csv.writer(_Echo(), delimiter=";")

    def lines() -> Iterator[str]:
        yield writer.writerow(("line", "column", "value", "code", "reason"))
        rows = run.row_errors.values_list("line", "column", "value", "code", "message")
        for line, *texts in rows.iterator(2_000):
            yield writer.writerow((line, *map(disarm, texts)))

    return stream(lines(), f"{Path(run.name).stem}-errors.csv", "text/csv; charset=utf-8")


def original(run: ImportRun) -> HttpResponseBase:
    """The file of ``run``, from the storage or from the folder in which it ended; 404 where this server has neither."""
    if run.key:
        return HttpResponseRedirect(storage.signed_url(run.key, filename=run.name))
    for folder, name in ((settings.TRENDS_BACKUP, run.backup), (folders.quarantine_folder(), run.quarantine)):
        if name:
            try:
                handle = (folder / name).open("rb")
            except OSError as error:
                raise Http404 from error
            return FileResponse(handle, as_attachment=True, filename=run.name, content_type="text/csv")
    raise Http404
