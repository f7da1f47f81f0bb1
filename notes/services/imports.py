"""Import Google Keep archives: store the upload, then create its notes in steps."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from config import audit, storage
from config.api.errors import PayloadTooLarge, attr_error
from config.db.batches import delete_batch
from config.jobs import runner
from config.jobs.enqueue import enqueue
from config.realtime import events

from ..label_names import label_key
from ..models import MAX_LABELS_PER_USER, Label, Membership, MembershipLabel, Note, NoteImport, Role
from ..takeout.archive import CHOOSE_ZIP, BadArchive, note_entries, open_archive
from ..takeout.keep import KeepNote, note_digest
from ..takeout.reader import Batch, problem, read_batch
from . import quota
from .events import invalidate_user, notify_members

STEP = 250  # notes per transaction
STEP_BYTES = 12 * 2**20  # unpacked bytes per transaction; storing them needs twelve times as much memory
MAX_PROBLEMS = 100
NO_NOTES = f"The archive contains no notes. {CHOOSE_ZIP}"


class ArchiveTooLarge(PayloadTooLarge):
    default_detail = (
        f"The archive is larger than {settings.NOTES_IMPORT_MAX_MB} MB. Export it again from Takeout in smaller parts."
    )


@transaction.atomic
def start_import(*, user: User, file: UploadedFile, key: str) -> NoteImport:
    """Store ``file`` under the provisional ``key`` and queue its import.

    Raises ArchiveTooLarge, and a validation error if the file is not a Keep archive.
    """
    archive: Any = file.file
    size = file.size or 0
    if size > settings.NOTES_IMPORT_MAX_MB * 2**20:
        raise ArchiveTooLarge
    try:
        if not note_entries(open_archive(archive)):
            raise BadArchive("no_notes", NO_NOTES)
    except BadArchive as error:
        raise attr_error("file", str(error), error.code) from error
    file.seek(0)
    storage.save(key, file)
    name = "".join(char for char in (file.name or "") if char.isprintable())[-255:] or "archive.zip"
    row = NoteImport.objects.create(user=user, name=name, size=size, file=key)
    storage.confirm(key)
    enqueue(NoteImport)
    audit.record("notes_imported", user=user, target=row, details={"size": size})
    row.refresh_from_db()
    return row


def delete_expired_imports() -> int:
    """Delete a batch of imports that ended more than ``IMPORT_DAYS`` ago; their notes stay. Return how many."""
    if not settings.IMPORT_DAYS:
        return 0
    return delete_batch(NoteImport.objects.filter(finished_at__lt=Now() - timedelta(days=settings.IMPORT_DAYS)))


def import_archives(
    *, limit: int = 100, step: int = STEP, step_bytes: int = STEP_BYTES, time_slice: float = runner.TIME_SLICE
) -> int:
    """Run up to ``limit`` due imports and return how many ended successfully. Arguments as for ``runner.run_steps``."""
    steps = partial(_steps, size=step, max_bytes=step_bytes)
    return runner.run_steps(
        NoteImport.objects.all(), steps, limit=limit, time_slice=time_slice, on_changed=_discard_archive_at_end
    )


def _steps(row: NoteImport, *, size: int, max_bytes: int) -> Generator[runner.Hook, None, None]:
    try:
        with _local_copy(row.file) as file:
            archive = open_archive(file)
            entries, cursor = note_entries(archive), row.cursor
            others = sum(not entry.is_dir() for entry in archive.infolist()) - len(entries)
            while cursor < len(entries):
                batch = read_batch(archive, entries[cursor : cursor + size], max_bytes)
                cursor += batch.count
                yield partial(_store_batch, batch=batch, total=len(entries), others=others)
            if not NoteImport.objects.filter(pk=row.pk, processed__gt=0).exists():
                raise BadArchive("no_notes", NO_NOTES)
    except FileNotFoundError as error:
        raise runner.GiveUp("The archive is no longer in the storage.") from error
    except BadArchive as error:
        raise runner.GiveUp(str(error), code=error.code) from error
    except (OSError, BotoCoreError, ClientError) as error:
        raise runner.Postpone(f"The storage does not answer: {error}") from error


@contextmanager
def _local_copy(key: str) -> Iterator[IO[bytes]]:
    with tempfile.SpooledTemporaryFile(max_size=16 * 2**20) as local:
        with default_storage.open(key) as remote:
            shutil.copyfileobj(remote, local)
        yield local


def _store_batch(row: NoteImport, *, batch: Batch, total: int, others: int) -> None:
    if row.cursor == 0:
        row.total, row.ignored = total, others
    stored = store_notes(row.user, batch.notes)
    row.cursor += batch.count
    row.total -= batch.ignored
    row.ignored += batch.ignored
    row.processed += batch.count - batch.ignored
    row.created += stored.created
    row.updated += stored.updated
    row.duplicates += len(batch.notes) - stored.created - stored.updated - stored.rejected
    row.rejected += batch.rejected + stored.rejected
    row.problems = (row.problems + batch.problems + stored.problems)[:MAX_PROBLEMS]
    row.save()


def _discard_archive_at_end(row: NoteImport) -> None:
    if row.done_at or row.failed_at:
        storage.discard(row.file)


@dataclass
class Stored:
    """What became of the notes of a batch; the rest of them are duplicates."""

    created: int = 0
    updated: int = 0
    rejected: int = 0
    problems: list[dict[str, str]] = field(default_factory=list)


def store_notes(user: User, notes: Sequence[KeepNote]) -> Stored:
    """Create the notes that ``user`` does not have, and update those that were changed in Keep but not here.

    Call it inside a transaction. The user is locked, so that two concurrent imports do not create a note twice. Raises
    Postpone if the user is locked already: the deletion of an account holds that lock and waits for this import.
    """
    if User.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=user.pk).first() is None:
        raise runner.Postpone("The account is being changed.", delay=timedelta(seconds=1))
    stored = Stored()
    known = _known_digests(user, notes)
    new = {note.digest: note for note in notes if note.digest not in known}
    new = _update_earlier_imports(user, new, {note.digest for note in notes}, stored)
    new = _reject_beyond_quota(user, new, stored)
    _create_notes(user, new, stored)
    if stored.created:
        events.publish([user.pk], "resync", {})  # not one for each note
    invalidate_user(user)
    return stored


def _create_notes(user: User, new: dict[bytes, KeepNote], stored: Stored) -> None:
    now = timezone.now()
    rows = Note.objects.bulk_create(
        Note(
            owner=user,
            title=note.title,
            body=note.body,
            items=note.items,
            color=note.color,
            # The days in the trash start now, not when the note was trashed in Keep.
            trashed_at=now if note.trashed else None,
            created_at=note.created_at or now,
            updated_at=note.updated_at or now,
            import_digest=digest,
            import_version=1,
        )
        for digest, note in new.items()
    )
    memberships = Membership.objects.bulk_create(
        Membership(
            user=user,
            note=row,
            role=Role.OWNER,
            pinned=note.pinned,
            archived=note.archived,
            trashed=note.trashed,
            updated_at=row.updated_at,
        )
        for row, note in zip(rows, new.values(), strict=True)
    )
    stored.created = len(rows)
    _attach_labels(user, list(zip(memberships, new.values(), strict=True)), stored)


def _update_earlier_imports(
    user: User, new: dict[bytes, KeepNote], digests: set[bytes], stored: Stored
) -> dict[bytes, KeepNote]:
    """Update the notes that an earlier import created and that changed in Keep; return the notes that remain.

    The creation time identifies a note of Keep. A note that was edited here since its import is not changed.
    """
    earlier: dict[datetime, list[Note]] = {}
    ages = {note.created_at for note in new.values() if note.created_at}
    imported = Note.objects.filter(owner=user, created_at__in=ages).exclude(import_digest=None)
    rows = list(imported.select_for_update(skip_locked=True, no_key=True).defer("search_text"))
    if len(rows) < imported.count():
        raise runner.Postpone("A note is being changed.", delay=timedelta(seconds=1))
    for row in rows:
        if bytes(row.import_digest or b"") not in digests:
            earlier.setdefault(row.created_at, []).append(row)
    changed_in_keep = Counter(note.created_at for note in new.values())
    remaining, labelled = {}, []
    for digest, note in new.items():
        rows = earlier.get(note.created_at, []) if note.created_at else []
        if len(rows) != 1 or changed_in_keep[note.created_at] != 1:
            remaining[digest] = note
        elif rows[0].version != (rows[0].import_version or 1):
            detail = "The note was changed in Keep and here since the last import. It was left unchanged."
            stored.problems.append(problem(note.file, "edited_here", detail))
        else:
            labelled.append((_update_from_keep(user, rows[0], digest, note), note))
    stored.updated = len(labelled)
    _attach_labels(user, labelled, stored)
    return remaining


def _update_from_keep(user: User, row: Note, digest: bytes, note: KeepNote) -> Membership:
    version = row.version + 1
    changes = {"title": note.title, "body": note.body, "items": note.items, "color": note.color}
    Note.objects.filter(pk=row.pk).update(
        **changes, version=version, import_version=version, import_digest=digest, updated_at=note.updated_at
    )
    Membership.objects.filter(note=row).update(updated_at=note.updated_at)
    notify_members(by=user, note_ids=[row.pk], action="changed")
    return Membership.objects.get(note=row, user=user)


def _reject_beyond_quota(user: User, new: dict[bytes, KeepNote], stored: Stored) -> dict[bytes, KeepNote]:
    """Return the notes that fit into the user's quota; the others are problems."""
    room = quota.room_of(user)
    accepted = {}
    for digest, note in new.items():
        if room.take(quota.content_size(note.title, note.body, note.items)):
            accepted[digest] = note
        else:
            stored.problems.append(problem(note.file, "quota_exceeded", quota.QuotaExceeded.default_detail))
    stored.rejected = len(new) - len(accepted)
    return accepted


