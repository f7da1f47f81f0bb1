"""Every write of accounts, a module an idea; what others use is named here."""

from .deletion import forget_expired
from .links import send_due_links, spend_links
from .sessions import end_sessions, remember_cookie

__all__ = ["end_sessions", "forget_expired", "remember_cookie", "send_due_links", "spend_links"]
