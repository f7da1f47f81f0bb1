"""ATRIUM_HOME: the folder for everything that a running Atrium writes."""

import fcntl
import os
from pathlib import Path
from typing import IO

from . import StartError


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only."""
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_text(text, encoding="utf-8")
    draft.rename(path)


def make(folder: Path) -> Path:
    """Create ``folder`` if needed, restrict it to its owner and return its absolute path; raises StartError."""
    folder = folder.expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise StartError(f"Cannot use {folder}: {error.strerror}. Set ATRIUM_HOME to a writable folder.") from error
    return folder


def lock(folder: Path) -> IO[str]:
    """Lock ``folder`` until the returned file is closed or this process ends; raises StartError."""
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        with file:
            raise StartError(
                f"Atrium is already running on {folder} as process {file.read().strip()}. Stop it first, or start a "
                f"second one with its own folder and port: ATRIUM_HOME=... PORT=... bin/up"
            ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
