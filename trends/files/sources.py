"""Open the bytes of a run: an uploaded file from the storage, or a claimed file of the watched folder."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, BinaryIO

from django.core.files import File
from django.core.files.storage import default_storage
from django.utils import timezone

from config.api.errors import OUTAGES
from config.jobs import runner

from ..models import ImportRun
from . import watched_folder
from .archive import BackupCopy

LOST = timedelta(hours=1)  # after which a run without its file fails
UNAVAILABLE = (OSError, *OUTAGES)


@dataclass
class Source:
    """The bytes of a run, on this machine's disk, at their beginning."""

    file: BinaryIO
    digest: str
    size: int
    claimed: watched_folder.ClaimedFile | None = None
    backup: BackupCopy | None = None

    def publish_backup(self, name: str) -> str:
        """Store the file of the watched folder in the backup folder; returns its name there, or an empty text."""
        if self.backup is None:
            return ""
        try:
            return self.backup.publish(name, self.digest)
        except OSError as error:
            raise _backup_unavailable(error) from error


@contextmanager
def open_source(run: ImportRun) -> Iterator[Source]:
    """Open the bytes of ``run``; raises runner.Postpone if they cannot be reached, runner.GiveUp if they are gone."""
    if run.origin == ImportRun.Origin.INBOX:
        with _open_claimed(run) as source:
            yield source
        return
    with TemporaryFile() as file:
        try:
            with default_storage.open(run.key) as stored:
                size, digest = _copy(stored, file)
        except FileNotFoundError as error:
            raise runner.GiveUp("The file is no longer in the storage.") from error
        except UNAVAILABLE as error:
            raise runner.Postpone(f"The storage does not respond: {error}") from error
        file.seek(0)
        yield Source(file, digest, size)


@contextmanager
def _open_claimed(run: ImportRun) -> Iterator[Source]:
    claimed = watched_folder.find(run.token)
    if claimed is None:
        if timezone.now() - run.created_at > LOST:
            raise runner.GiveUp("The file is gone from the work folder.")
        raise runner.Postpone("The file is not in the work folder of this machine.")
    try:
        original = claimed.path.open("rb")
    except PermissionError as error:
        raise runner.GiveUp("The file cannot be read: its permissions forbid it.") from error
    with original:
        before = _state(claimed.path)
        try:
            backup = BackupCopy(run.token)
        except OSError as error:
            raise _backup_unavailable(error) from error
        try:
            # The copy is what is parsed: rows and backup have the same bytes, whatever happens to the original.
            try:
                size, digest = _copy(original, backup.file)
                backup.sync()
            except OSError as error:
                raise _backup_unavailable(error) from error
            if _state(claimed.path) != before:
                raise runner.Postpone("The file changed while it was read.")
            yield Source(backup.file, digest, size, claimed, backup)
        finally:
            backup.discard()


def _backup_unavailable(error: OSError) -> runner.Postpone:
    return runner.Postpone(f"The backup folder cannot be written: {error.strerror or error}")


def _state(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _copy(source: IO[bytes] | File, target: IO[bytes]) -> tuple[int, str]:
    """Copy all of ``source`` to ``target``; returns the size in bytes and the SHA-256 in hex."""
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(1 << 20):
        target.write(chunk)
        digest.update(chunk)
        size += len(chunk)
    target.flush()
    return size, digest.hexdigest()
