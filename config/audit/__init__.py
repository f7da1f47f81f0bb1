"""The audit log: who did what, from where, on whose behalf. ``record`` adds a row to the caller's transaction."""

from .recording import delete_expired, erase_user, record

__all__ = ["delete_expired", "erase_user", "record"]
