"""Every write of accounts, a module an idea; what others use is named here."""

from .links import send_due_links
from .sessions import end_sessions, remember_cookie

__all__ = ["end_sessions", "remember_cookie", "send_due_links"]
