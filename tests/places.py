"""Where this project lies, and where a process can listen."""

import hashlib
from pathlib import Path

from config.ops.launcher.ports import choose as free_port

ROOT = Path(__file__).resolve().parent.parent

__all__ = ["ROOT", "free_port", "migrations_digest"]


def migrations_digest() -> str:
    """Return a value that changes with the migrations: the name of a database that has them."""
    digest = hashlib.sha256()
    for path in sorted(ROOT.glob("*/migrations/*.py")):
        digest.update(f"{path}{path.read_text()}".encode())
    return digest.hexdigest()
