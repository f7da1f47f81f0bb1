"""Backup and quarantine: the folders in which files of the watched folder end."""

import os
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import structlog
from django.conf import settings
from django.core.files import File

from .watched_folder import ClaimedFile

logger = structlog.get_logger(__name__)


class BackupCopy:
    """A copy that is being written to the backup folder: hidden until :meth:`publish` gives it its name."""

    def __init__(self, token: uuid.UUID) -> None:
        self.folder: Path = settings.TRENDS_BACKUP
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.part = self.folder / f".{token.hex}.part"  # the next attempt overwrites the copy of a killed worker
        self.file: BinaryIO = self.part.open("w+b")

    def sync(self) -> None:
        """Write the copy to the disk and go back to its beginning."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.seek(0)

    def publish(self, name: str, digest: str) -> str:
        """Give the copy ``name``, or one that contains ``digest`` if other bytes have that name; returns the name.

        The same bytes are stored once, and no backup is ever overwritten.
        """
        for target in (self.folder / name, self.folder / marked(name, digest[:16])):
            try:
                os.link(self.part, target)
                break
            except FileExistsError:
                if _same_bytes(self.part, target):
                    break
            except OSError as error:
                logger.info("hard_links_not_supported", folder=str(self.folder), error=str(error))
        else:
            self.part.rename(target)  # without hard links; the name contains the digest
        self.discard()
        _sync_folder(self.folder)
        return target.name

    def discard(self) -> None:
        """Delete the copy unless it was published."""
        self.file.close()
        self.part.unlink(missing_ok=True)


def quarantine_folder() -> Path:
    """Return the folder beside the inbox, or inside an inbox that is a mount, so that it outlives a container."""
    inbox = settings.TRENDS_INBOX
    return (inbox if inbox.is_mount() else inbox.parent) / "quarantine"


def quarantine(
    name: str, report: Iterator[str], *, claimed: ClaimedFile | None, stream: BinaryIO | File | None
) -> None:
    """Store the file of ``claimed``, or the bytes of ``stream``, in quarantine as ``name`` with ``report`` beside it.

    Raises OSError if the folder cannot be written.
    """
    folder = quarantine_folder()
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    _write(folder / f"{name}.report.txt", (line.encode() for line in report))
    target = folder / name
    if claimed:
        with suppress(OSError):  # a second name for the same bytes needs no space on a full disk
            target.unlink(missing_ok=True)
            os.link(claimed.path, target)
            return
        with claimed.path.open("rb") as source:
            _write(target, iter(lambda: source.read(1 << 20), b""))
    elif stream:
        _write(target, iter(lambda: stream.read(1 << 20), b""))
    _sync_folder(folder)


def marked(name: str, mark: str) -> str:
    """Return ``report.<mark>.csv`` for ``report.csv``, short enough for any file system."""
    stem, dot, suffix = name.rpartition(".")
    while len(os.fsencode(stem)) > 180:
        stem = stem[:-1]
    return f"{stem or name[:60]}.{mark}{dot}{suffix if dot else ''}"


def _write(target: Path, chunks: Iterator[bytes]) -> None:
    part = target.with_name(f".{target.name}.part")
    with part.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    part.replace(target)


def _same_bytes(one: Path, other: Path) -> bool:
    try:
        if one.stat().st_size != other.stat().st_size:
            return False
        with one.open("rb") as a, other.open("rb") as b:
            return all(x == b.read(len(x)) for x in iter(lambda: a.read(1 << 20), b""))
    except OSError:
        return False


def _sync_folder(folder: Path) -> None:
    """Write the folder's names to the disk; some network file systems do not support it."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
