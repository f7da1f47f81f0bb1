"""The mail viewer of ``bin/dev`` at ``/dev/mail/``: it shows the e-mails that config.mail wrote to files.

The URLs exist only if ``settings.DEV_MAIL`` is on: with DEBUG, private servers and no mail server.
"""

import email
import email.policy
import re
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

SHOWN = 200
# The frame runs no script. Its links open in a new tab.
FRAME_POLICY = (
    "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
)


def context(request: HttpRequest) -> dict[str, bool]:
    """Tell every template whether the viewer exists (partials/dev_mail.html)."""
    return {"dev_mail": settings.DEV_MAIL}


@require_safe
def mails(request: HttpRequest, name: str = "") -> HttpResponse:
    """List the newest e-mails and show one of them."""
    files = sorted(settings.MAIL_DIR.glob("*.eml"), reverse=True)[:SHOWN]
    rows = [{"name": file.stem, "message": _read(file)} for file in files]
    name = name or (files[0].stem if files else "")
    shown = {"name": name, "message": _read(_file(name)), "text": _part(name, "plain")} if name else None
    response = render(request, "dev_mail.html", {"rows": rows, "shown": shown})
    response["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'"
    return response


@require_safe
def html(request: HttpRequest, name: str) -> HttpResponse:
    """Return the HTML part of an e-mail for the sandboxed frame."""
    response = HttpResponse(f'<base target="_blank">{_part(name, "html")}')
    response["Content-Security-Policy"] = FRAME_POLICY
    response["X-Frame-Options"] = "SAMEORIGIN"
    return response


def _file(name: str) -> Path:
    file: Path = settings.MAIL_DIR / f"{name}.eml"
    if not re.fullmatch(r"[\w.@-]+", name) or not file.is_file():
        raise Http404
    return file


def _read(file: Path) -> EmailMessage:
    message: Any = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    return message


def _part(name: str, kind: str) -> str:
    part: Any = _read(_file(name)).get_body((kind,))
    return part.get_content() if part else ""


urlpatterns = [
    path("", mails, name="dev-mails"),
    path("<str:name>/", mails, name="dev-mail"),
    path("<str:name>/html/", html, name="dev-mail-html"),
]
