"""Tickets that admit a client to the events process, signed by the web process, which knows who the client is.

A ticket expires after 30 seconds and opens one stream, so a copy in a log or a browser history opens nothing.
"""

import secrets
from datetime import datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.core import signing

SECONDS = 30
_SALT = "atrium.events.ticket"


class Ticket(NamedTuple):
    user_id: int
    session: str
    last_event_id: str  # where the client stopped; empty for a new stream
    wait: int | None  # seconds of a long poll; None for a stream
    origin: str  # of the site as the client reached it
    nonce: str
    kinds: list[str] | None = None  # of events that the stream carries; None for all
    expires_at: float | None = None  # when the stream must end, in seconds since the epoch


class BadTicket(Exception):
    """The ticket is not signed by this site, or it has expired."""


def url(
    request: Any,
    *,
    session: str,
    last_event_id: str,
    wait: int | None,
    kinds: list[str] | None = None,
    expires_at: datetime | None = None,
) -> str:
    """Return the URL of an event stream, with a new ticket for the user of ``request``.

    ``kinds`` limits the events to these kinds, and the stream ends at ``expires_at``.
    """
    # The client may have used another host name than PUBLIC_URL's.
    origin = f"{request.scheme}://{request.get_host()}"
    ticket = Ticket(request.user.pk, session, last_event_id[:100], wait, origin, secrets.token_urlsafe(12))
    if kinds is not None:  # otherwise an events process of an earlier version can still read the ticket
        ticket = ticket._replace(kinds=kinds, expires_at=expires_at.timestamp() if expires_at else None)
    # Without a host if the front process serves the streams too. A redirect from 127.0.0.1 to localhost would change
    # the origin, so a browser would send the page's own as "null".
    base = "" if settings.EVENTS_URL == settings.PUBLIC_URL else settings.EVENTS_URL
    content = ticket if kinds is not None else ticket[:6]
    return f"{base}/e/?ticket={signing.dumps(content, salt=_SALT)}"


def read(text: str) -> Ticket:
    """Return the ticket in a signed text; raises BadTicket. The caller checks that it is used only once."""
    try:
        return Ticket(*signing.loads(text, salt=_SALT, max_age=SECONDS))
    except signing.BadSignature as error:
        raise BadTicket from error
