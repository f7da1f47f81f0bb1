"""Where this project and its browser lie, and where a process can listen."""

import hashlib
import os
import shutil
from pathlib import Path

from config.ops.launcher.ports import choose as free_port

ROOT = Path(__file__).resolve().parent.parent

# The browser of users, and the one without windows, which renders the same with half of the processor time.
CHROMIUM, HEADLESS_SHELL = ("chromium", "chromium-browser"), ("chromium-headless-shell",)

__all__ = ["CHROMIUM", "HEADLESS_SHELL", "ROOT", "browser_program", "free_port", "migrations_digest"]


def browser_program(*names: str) -> str | None:
    """Return the path in the environment's CHROMIUM, or the first of these programs that is installed."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def migrations_digest() -> str:
    """Return a value that changes with the migrations: the name of a database that has them."""
    digest = hashlib.sha256()
    for path in sorted(ROOT.glob("*/migrations/*.py")):
        digest.update(f"{path}{path.read_text()}".encode())
    return digest.hexdigest()
