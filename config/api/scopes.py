"""Scopes: what a personal access token may do. Each view declares them; ``check_scope`` enforces them.

A session may do everything. A token may call a view that names a scope for the method, if it has that scope.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

from rest_framework.exceptions import PermissionDenied

SCOPES = {
    "account:read": "Read your profile",
    "notes:read": "Read notes and labels, export notes",
    "notes:write": "Change notes and labels, import notes",
    "messages:read": "Read messages, conversations, blocks and presence",
    "messages:write": "Send and change messages, block users, appear online",
    "contacts:read": "Read contacts and uploads",
    "contacts:write": "Upload, change and delete contacts",
    "trends:write": "Change and import trends (staff)",
}
STAFF_SCOPES = {"trends:write"}
SCOPE_NAMES = tuple(SCOPES)
READS = ("GET", "HEAD")
WRITES = ("POST", "PUT", "PATCH", "DELETE")

# Per method the scopes of which one is needed; none if the tuple is empty. Methods without an entry need a session.
Scopes: TypeAlias = Mapping[str, tuple[str, ...]]

# A stream carries the kinds that one of these scopes reads.
EVENT_SCOPES = {
    "message": "messages:read",
    "edited": "messages:read",
    "deleted": "messages:read",
    "read": "messages:read",
    "presence": "messages:read",
    "note": "notes:read",
    "upload": "contacts:read",
}


def read_write(name: str) -> Scopes:
    """Return the scopes of a view whose reads need ``<name>:read`` and whose writes need ``<name>:write``."""
    return {**dict.fromkeys(READS, (f"{name}:read",)), **dict.fromkeys(WRITES, (f"{name}:write",))}


def public_reads(scope: str) -> Scopes:
    """Return the scopes of a view with public reads, whose writes need ``scope``."""
    return {**dict.fromkeys(READS, ()), **dict.fromkeys(WRITES, (scope,))}


def every_method(*scopes: str) -> Scopes:
    """Return the scopes of a view of which every method needs one of ``scopes``."""
    return dict.fromkeys((*READS, *WRITES), scopes)


class InsufficientScope(PermissionDenied):
    """The token has none of the scopes of which one is needed."""

    default_code = "insufficient_scope"

    def __init__(self, needed: tuple[str, ...]) -> None:
        super().__init__(f"This token does not have the scope {' or '.join(needed)}.")


class SessionRequired(PermissionDenied):
    """Only a signed-in session may call this."""

    default_detail = "Personal access tokens cannot do this. Use the access token of a sign-in."
    default_code = "session_required"


def allows(granted: Any, needed: tuple[str, ...]) -> bool:
    """Return whether one of ``needed`` is among the scopes ``granted``. Writing includes reading."""
    return not needed or any(scope in granted or _write(scope) in granted for scope in needed)


def _write(scope: str) -> str:
    return f"{scope.removesuffix(':read')}:write"


def needed_scopes(view: Any, method: str) -> tuple[str, ...] | None:
    """Return the scopes of which one is needed for ``method`` of ``view``; None if a session is required."""
    return getattr(view, "scopes", {}).get(method)


def is_allowed(auth: Any, view: Any, method: str) -> bool:
    """Return whether the credential ``auth`` of a request may call ``view``; a session may call everything."""
    granted = getattr(auth, "scopes", None)
    needed = needed_scopes(view, method)
    return granted is None or (needed is not None and allows(granted, needed))


def check_scope(auth: Any, view: Any, method: str) -> None:
    """Raise SessionRequired or InsufficientScope if the credential ``auth`` may not call ``view`` with ``method``."""
    if method == "OPTIONS" or is_allowed(auth, view, method):
        return
    needed = needed_scopes(view, method)
    raise SessionRequired if needed is None else InsufficientScope(needed)


def event_kinds(auth: Any) -> list[str] | None:
    """Return the kinds of events that the credential ``auth`` may receive; None for all."""
    granted = getattr(auth, "scopes", None)
    return None if granted is None else [kind for kind, scope in EVENT_SCOPES.items() if allows(granted, (scope,))]
