"""Every write of accounts, one module for each topic. Other packages use the functions that are listed here."""

from .deletion import delete_expired
from .invitations import send_due_invitations
from .links import revoke_links, send_due_links
from .personal_tokens import revoke_tokens
from .profiles import suggest_timezone
from .sessions import end_cookie_session, end_sessions, record_cookie_session

__all__ = [
    "delete_expired",
    "end_cookie_session",
    "end_sessions",
    "record_cookie_session",
    "revoke_links",
    "revoke_tokens",
    "send_due_invitations",
    "send_due_links",
    "suggest_timezone",
]
