"""Reading a Google Keep archive: a row, an archive in the storage, and steps of some hundred notes.

Each step is one transaction: its notes, and how far the archive is read. Whatever ends a worker between two steps, the
next one goes on where the last step ended; a note that is there already is not made again.
"""

import shutil
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, BinaryIO

from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from accounts.models import User
from config import claims, storage
from config.celery import wake
from config.errors import PayloadTooLarge, attr_error

from .. import archives, keep, tasks
from ..models import MAX_LABELS_A_PERSON, Label, Membership, MembershipLabel, Note, NoteImport, Role
from ..text import label_key
from .access import forget_reads

STEP = 250  # notes a transaction, or fewer
STEP_BYTES = 12 * 2**20  # unpacked; to store them takes twelve times as much memory
MAX_PROBLEMS = 100
# What Takeout puts beside the notes: pages of the same notes, the labels' list, pictures, sounds.
BESIDE_NOTES = (
    ".html",
    ".txt",
    ".csv",
    ".jpg",
    ".jpeg",
    ".png",
    ".gif",
    ".webp",
    ".3gp",
    ".amr",
    ".m4a",
    ".mp4",
    ".svg",
)


class ArchiveTooLarge(PayloadTooLarge):
    default_detail = f"An archive may have {settings.NOTES_IMPORT_MAX_MB} MB. Takeout can split it into smaller ones."


@transaction.atomic
def start_import(*, user: User, file: UploadedFile, key: str) -> NoteImport:
    """Store ``file`` under ``key``, which is provisional, and have a worker read it.

    Raises ArchiveTooLarge; what is no archive is a validation error.
    """
    archive: Any = file.file
    size = file.size or 0
    if size > settings.NOTES_IMPORT_MAX_MB * 2**20:
        raise ArchiveTooLarge
    try:
        if not _notes_in(archives.open_checked(archive)):
            raise archives.BadArchive(
                "no_notes", "There is no note in this archive. Upload the zip that Takeout makes of Keep."
            )
    except archives.BadArchive as error:
        raise attr_error("file", str(error), error.code) from error
    file.seek(0)
    storage.save(key, file)
    name = "".join(char for char in (file.name or "") if char.isprintable())[-255:] or "archive.zip"
    row = NoteImport.objects.create(user=user, name=name, size=size, file=key)
    storage.keep(key)
    wake(tasks.import_notes)
    row.refresh_from_db()
    return row


def work_on_imports(limit: int = 2000) -> int:
    """Take up to ``limit`` steps of the imports that are waiting; returns how many."""
    return claims.work_through(NoteImport.objects.all(), _step, limit=limit, on_failed=_failed)


def _step(row: NoteImport) -> None:
    try:
        with tempfile.SpooledTemporaryFile(max_size=16 * 2**20) as local:
            with default_storage.open(row.file) as remote:
                shutil.copyfileobj(remote, local)
            _read_some(row, local)  # type: ignore[arg-type]
    except FileNotFoundError as error:
        raise claims.GiveUp("The archive is no longer in the storage.") from error
    except archives.BadArchive as error:
        raise claims.GiveUp(str(error)) from error
    except (OSError, BotoCoreError, ClientError) as error:
        raise claims.Postpone(f"The storage does not answer: {error}") from error


def _read_some(row: NoteImport, file: BinaryIO) -> None:
    archive = archives.open_checked(file)
    names = _notes_in(archive)
    taken, notes, problems = _parse(archive, names[row.processed : row.processed + STEP])
    if row.processed == 0:
        strays = _strays(archive)
        problems = [problem(name, "stray_file", "This is no part of a Keep archive.") for name in strays] + problems
        row.rejected += len(strays)
        row.ignored = len(archive.infolist()) - len(names) - len(strays)
    created, unlabelled = store_notes(row.user, notes)
    problems += unlabelled
    row.total = len(names)
    row.processed += taken
    row.created += created
    row.duplicates += len(notes) - created
    row.rejected += taken - len(notes)
    row.problems = (row.problems + problems)[:MAX_PROBLEMS]
    over = row.processed >= row.total
    row.status = NoteImport.Status.PROCESSING
    if over:
        row.status = NoteImport.Status.COMPLETED_WITH_ERRORS if row.rejected else NoteImport.Status.COMPLETED
    row.attempts = 0  # the next step has its own
    row.due_at = Now()
    row.save()
    if over:
        row.finish(finished_at=Now())
        storage.discard(row.file)


