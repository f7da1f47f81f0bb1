"""Tells the owner's clients and the cache about changes."""

from collections.abc import Iterable

from config.cache import generations
from config.realtime import events

from ..models import FileMetadata
from ..representation import upload_json


def cache_scope(user_id: int) -> str:
    """Return the scope of everything cached of a user's uploads and contacts."""
    return f"contacts:{user_id}"


def invalidate(user_ids: Iterable[int]) -> None:
    """Invalidate the cached lists of these users. Call it last in a transaction."""
    generations.invalidate(*map(cache_scope, user_ids))


def notify_owner(upload: FileMetadata) -> None:
    """Send the owner an ``upload`` event after the commit, and invalidate the cache. Call it last in a transaction."""
    events.publish([upload.owner_id], "upload", upload_json(upload))
    invalidate([upload.owner_id])