def _known_digests(user: User, notes: Sequence[KeepNote]) -> set[bytes]:
    """Return the digests of notes that exist: imported before, or created here and exported."""
    own = Note.objects.filter(owner=user)
    imported = own.filter(import_digest__in=[note.digest for note in notes]).values_list("import_digest", flat=True)
    same_age = own.filter(created_at__in={note.created_at for note in notes if note.created_at})
    contents = same_age.values_list("created_at", "title", "body", "items")
    return {bytes(digest) for digest in imported if digest} | {note_digest(*content) for content in contents}


def _attach_labels(user: User, notes: Sequence[tuple[Membership, KeepNote]], stored: Stored) -> None:
    labels = _labels_by_key(user, (note for _, note in notes), stored)
    MembershipLabel.objects.bulk_create(
        (
            MembershipLabel(membership=membership, label_id=labels[label_key(name)])
            for membership, note in notes
            for name in note.labels
            if label_key(name) in labels
        ),
        ignore_conflicts=True,
    )


def _labels_by_key(user: User, notes: Iterable[KeepNote], stored: Stored) -> dict[str, int]:
    """Return the ids of the user's labels by key, after creating the missing ones up to MAX_LABELS_PER_USER."""
    wanted: dict[str, str] = {}
    for name in (name for note in notes for name in note.labels):
        wanted.setdefault(label_key(name), name)
    if not wanted:
        return {}
    # Locked, as in every service that attaches labels: a label that is being deleted is gone afterwards.
    labels = dict(Label.objects.visible_to(user).for_attaching().values_list("key", "pk"))
    missing = [name for key, name in wanted.items() if key not in labels]
    room = max(MAX_LABELS_PER_USER - len(labels), 0)
    created: list[Any] = Label.objects.bulk_create(
        Label(owner=user, name=name, key=label_key(name)) for name in missing[:room]
    )
    labels.update({label.key: label.pk for label in created})
    detail = f"You can have at most {MAX_LABELS_PER_USER:,} labels. The notes were imported without this label."
    stored.problems += [problem(name, "too_many_labels", detail) for name in missing[room:]]
    return labels
