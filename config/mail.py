"""Mail: HTML with a text part, from a row, sent once.

A template ``mail/<name>.txt`` begins with a line ``Subject: …``; ``mail/<name>.html`` is the same in HTML, its style
sheet inlined because mail programs drop the rest. :func:`queue` writes a row in the transaction of what it tells of;
the worker sends it. Delivery is at least once, and the Message-ID is the row's, so that a receiver can tell a second
copy.
"""

import re
import smtplib
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import css_inline
import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models.functions import Now
from django.template import Context
from django.template.loader import get_template, render_to_string
from django.utils import timezone

from . import claims, tasks
from .celery import wake
from .models import OutgoingMail

logger = structlog.get_logger("atrium.mail")

KEPT = timedelta(days=30)

_inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)


def queue(*, to: str, template: str, context: Mapping[str, Any] | None = None) -> OutgoingMail:
    """Have ``mail/<template>`` sent to ``to`` after the commit. ``context`` is JSON and holds no secret."""
    row = OutgoingMail.objects.create(to=to, template=template, context=dict(context or {}))
    wake(tasks.send_mail)
    return row


def send_due(limit: int = 100) -> int:
    """Send the mails that are due and return how many were."""
    return claims.work_through(OutgoingMail.objects.all(), _send_row, limit=limit)


def forget_sent() -> int:
    """Delete what was sent, or given up, a month ago, and return how many rows: they hold people's addresses."""
    over = OutgoingMail.objects.exclude(done_at=None, failed_at=None)
    return over.filter(created_at__lt=Now() - KEPT).delete()[0]


def _send_row(row: OutgoingMail) -> None:
    deliver(compose(to=row.to, template=row.template, context=row.context, key=f"mail-{row.pk}"))
    row.finish()


def compose(*, to: str, template: str, context: Mapping[str, Any], key: str) -> EmailMultiAlternatives:
    """The mail of ``template`` with ``context``; ``key`` names its row, and so its Message-ID."""
    context = {"public_url": settings.PUBLIC_URL, **context}
    text_template: Any = get_template(f"mail/{template}.txt")
    # Plain text: what people typed stands as they typed it, without HTML's entities.
    rendered = text_template.template.render(Context(context, autoescape=False))
    head, _, text = rendered.lstrip().partition("\n")
    # What people typed may stand in a subject: a line break there would start a header of their own.
    subject = " ".join(head.removeprefix("Subject:").split())[:200]
    text = re.sub(r"\n{3,}", "\n\n", text.strip()) + "\n"  # blocks that a mail leaves empty leave no gap
    message = EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, [to])
    html = render_to_string(f"mail/{template}.html", {**context, "subject": subject})
    message.attach_alternative(_inliner.inline(html), "text/html")
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or urlsplit(settings.PUBLIC_URL).hostname
    message.extra_headers = {"Message-ID": f"<{key}@{domain}>", "Auto-Submitted": "auto-generated"}
    return message


def deliver(message: EmailMultiAlternatives) -> None:
    """Send ``message`` now, within a claim's work.

    Raises claims.Postpone while the server is away or asks to wait, and claims.GiveUp when it refuses the recipient.
    """
    try:
        with get_connection() as connection:
            connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        _refused(code, text, error)
    except smtplib.SMTPResponseException as error:
        _refused(error.smtp_code, error.smtp_error, error)
    except (TimeoutError, smtplib.SMTPException, OSError) as error:
        raise claims.Postpone(f"The mail server does not answer: {error}", delay=timedelta(seconds=10)) from error


def _refused(code: int, text: bytes | str, error: Exception) -> None:
    said = text.decode(errors="replace") if isinstance(text, bytes) else text
    # 4xx asks to come again (RFC 5321, 4.2.1). A refused sign-in is a setting that somebody will mend: it waits too.
    if code < 500 or isinstance(error, smtplib.SMTPAuthenticationError):
        raise claims.Postpone(f"The mail server asks to wait: {code} {said}", delay=timedelta(minutes=1)) from error
    raise claims.GiveUp(f"The mail server refused it: {code} {said}") from error


class FileBackend(BaseEmailBackend):
    """Writes each mail as a file under ``MAIL_DIR``, and shows its links in the log: mail without a mail server."""

    def send_messages(self, messages: Any) -> int:
        folder = Path(settings.MAIL_DIR)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for message in messages:
            recipient = re.sub(r"[^\w.@-]", "_", message.to[0])
            stem = f"{timezone.now():%Y%m%dT%H%M%S.%f}-{recipient}"
            part = folder / f".{stem}.part"
            part.touch(mode=0o600)
            part.write_bytes(message.message().as_bytes(linesep="\r\n"))
            part.rename(folder / f"{stem}.eml")
            links = re.findall(rf"{re.escape(settings.PUBLIC_URL)}/\S+", message.body)
            logger.info("mail_written", to=message.to[0], subject=message.subject, links=links, file=f"{stem}.eml")
        return len(messages)
