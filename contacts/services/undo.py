"""Undoing an upload: removes its contacts and its waiting rows. The window's history stays, so undo does not bypass it.

A request undoes an upload of up to ``AT_ONCE`` rows in one transaction. A larger one becomes a job: a worker removes
``BATCH`` rows in each transaction, so that imports and releases never wait long for the window's lock.
"""

from typing import NamedTuple

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from config import audit
from config.jobs import runner
from config.jobs.enqueue import enqueue

from ..models import Contact, FileMetadata, UnprocessedContact, UploadStatus, UploadUndo
from .notifications import notify_owner
from .release import delete_waiting
from .uploads import lock_finished
from .window import lock_window_of_job

AT_ONCE = 100_000  # rows
BATCH = 20_000  # rows


class Undone(NamedTuple):
    """What one call has removed, and the upload's status after it: ``undoing`` if a worker continues."""

    removed_contacts: int
    removed_waiting: int
    status: str


@transaction.atomic
def undo_upload(*, upload: FileMetadata) -> Undone:
    """Remove every contact and waiting row of ``upload``, now or, if there are more than ``AT_ONCE``, by a worker.

    An upload that is undone already stays as it is. Raises NotFound, and NotFinished while the upload is imported.
    """
    locked = lock_finished(upload)
    if locked.undo_requested_at:
        return Undone(0, 0, locked.status)
    if locked.accepted + locked.deferred > AT_ONCE:
        FileMetadata.objects.filter(pk=locked.pk).update(undo_requested_at=Now())
        # An earlier undo may have failed.
        UploadUndo.objects.filter(upload=locked).delete()
        UploadUndo.objects.create(upload=locked)
        locked.refresh_from_db()
        notify_owner(locked)
        enqueue(UploadUndo)
        details = {"rows": locked.accepted + locked.deferred}  # a worker removes those that still exist
        audit.record("contacts_upload_undone", user=locked.owner, target=locked, details=details)
        return Undone(0, 0, locked.status)
    waiting = delete_waiting(UnprocessedContact.objects.filter(upload=locked))
    contacts = Contact.objects.filter(upload=locked).delete()[0]
    _record(locked, contacts, waiting, finished=True)
    removed = {"removed_contacts": contacts, "removed_waiting": waiting}
    audit.record("contacts_upload_undone", user=locked.owner, target=locked, details=removed)
    return Undone(contacts, waiting, UploadStatus.UNDONE)


def run_due_undos(*, batch_rows: int = BATCH) -> int:
    """Run the due undos, ``batch_rows`` rows in a transaction, and return how many batches were removed."""
    return runner.run_due(
        UploadUndo.objects.all(),
        lambda job: _remove_batch(job, batch_rows),
        limit=500,
        lock_first=lock_window_of_job,
        on_failed=_allow_another_undo,
    )


def _remove_batch(job: UploadUndo, batch_rows: int) -> None:
    """Remove up to ``batch_rows`` rows. The job is done once nothing was left, and due again otherwise."""
    upload = FileMetadata.objects.select_for_update().get(pk=job.upload_id)
    waiting = contacts = 0
    # Waiting rows first: a release cannot store them as contacts behind the worker's back.
    if ids := list(UnprocessedContact.objects.filter(upload=upload).order_by("row").values_list("pk")[:batch_rows]):
        waiting = delete_waiting(UnprocessedContact.objects.filter(pk__in=[pk for (pk,) in ids]))
    elif ids := list(Contact.objects.filter(upload=upload).order_by("row").values_list("pk")[:batch_rows]):
        contacts = Contact.objects.filter(pk__in=[pk for (pk,) in ids]).delete()[0]
    finished = not ids
    if finished:
        job.finish()
    else:
        # The batch has succeeded, so the next one begins with all attempts.
        UploadUndo.objects.filter(pk=job.pk).update(attempts=0, due_at=Now())
    _record(upload, contacts, waiting, finished=finished)


def _record(upload: FileMetadata, contacts: int, waiting: int, *, finished: bool) -> None:
    """Add to the counts of ``upload``, mark it undone if ``finished``, and notify its owner."""
    ended = {"undo_requested_at": Now(), "undone_at": Now()} if finished else {}
    FileMetadata.objects.filter(pk=upload.pk).update(
        removed_contacts=F("removed_contacts") + contacts, removed_waiting=F("removed_waiting") + waiting, **ended
    )
    upload.refresh_from_db()
    notify_owner(upload)


def _allow_another_undo(job: UploadUndo) -> None:
    """Give the upload its earlier state back after the undo has failed: its owner can request the undo again."""
    FileMetadata.objects.filter(pk=job.upload_id).update(undo_requested_at=None)
    notify_owner(FileMetadata.objects.get(pk=job.upload_id))
