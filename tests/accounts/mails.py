"""Sends the due mail of accounts and reads what was sent."""

import re
from email.message import EmailMessage

from accounts import services
from config import mail


def send_due_mail() -> None:
    """Process the due rows in this process, as a worker does."""
    services.send_due_links()
    services.send_due_invitations()
    mail.send_due()


def text_of(message: EmailMessage) -> str:
    """Return the plain text part."""
    return message.get_body(("plain",)).get_content()


def url_in(message: EmailMessage) -> str:
    """Return the URL of the mail's only short link, or an empty string."""
    urls = set(re.findall(r"http\S+/[vri]/\S+", text_of(message)))
    assert len(urls) <= 1, text_of(message)
    return urls.pop() if urls else ""


def code_in(message: EmailMessage) -> str:
    """Return the code of the mail's only short link, or an empty string."""
    return url_in(message).rstrip("/").rpartition("/")[2]
