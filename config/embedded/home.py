"""ATRIUM_HOME: the one folder in which a running Atrium keeps what is its own."""

import fcntl
import os
from pathlib import Path
from typing import IO

from . import Refusal


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, whole or not at all."""
    unfinished = path.with_name(f"{path.name}.new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    unfinished.rename(path)


def make(folder: Path) -> Path:
    """Make ``folder``, if need be, and see that its owner alone may enter; its absolute path."""
    folder = folder.expanduser().absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise Refusal(
            f"{folder} cannot be used: {error.strerror}. Set ATRIUM_HOME to a folder that is yours to write to."
        ) from error
    return folder


def lock(folder: Path) -> IO[str]:
    """Hold ``folder`` until the returned file is closed or this process ends, however it ends."""
    file = (folder / "lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip()
        file.close()
        raise Refusal(
            f"Atrium already runs on {folder}{f' as process {holder}' if holder else ''}. Stop that one first, or "
            f"start another beside it with its own folder and port: ATRIUM_HOME=... PORT=... bin/up"
        ) from error
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file
