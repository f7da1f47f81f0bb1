"""Responses that download a file: an export, the row errors of an import, or its original."""

import csv
import shutil
from functools import partial
from io import TextIOWrapper
from pathlib import Path
from typing import BinaryIO

from django.conf import settings
from django.db.models import QuerySet
from django.http import Http404, HttpResponseBase, HttpResponseRedirect

from config import audit, storage
from config.http.downloads import download
from config.sheets import escape_formula

from ..models import ImportRun, Trend
from .archive import quarantine_folder
from .exports import Format


def export(format: Format, trends: "QuerySet[Trend]") -> HttpResponseBase:
    """Return ``trends`` as a file in ``format``."""
    response = download(
        lambda file: format.write(file, trends), filename=format.filename, content_type=format.content_type
    )
    audit.record("trends_exported", details={"format": format.filename.rpartition(".")[2]})
    return response


def errors_csv(run: ImportRun) -> HttpResponseBase:
    """Return the row errors of ``run`` as CSV, one line for each invalid value."""

    def write(file: BinaryIO) -> None:
        text = TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, delimiter=";")
        writer.writerow(("line", "column", "value", "code", "reason"))
        rows = run.row_errors.values_list("line", "column", "value", "code", "message")
        writer.writerows((line, *map(escape_formula, texts)) for line, *texts in rows.iterator(2_000))
        text.detach()

    return download(write, filename=f"{Path(run.name).stem}-errors.csv", content_type="text/csv; charset=utf-8")


def original(run: ImportRun) -> HttpResponseBase:
    """Return the file of ``run`` from the storage, backup or quarantine; raises Http404 if this server has none."""
    if run.key:
        return HttpResponseRedirect(storage.signed_url(run.key, filename=run.name))
    for folder, name in ((settings.TRENDS_BACKUP, run.backup), (quarantine_folder(), run.quarantine)):
        if name:
            try:
                handle = (folder / name).open("rb")
            except OSError as error:
                raise Http404 from error
            with handle:
                copy = partial(shutil.copyfileobj, handle)
                return download(copy, filename=run.name, content_type="text/csv")
    raise Http404
