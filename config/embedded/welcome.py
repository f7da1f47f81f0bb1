"""Where everything is, once it runs."""

import os
import sys
from pathlib import Path

from .environment import ROOT


def text(home: Path) -> str:
    url = os.environ["PUBLIC_URL"].rstrip("/")
    shown = _short(home)
    elsewhere = "" if home == ROOT / ".atrium" else f"ATRIUM_HOME={shown} "
    manage = f"{elsewhere}{_short(Path(sys.executable))} manage.py"
    inbox = Path(os.environ.get("TRENDS_INBOX") or home / "trends" / "inbox")
    mail = "goes out as EMAIL_URL says"
    if not os.environ.get("EMAIL_URL"):
        mail = f"{shown}/mail    nothing is sent: a file for each, and its links among the lines below"
    return f"""
  Atrium is ready.

    Start here   {url}/
    Chat         {url}/messager/
    Swagger      {url}/swagger/
    Redoc        {url}/redoc/
    Admin        {url}/admin/    its first account: {manage} createsuperuser
    Mail         {mail}
    CSV inbox    {_short(inbox)}    what is put there is imported as trends
    Data, logs   {shown}    back up with: {manage} backup FOLDER

  Ctrl-C stops everything; nothing is lost. What the processes say follows.
"""


def _short(path: Path) -> str:
    """Relative to the checkout where it is in there, which is where people type commands."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)