def _failed(row: NoteImport) -> None:
    NoteImport.objects.filter(pk=row.pk).update(status=NoteImport.Status.FAILED, finished_at=Now())
    storage.discard(row.file)


def _notes_in(archive: zipfile.ZipFile) -> list[str]:
    """In an order that is the same at each step."""
    return sorted({entry.filename for entry in archive.infolist() if archives.is_json(entry)})


def _strays(archive: zipfile.ZipFile) -> list[str]:
    files = (entry for entry in archive.infolist() if not entry.is_dir() and not archives.is_json(entry))
    return [entry.filename for entry in files if not entry.filename.lower().endswith(BESIDE_NOTES)]


def _parse(archive: zipfile.ZipFile, names: Iterable[str]) -> tuple[int, list[keep.KeepNote], list[dict[str, str]]]:
    """Of ``names`` the first that a step may hold: how many these are, their notes, and what is wrong with others."""
    taken, size = 0, 0
    notes, problems = [], []
    for name in names:
        if size >= STEP_BYTES:
            break
        taken += 1
        try:
            content = archives.read(archive, name)
            size += len(content)
            notes.append(keep.parse(content))
        except (keep.NotANote, archives.BadArchive) as error:
            problems.append(problem(name, error.code, str(error)))
    return taken, notes, problems


def problem(file: str, code: str, detail: str) -> dict[str, str]:
    printable = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in file)
    return {"file": printable[-200:], "code": code, "detail": detail}


def store_notes(user: User, notes: Sequence[keep.KeepNote]) -> tuple[int, list[dict[str, str]]]:
    """Make those of ``notes`` that ``user`` has not had imported before; returns how many, and what went wrong.

    Call it inside a transaction. The person is locked, so that two imports at once do not make the same note twice.
    Raises Postpone where somebody else has the lock: the deletion of an account holds it and waits for this import.
    """
    if User.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=user.pk).first() is None:
        raise claims.Postpone("The person's account was being changed.", delay=timedelta(seconds=1))
    known = _known(user, notes)
    fresh = {note.digest: note for note in notes if note.digest not in known}
    now = timezone.now()
    rows = Note.objects.bulk_create(
        Note(
            owner=user,
            title=note.title,
            body=note.body,
            items=note.items,
            color=note.color,
            # The seven days in the trash begin here, however long ago it was thrown away there.
            trashed_at=now if note.trashed else None,
            created_at=note.created_at or now,
            updated_at=note.updated_at or now,
            import_digest=digest,
        )
        for digest, note in fresh.items()
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
        for row, note in zip(rows, fresh.values(), strict=True)
    )
    labels, problems = _labels(user, fresh.values())
    MembershipLabel.objects.bulk_create(
        MembershipLabel(membership=membership, label_id=labels[label_key(name)])
        for membership, note in zip(memberships, fresh.values(), strict=True)
        for name in note.labels
        if label_key(name) in labels
    )
    forget_reads(user)
    return len(rows), problems


def _known(user: User, notes: Sequence[keep.KeepNote]) -> set[bytes]:
    """The digests of notes that are there already: imported before, or written here and then exported."""
    own = Note.objects.filter(owner=user)
    imported = own.filter(import_digest__in=[note.digest for note in notes]).values_list("import_digest", flat=True)
    made = own.filter(created_at__in={note.created_at for note in notes if note.created_at})
    written = made.values_list("created_at", "title", "body", "items")
    return {bytes(digest) for digest in imported if digest} | {keep.digest_of(*said) for said in written}


def _labels(user: User, notes: Iterable[keep.KeepNote]) -> tuple[dict[str, int], list[dict[str, str]]]:
    """The user's labels by their keys, with those made that the notes bear and that there is still room for."""
    wanted: dict[str, str] = {}
    for name in (name for note in notes for name in note.labels):
        wanted.setdefault(label_key(name), name)
    if not wanted:
        return {}, []
    labels: dict[str, int] = dict(Label.objects.visible_to(user).values_list("key", "pk"))
    missing = [name for key, name in wanted.items() if key not in labels]
    room = max(MAX_LABELS_A_PERSON - len(labels), 0)
    made: list[Any] = Label.objects.bulk_create(
        Label(owner=user, name=name, key=label_key(name)) for name in missing[:room]
    )
    labels.update({label.key: label.pk for label in made})
    detail = f"You have {MAX_LABELS_A_PERSON:,} labels, which is the most; the notes came without this one."
    return labels, [problem(name, "too_many_labels", detail) for name in missing[room:]]
