"""Whether Atrium is ready, and the text that ``bin/up`` prints then."""

import contextlib
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from . import LOCALHOST, ROOT, ports

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def missing() -> list[str]:
    """Return the parts that are not ready, according to the web process."""
    address = f"http://{LOCALHOST}:{os.environ['WEB_PORT']}/readyz/"
    host = urlsplit(os.environ["PUBLIC_URL"]).netloc  # ALLOWED_HOSTS may contain the public name only
    try:
        DIRECT.open(urllib.request.Request(address, headers={"Host": host}), timeout=5).close()
    except urllib.error.HTTPError as answer:
        with contextlib.suppress(ValueError, KeyError):
            return [name for name, state in json.load(answer)["checks"].items() if state != "ok"]
        return [f"web (status {answer.code})"]
    except OSError:
        return ["web"]
    return ["front"] if ports.is_free(int(os.environ["PORT"]), os.environ.get("HOST", LOCALHOST)) else []


def welcome(home: Path) -> str:
    """Return the addresses, folders and commands of the running Atrium."""
    url = os.environ["PUBLIC_URL"].rstrip("/")
    prefix = "" if home == ROOT / ".atrium" else f"ATRIUM_HOME={_short(home)} "
    manage = f"{prefix}{_short(Path(sys.executable))} manage.py"
    inbox = Path(os.environ.get("TRENDS_INBOX") or home / "trends" / "inbox")
    mail = "is sent through EMAIL_URL"
    if not os.environ.get("EMAIL_URL"):
        mail = f"{_short(home)}/mail    not sent: one file each; their links appear in the log below"
        if os.environ.get("DEV_MAIL"):
            mail = f"{url}/dev/mail/    not sent, but shown here"
    return f"""
  Atrium is ready.

    Start here   {url}/
    Chat         {url}/messager/
    Swagger      {url}/swagger/
    Redoc        {url}/redoc/
    Admin        {url}/admin/    create the first account: {manage} createsuperuser
    Mail         {mail}
    CSV inbox    {_short(inbox)}    CSV files put here are imported as trends
    Data, logs   {_short(home)}    back up: {manage} backup FOLDER

  Stop with Ctrl-C; your data are kept. The log follows.
"""


def _short(path: Path) -> str:
    """Return a path inside the checkout as relative to it."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
