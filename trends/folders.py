"""The watched folder and the ones beside it.

    inbox/              people and programs put files here
    work/<token>/       what one worker has taken, under the token of its run (inbox/.work where the inbox is a mount)
    quarantine/         what could not be imported, each with its report (inbox/quarantine where the inbox is a mount)
    backup/             what was imported, byte for byte (TRENDS_BACKUP, on whatever file system)

A file is always in one of them: it is taken by a rename, which one worker wins, and is removed from the work folder
only once the commit has told what became of it and its bytes lie in backup or quarantine.
"""

import errno
import fcntl
import os
import signal
import stat
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

import structlog
from django.conf import settings
from django.core.files import File

logger = structlog.get_logger(__name__)

ABANDONED = 60  # seconds after which an empty folder in work/ is one that a killed worker left


class Taken(NamedTuple):
    """A file in the work folder; ``token`` is its run's."""

    token: uuid.UUID
    path: Path

    @property
    def name(self) -> str:
        """The file's name as text: names on disk are bytes, and not always UTF-8."""
        return os.fsencode(self.path.name).decode(errors="replace")


def take_settled() -> list[Taken]:
    """Move what nobody writes to any more out of the inbox, and return what this call has moved."""
    inbox = settings.TRENDS_INBOX
    inbox.mkdir(mode=0o755, parents=True, exist_ok=True)
    taken = []
    with os.scandir(inbox) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.name.lower().endswith(".csv"):
                continue
            try:
                if found := _take(Path(entry.path)):
                    taken.append(found)
            except OSError as error:  # this file's trouble; the others are taken all the same
                logger.warning("inbox_file_left", file=entry.name, error=str(error))
    return taken


def _take(path: Path) -> Taken | None:
    before = path.lstat()
    if not stat.S_ISREG(before.st_mode) or not _settled(before):
        return None
    handle = None
    with suppress(PermissionError):  # taken all the same, so that it ends in quarantine with its reason
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # The lease stands while the file is renamed: whoever opens it for writing now waits for the end of this block.
        if handle is not None and _is_being_written(handle):
            return None
        found = _move(path)
    finally:
        if handle is not None:
            os.close(handle)
    if found and _identity(found.path.lstat()) != _identity(before):
        _put_back(found, path)
        return None
    return found


def _settled(status: os.stat_result) -> bool:
    """Unchanged for TRENDS_SETTLE seconds. Any write moves ctime, which, unlike mtime, nobody can set back."""
    now = time.time()
    changed = max(status.st_ctime, min(status.st_mtime, now))
    return now - changed >= settings.TRENDS_SETTLE


def _is_being_written(handle: int) -> bool:
    """Whether somebody has the file open for writing; where the file system can say so, it refuses a read lease."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        # A broken lease is announced by SIGIO, which ends the process; SIGURG is ignored unless asked for.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _move(path: Path) -> Taken | None:
    """Rename ``path`` into a work folder; None if another worker was quicker."""
    token = uuid.uuid4()
    for work in work_folders():
        folder = work / token.hex
        try:
            folder.mkdir(mode=0o755, parents=True)
            path.rename(folder / path.name)
        except FileNotFoundError:
            _remove_empty(folder)
            return None
        except OSError as error:
            _remove_empty(folder)
            # A mounted inbox is a file system of its own, and what is beside it another one.
            if error.errno not in (errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS) or work == work_folders()[-1]:
                raise
        else:
            return Taken(token, folder / path.name)
    return None


def _put_back(taken: Taken, path: Path) -> None:
    """Another file came under the same name between the look and the rename: it has to settle like any other."""
    with suppress(OSError):  # a third one has come meanwhile, or there are no hard links: then this one is imported
        os.link(taken.path, path)
        remove(taken)


def work_folders() -> tuple[Path, Path]:
    """Beside the inbox, or inside it where beside is another file system."""
    inbox = settings.TRENDS_INBOX
    return inbox.parent / "work", inbox / ".work"


def quarantine_folder() -> Path:
    """Beside the inbox; inside it where the inbox is a mount, and what is beside it may not outlive a container."""
    inbox = settings.TRENDS_INBOX
    return (inbox if inbox.is_mount() else inbox.parent) / "quarantine"


def in_work() -> Iterator[Taken]:
    """Every file in the work folders; empty ones that a killed worker left are removed."""
    for work in work_folders():
        if not work.is_dir():
            continue
        for folder in sorted(work.iterdir()):
            try:
                token = uuid.UUID(folder.name)
                files = list(folder.iterdir())
                if files:
                    yield Taken(token, files[0])
                elif time.time() - folder.stat().st_mtime > ABANDONED:
                    _remove_empty(folder)
            except (ValueError, OSError):  # not ours, or removed by another worker meanwhile
                continue


def find(token: uuid.UUID) -> Taken | None:
    """The file in work of the run with ``token``, or None if it is not on this machine."""
    for work in work_folders():
        with suppress(OSError):
            for path in (work / token.hex).iterdir():
                return Taken(token, path)
    return None


def remove(taken: Taken) -> None:
    """Remove this one file, whose bytes are safe elsewhere."""
    taken.path.unlink(missing_ok=True)
    _remove_empty(taken.path.parent)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


class Copy:
    """A file being copied into ``folder``: hidden and unfinished until :meth:`keep` gives it its name."""

    def __init__(self, folder: Path, token: uuid.UUID) -> None:
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.folder = folder
        self.part = folder / f".{token.hex}.part"  # a next attempt writes over what a killed one has left
        self.file: BinaryIO = self.part.open("w+b")

    def sync(self) -> None:
        """On the disk, and ready to be read from the beginning."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.seek(0)

    def keep(self, name: str, digest: str) -> str:
        """Give it ``name``, or one with the digest in it where that is taken by other bytes. Returns the name given.

        The same bytes are kept once however often they come, and nothing that is kept is ever written over.
        """
        for target in (self.folder / name, self.folder / marked(name, digest[:16])):
            try:
                os.link(self.part, target)
                break
            except FileExistsError:
                if _same_bytes(self.part, target):
                    break
            except OSError as error:
                logger.info("no_hard_links", folder=str(self.folder), error=str(error))
        else:
            self.part.rename(target)  # without hard links: equal names mean equal bytes here
        self.discard()
        _sync_folder(self.folder)
        return target.name

    def discard(self) -> None:
        self.file.close()
        self.part.unlink(missing_ok=True)


def marked(name: str, mark: str) -> str:
    """``report.csv`` with ``mark``: ``report.<mark>.csv``, short enough for any file system."""
    stem, dot, suffix = name.rpartition(".")
    while len(os.fsencode(stem)) > 180:
        stem = stem[:-1]
    return f"{stem or name[:60]}.{mark}{dot}{suffix if dot else ''}"


def quarantine(name: str, report: Iterator[str], *, taken: Taken | None, stream: BinaryIO | File | None) -> None:
    """Put the file of ``taken`` (or ``stream``'s bytes) into quarantine as ``name``, with its report beside it."""
    folder = quarantine_folder()
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    _write(folder / f"{name}.report.txt", (line.encode() for line in report))
    target = folder / name
    if taken:
        with suppress(OSError):  # a second name for the same bytes needs no room on a full disk
            target.unlink(missing_ok=True)
            os.link(taken.path, target)
            return
        with taken.path.open("rb") as source:
            _write(target, iter(lambda: source.read(1 << 20), b""))
    elif stream:
        _write(target, iter(lambda: stream.read(1 << 20), b""))
    _sync_folder(folder)


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
    """Names are safe once their folder is on the disk too; some network file systems cannot be asked for that."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
