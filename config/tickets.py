"""The ticket with which the web process, which knows who asks, sends a client on to the events process.

Signed, good for 30 seconds, and for one stream: what lands in a log or a history opens nothing.
"""

import secrets
from typing import Any, NamedTuple

from django.conf import settings
from django.core import signing

SECONDS = 30
_SALT = "atrium.events.ticket"


class Ticket(NamedTuple):
    user_id: int
    session: str
    last_event_id: str  # where the client left off; empty where it begins
    wait: int | None  # seconds of a long poll; None for a stream
    origin: str  # of the site as the client reached it
    nonce: str


class BadTicket(Exception):
    """The ticket was not made here, or its 30 seconds are over."""


def url(request: Any, *, session: str, last_event_id: str, wait: int | None) -> str:
    """Where the person who asks finds the stream."""
    # The site may have been reached by another of its names than PUBLIC_URL's.
    origin = f"{request.scheme}://{request.get_host()}"
    ticket = Ticket(request.user.pk, session, last_event_id[:100], wait, origin, secrets.token_urlsafe(12))
    return f"{settings.EVENTS_URL}/e/?ticket={signing.dumps(ticket, salt=_SALT)}"


def read(text: str) -> Ticket:
    """The ticket behind a signed text; raises BadTicket. That it serves once is for the caller to see to."""
    try:
        return Ticket(*signing.loads(text, salt=_SALT, max_age=SECONDS))
    except signing.BadSignature as error:
        raise BadTicket from error
