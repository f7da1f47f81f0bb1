"""Previews an upload: what an import would decide now. Nothing is stored."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import transaction
from rest_framework.exceptions import Throttled

from accounts.models import User
from config.api.errors import ServiceUnavailable
from config.db import locks

from ..files import process
from ..files.choice import Choice
from ..files.limits import InvalidSheet
from ..files.rows import AnyRow, Rejected
from .uploads import InvalidFile
from .window import Decision, Trial

CHUNK = 5000  # rows
SHOWN = 20  # rows
SHOWN_REJECTED = 200  # rows, unless their texts are longer than a page
WAIT = 5  # seconds after which a client may try again

# Each occupies a thread of the web process for seconds, and 35 MB of it for 100,000 rows.
_slots = threading.BoundedSemaphore(2)


@dataclass(slots=True)
class PreviewRow:
    """A row and its outcome: ``accepted``, ``deferred`` until ``due_at``, or ``rejected`` with a code and a message."""

    row: int
    name: str
    phone_number: str
    email_address: str
    outcome: str
    code: str | None = None
    message: str | None = None
    due_at: datetime | None = None


@dataclass(slots=True)
class RejectedPreviewRow:
    """An invalid row. ``column``, ``code`` and ``value`` are those of its first error; ``message`` has all of them."""

    row: int
    column: str
    code: str
    message: str
    value: str
    name: str
    phone_number: str
    email_address: str


@dataclass(frozen=True, slots=True)
class Reason:
    """How many rows are rejected with this code."""

    code: str
    rows: int


@dataclass(slots=True)
class DryRun:
    """The report of a dry run. ``problems`` say why an upload without the mapping would be refused."""

    sheets: list[str]
    encoding: str
    columns: list[str]
    mapping: dict[str, Any]
    problems: list[dict[str, str]]
    total_rows: int = 0
    accepted: int = 0
    deferred: int = 0
    rejected: int = 0
    rows: list[PreviewRow] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    rejected_rows: list[RejectedPreviewRow] = field(default_factory=list)


def dry_run(*, owner: User, file: TemporaryUploadedFile, choice: Choice) -> DryRun:
    """Decide about every row of ``file`` as an import would now, the window included.

    Raises InvalidFile, Throttled while another dry run of ``owner`` runs, and ServiceUnavailable.
    """
    limit = min(settings.DRY_RUN_MAX_ROWS, settings.CONTACT_MAX_ROWS)
    with _slot(owner):
        try:
            path = file.temporary_file_path()
            with process.preview(path, choice=choice, chunk_rows=CHUNK, max_rows=limit) as (overview, chunks):
                return _report(overview, chunks)
        except InvalidSheet as error:
            raise InvalidFile(error) from error
        except process.ReaderKilled as error:
            raise ServiceUnavailable from error


@contextmanager
def _slot(owner: User) -> Iterator[None]:
    """Allow one dry run for ``owner``, in all processes, and two in this process."""
    if not _slots.acquire(blocking=False):
        raise ServiceUnavailable("Other dry runs are running. Try again in a few seconds.")
    try:
        # The lock ends with the transaction, also if this process is killed.
        with transaction.atomic():
            if not locks.try_lock(f"contacts.dry_run.{owner.pk}"):
                raise Throttled(WAIT, "Another dry run of yours is running.")
            yield
    finally:
        _slots.release()


def _report(overview: process.Overview, chunks: Iterator[list[AnyRow]]) -> DryRun:
    report = DryRun(
        overview.sheets, overview.encoding, overview.columns, overview.mapping, overview.problems,
        total_rows=overview.total_rows or 0,
    )  # fmt: skip
    trial, codes, length = Trial(), Counter[str](), 0
    for rows in chunks:
        decision = trial.decide(rows)
        report.total_rows += len(rows)
        report.accepted += len(decision.accepted)
        report.deferred += len(decision.deferred)
        report.rejected += len(decision.rejected)
        if len(report.rows) < SHOWN:
            report.rows += _preview_rows(decision)[: SHOWN - len(report.rows)]
        codes.update(row.fault.code for row in decision.rejected)
        for row in decision.rejected[: SHOWN_REJECTED - len(report.rejected_rows)]:
            length += sum(map(len, (*row[1:4], row.fault.value, row.fault.message)))
            if length <= settings.PAGE_MAX_BYTES:
                report.rejected_rows.append(_rejected_row(row))
    report.reasons = [Reason(code, count) for code, count in codes.most_common()]
    return report


def _rejected_row(row: Rejected) -> RejectedPreviewRow:
    fault = row.fault
    return RejectedPreviewRow(row.row, fault.column, fault.code, fault.message, fault.value, *row[1:4])


def _preview_rows(decision: Decision) -> list[PreviewRow]:
    """Return the rows of ``decision`` in the order of the file."""
    rows = [PreviewRow(*row[:4], "accepted") for row in decision.accepted[:SHOWN]]
    rows += [PreviewRow(*each.row[:4], "deferred", due_at=each.due_at) for each in decision.deferred[:SHOWN]]
    rows += [PreviewRow(*row[:4], "rejected", row.fault.code, row.fault.message) for row in decision.rejected[:SHOWN]]
    return sorted(rows, key=lambda row: row.row)
