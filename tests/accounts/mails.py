"""Reading the mails that accounts sends."""

import re
from email.message import EmailMessage

from accounts import services
from config import mail


def send_all() -> None:
    """Do what the worker does with the rows that are due, in this process."""
    services.send_due_links()
    mail.send_due()


def text_of(message: EmailMessage) -> str:
    return message.get_body(("plain",)).get_content()


def url_in(message: EmailMessage) -> str:
    """The address of the mail's one short link; empty where it has none."""
    found = set(re.findall(r"http\S+/[vr]/\S+", text_of(message)))
    assert len(found) <= 1, text_of(message)
    return found.pop() if found else ""


def code_in(message: EmailMessage) -> str:
    return url_in(message).rstrip("/").rpartition("/")[2]
