"""The audit log: who did what, from where, on whose behalf. ``record`` adds a row to the caller's transaction."""

from .recording import delete_expired, delete_expired_admin_log, erase_user, record

__all__ = ["delete_expired", "delete_expired_admin_log", "erase_user", "record"]
