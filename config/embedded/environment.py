"""What the processes of ``up`` find in their environment, and what ``ATRIUM_HOME/env`` keeps of it.

Whatever the caller or ``.env`` has set is left as it is. What is missing is made: keys once and for good, the addresses
of the private servers at each start. The settings read the file too, so that ``manage.py`` in another terminal finds
the servers that are running.
"""

import os
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import environ

from . import Refusal, ports
from .home import write_private

ROOT = Path(__file__).resolve().parents[2]
KEYS = ("SECRET_KEY", "JWT_SIGNING_KEY")
HEAD = "# Written by bin/up at each start; settings of your own go into .env beside manage.py, which wins over this.\n"


def load_given() -> None:
    """Add what ``.env`` sets to the process's environment, and take out what is set to nothing."""
    environ.Env.read_env(ROOT / ".env")
    for name in ("ATRIUM_HOME", "PORT", "EVENTS_PORT", "HOST", *KEYS, "PUBLIC_URL", "EVENTS_URL", "DATABASE_URL",
                 "REDIS_URL", "CELERY_BROKER_URL"):  # fmt: skip
        if not os.environ.get(name, "").strip():
            os.environ.pop(name, None)


def home() -> Path:
    return ROOT / os.environ.get("ATRIUM_HOME", ".atrium")


def port() -> int:
    """The port of the web process; raises Refusal if it is none, or is taken."""
    number = _number("PORT", 8000)
    host = os.environ.get("HOST", ports.LOCALHOST)
    if not ports.is_free(number, host):
        raise Refusal(
            f"Something else listens on port {number} already (or the port is not yours to use). "
            f"Choose another: PORT={number + 10} bin/up"
        )
    return number


def events_port(web: int) -> int:
    """The port of the event streams: the one asked for, or the first free one after ``web``; raises Refusal."""
    host = os.environ.get("HOST", ports.LOCALHOST)
    if "EVENTS_PORT" in os.environ:
        number = _number("EVENTS_PORT", 0)
        if number == web or not ports.is_free(number, host):
            raise Refusal(f"Port {number}, which EVENTS_PORT asks for, is taken. Choose another, or leave it out.")
        return number
    for number in range(web + 1, min(web + 100, 65536)):
        if ports.is_free(number, host):
            return number
    raise Refusal(f"No port after {web} is free for the event streams: name one, as in EVENTS_PORT=9000 bin/up")


def complete(folder: Path, made: dict[str, str]) -> None:
    """Add to the environment what is neither set nor kept: the keys, and ``made``. Keep it in ``folder/env``."""
    file = folder / "env"
    kept = _read(file)
    # A key that .env overrules for now stays in the file: sessions and links come back to it.
    keys = {name: kept.get(name) or secrets.token_urlsafe(48) for name in KEYS}
    addresses = {name: value for name, value in made.items() if name not in os.environ}
    content = keys | addresses
    write_private(file, HEAD + "".join(f"{name}={value}\n" for name, value in content.items()))
    for name, value in content.items():
        os.environ.setdefault(name, value)


def broker_beside(redis_url: str) -> str:
    """The broker's address where only REDIS_URL is set: the next database of the same server."""
    parts = urlsplit(redis_url)
    number = int(parts.path.strip("/") or 0) if parts.path.strip("/").isdigit() or parts.path in ("", "/") else 0
    return urlunsplit(parts._replace(path=f"/{number + 1}"))


def _number(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not re.fullmatch(r"\d{1,5}", text.strip()) or not 0 < int(text) < 65536:
        raise Refusal(f"{name} must be a port between 1 and 65535, not {text!r}.")
    return int(text)


def _read(file: Path) -> dict[str, str]:
    if not file.exists():
        return {}
    lines = (line.partition("=") for line in file.read_text().splitlines() if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in lines}
