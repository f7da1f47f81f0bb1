"""The watched folder (inbox) and the work folder beside it.

    inbox/              people and programs put files here
    work/<token>/       a file that a worker has claimed; the token is its run's (inbox/.work if the inbox is a mount)
    quarantine/         files that were not imported, each with a report (inbox/quarantine if the inbox is a mount)
    backup/             files that were imported, byte for byte (TRENDS_BACKUP, on any file system)

A file is always in one of them. A worker claims it with a rename, which only one worker can win. It leaves the work
folder after the commit that ends its run, and by then its bytes are in backup or quarantine.
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
from typing import NamedTuple

import structlog
from django.conf import settings

logger = structlog.get_logger(__name__)

ABANDONED = 60  # seconds after which an empty folder in work/ is removed


class ClaimedFile(NamedTuple):
    """A file in the work folder; ``token`` is its run's."""

    token: uuid.UUID
    path: Path

    @property
    def name(self) -> str:
        """The file's name as text. Names on disk are bytes and not always UTF-8."""
        return os.fsencode(self.path.name).decode(errors="replace")


def scan_inbox() -> dict[Path, str]:
    """Return the files in the inbox that may be imported, each with a text that changes whenever the file does."""
    inbox = settings.TRENDS_INBOX
    inbox.mkdir(mode=0o755, parents=True, exist_ok=True)
    found = {}
    with os.scandir(inbox) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.name.lower().endswith(".csv"):
                with suppress(FileNotFoundError):  # another worker has claimed it
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(status.st_mode):
                        found[Path(entry.path)] = _state(status)
    return found


def claim(path: Path, state: str) -> ClaimedFile | None:
    """Move a file out of the inbox, unless it has changed since ``state`` or a process has it open for writing."""
    try:
        return _claim(path, state)
    except OSError as error:  # one bad file must not stop the others
        logger.warning("inbox_file_not_claimed", file=path.name, error=str(error))
        return None


def _claim(path: Path, state: str) -> ClaimedFile | None:
    handle = None
    with suppress(PermissionError):  # claimed all the same, so that it ends in quarantine with the reason
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # The lease lasts until the rename: a program that opens the file for writing waits for the end of this block.
        if handle is not None and _is_being_written(handle):
            return None
        before = path.lstat()
        if _state(before) != state:
            return None
        claimed = _move_to_work(path)
    finally:
        if handle is not None:
            os.close(handle)
    if claimed and _identity(claimed.path.lstat()) != _identity(before):
        _move_back(claimed, path)
        return None
    return claimed


def _state(status: os.stat_result) -> str:
    # Without the inode: some network file systems give a file a new number at every look.
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns  # a rename changes ctime


def _is_being_written(handle: int) -> bool:
    """Whether a process has the file open for writing. Where the file system supports it, a read lease fails then."""
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    try:
        # A broken lease sends SIGIO, which would end the process; SIGURG is ignored by default.
        fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    return False


def _move_to_work(path: Path) -> ClaimedFile | None:
    """Rename ``path`` into a work folder; None if another worker was faster."""
    token = uuid.uuid4()
    for work in work_folders():
        folder = work / token.hex
        try:
            folder.mkdir(mode=0o755, parents=True)
            path.rename(folder / path.name)
        except FileNotFoundError:
            _remove_if_empty(folder)
            return None
        except OSError as error:
            _remove_if_empty(folder)
            # A mounted inbox is a file system of its own: rename into the work folder inside it.
            if error.errno not in (errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS) or work == work_folders()[-1]:
                raise
        else:
            return ClaimedFile(token, folder / path.name)
    return None


def _move_back(claimed: ClaimedFile, path: Path) -> None:
    """Return a file that replaced the checked one just before the rename: it has to settle first."""
    with suppress(OSError):  # the name is in use again, or there are no hard links: then this file is imported
        os.link(claimed.path, path)
        remove(claimed)


def work_folders() -> tuple[Path, Path]:
    """Return the work folder beside the inbox, and the one inside it for an inbox on another file system."""
    inbox = settings.TRENDS_INBOX
    return inbox.parent / "work", inbox / ".work"


def claimed_files() -> Iterator[ClaimedFile]:
    """Yield every file in the work folders, and remove empty folders that a killed worker left."""
    for work in work_folders():
        if not work.is_dir():
            continue
        for folder in sorted(work.iterdir()):
            try:
                token = uuid.UUID(folder.name)
                files = list(folder.iterdir())
                if files:
                    yield ClaimedFile(token, files[0])
                elif time.time() - folder.stat().st_mtime > ABANDONED:
                    _remove_if_empty(folder)
            except (ValueError, OSError):  # another program's folder, or removed by another worker
                continue


def find(token: uuid.UUID) -> ClaimedFile | None:
    """Return the claimed file of the run with ``token``, or None if it is not on this machine."""
    for work in work_folders():
        with suppress(OSError):
            for path in (work / token.hex).iterdir():
                return ClaimedFile(token, path)
    return None


def remove(claimed: ClaimedFile) -> None:
    """Delete the file from the work folder. Call it once its bytes are stored elsewhere."""
    claimed.path.unlink(missing_ok=True)
    _remove_if_empty(claimed.path.parent)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
