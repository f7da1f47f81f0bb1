"""The environment of ``bin/up``'s processes.

Variables that are set, in the environment or in ``.env``, stay as they are. The launcher adds keys (made once) and the
addresses of the private servers (at each start), and writes both to ``ATRIUM_HOME/env``. The settings read that file,
so ``manage.py`` in another terminal finds the running servers.
"""

import os
import secrets
from pathlib import Path

import environ

from config.redis_urls import with_database

from . import LOCALHOST, ROOT, StartError, ports
from .home import write_private

KEYS = ("SECRET_KEY", "JWT_SIGNING_KEY", "ENCRYPTION_KEY")
READ = ("ATRIUM_HOME", "PORT", "WEB_PORT", "EVENTS_PORT", "HOST", *KEYS, "PUBLIC_URL", "EVENTS_URL", "DATABASE_URL",
        "REDIS_URL", "CELERY_BROKER_URL")  # fmt: skip
HEADER = "# Written by bin/up at each start. Put your own settings into .env beside manage.py; they take precedence.\n"


def load(*, dev: bool) -> None:
    """Read ``.env``, treat empty variables as not set, and with ``dev`` add those of ``bin/dev``."""
    environ.Env.read_env(ROOT / ".env")
    for name in READ:
        if not os.environ.get(name, "").strip():
            os.environ.pop(name, None)
    if dev:
        os.environ.update(DEBUG="true", ATRIUM_RELOAD="true")
        if "DATABASE_URL" not in os.environ:
            os.environ["DEV_MAIL"] = "true"


def choose_ports() -> None:
    """Check the ports that are set, and set the others: 8000 and the next free ones; raises StartError."""
    highest = port = _number("PORT", "8000")
    if not ports.is_free(port, os.environ.get("HOST", LOCALHOST)):
        raise StartError(f"Port {port} is in use, or you may not use it. Choose another: PORT={port + 10} bin/up")
    os.environ["PORT"] = str(port)
    for name in ("EVENTS_PORT", "WEB_PORT"):
        if name not in os.environ:
            os.environ[name] = str(next(filter(ports.is_free, range(highest + 1, 65536)), 0))
        port = _number(name)
        if not ports.is_free(port):
            raise StartError(f"Port {port} ({name}) is in use. Choose another, or leave {name} empty.")
        highest = max(highest, port)


def complete(folder: Path, defaults: dict[str, str]) -> None:
    """Add keys and ``defaults`` to the environment unless set, and write them to ``folder/env``."""
    file = folder / "env"
    lines = (line.partition("=") for line in (file.read_text().splitlines() if file.exists() else []))
    stored = {name.strip(): value.strip() for name, _, value in lines}
    # A key stays in the file while .env overrides it: sessions and links depend on it.
    content = {name: stored.get(name) or secrets.token_urlsafe(48) for name in KEYS}
    content |= {name: value for name, value in defaults.items() if name not in os.environ}
    write_private(file, HEADER + "".join(f"{name}={value}\n" for name, value in content.items()))
    for name, value in content.items():
        os.environ.setdefault(name, value)


def broker_url(redis_url: str) -> str:
    """Return the default broker address: the next database of the same Redis."""
    return with_database(redis_url, 1)


def _number(name: str, default: str = "") -> int:
    text = os.environ.get(name, default)
    if not (text.strip().isascii() and text.strip().isdigit() and 0 < int(text) < 65536):
        raise StartError(f"{name} must be a port between 1 and 65535, not {text!r}.")
    return int(text)
