"""E-mail: a row that the worker sends, as HTML with a text part.

A template ``mail/<name>.txt`` begins with a line ``Subject: …``; ``mail/<name>.html`` is the same in HTML, with its
style sheet inlined because mail programs ignore the rest. :func:`queue` writes the row in the caller's transaction.
Delivery is at least once. The Message-ID belongs to the row, so a receiver can recognise a second copy.
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
from django.db import models
from django.db.models.functions import Now
from django.template import Context
from django.template.loader import get_template, render_to_string
from django.utils import timezone

from .db.batches import delete_batch
from .jobs import runner
from .jobs.enqueue import enqueue
from .models import OutgoingMail

logger = structlog.get_logger("atrium.mail")

_inliner = css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)


def queue(
    *,
    to: str,
    template: str,
    context: Mapping[str, Any] | None = None,
    user: models.Model | None = None,
    is_transient: bool = False,
) -> OutgoingMail:
    """Send ``mail/<template>`` to ``to`` after the commit. ``context`` is JSON and must not contain secrets.

    The row is in the data export of ``user``, whom the e-mail is about, and is deleted with the account.
    A transient row is deleted once it is sent; others after ``MAIL_DAYS``.
    """
    row = OutgoingMail.objects.create(
        to=to,
        template=template,
        context=dict(context or {}),
        user_id=user.pk if user else None,
        is_transient=is_transient,
    )
    enqueue(OutgoingMail)
    return row


def send_due(limit: int = 100) -> int:
    """Send due e-mails and return how many were sent."""
    return runner.run_due(OutgoingMail.objects.all(), _send_row, limit=limit)


def delete_expired() -> int:
    """Delete a batch of e-mails that were sent or failed and are older than ``MAIL_DAYS``; return how many."""
    ended = OutgoingMail.objects.exclude(done_at=None, failed_at=None)
    return delete_batch(ended.filter(created_at__lt=Now() - timedelta(days=settings.MAIL_DAYS)))


def _send_row(row: OutgoingMail) -> None:
    deliver(compose(to=row.to, template=row.template, context=row.context, key=f"mail-{row.pk}"))
    if row.is_transient:
        row.delete()
    else:
        row.finish()


def compose(*, to: str, template: str, context: Mapping[str, Any], key: str) -> EmailMultiAlternatives:
    """Render ``template`` with ``context``; ``key`` identifies the row and becomes the Message-ID."""
    context = {"public_url": settings.PUBLIC_URL, **context}
    text_template: Any = get_template(f"mail/{template}.txt")
    # In plain text, user input must appear without HTML entities.
    rendered = text_template.template.render(Context(context, autoescape=False))
    head, _, text = rendered.lstrip().partition("\n")
    # A subject may contain user input: a line break in it would start another header.
    subject = " ".join(head.removeprefix("Subject:").split())[:200]
    text = re.sub(r"\n{3,}", "\n\n", text.strip()) + "\n"  # empty blocks of a template leave no gap
    message = EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, [to])
    html = render_to_string(f"mail/{template}.html", {**context, "subject": subject})
    message.attach_alternative(_inliner.inline(html), "text/html")
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or urlsplit(settings.PUBLIC_URL).hostname
    message.extra_headers = {"Message-ID": f"<{key}@{domain}>", "Auto-Submitted": "auto-generated"}
    return message


def deliver(message: EmailMultiAlternatives) -> None:
    """Send ``message`` now, as the work of a job.

    Raises runner.Postpone if the server is unavailable or asks to wait, and runner.GiveUp if it rejects the recipient.
    """
    try:
        with get_connection() as connection:
            connection.send_messages([message])
    except smtplib.SMTPRecipientsRefused as error:
        code, text = next(iter(error.recipients.values()))
        _handle_rejection(code, text, error)
    except smtplib.SMTPResponseException as error:
        _handle_rejection(error.smtp_code, error.smtp_error, error)
    except (TimeoutError, smtplib.SMTPException, OSError) as error:
        raise runner.Postpone(f"The mail server is unavailable: {error}", delay=timedelta(seconds=10)) from error


def _handle_rejection(code: int, text: bytes | str, error: Exception) -> None:
    reply = text.decode(errors="replace") if isinstance(text, bytes) else text
    # 4xx asks to retry (RFC 5321, 4.2.1). A rejected sign-in is a wrong setting, which an operator can correct.
    if code < 500 or isinstance(error, smtplib.SMTPAuthenticationError):
        raise runner.Postpone(f"The mail server asks to wait: {code} {reply}", delay=timedelta(minutes=1)) from error
    raise runner.GiveUp(f"The mail server rejected the message: {code} {reply}") from error


class FileBackend(BaseEmailBackend):
    """Writes each e-mail to a file under ``MAIL_DIR`` and its links to the log. For use without a mail server."""

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
