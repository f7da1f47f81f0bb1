"""Who is online, as one user sees it. Redis holds it (config.realtime.presence); Postgres fills what is missing."""

from typing import Any

from accounts.models import User
from config.realtime import presence
from config.realtime.redis_keys import instant

from ..cards import load_cards
from . import blocks


def heartbeat(user: User) -> None:
    """Keep ``user`` online for 75 seconds."""
    presence.heartbeat(user.pk, load_cards)


def online_users(viewer: User) -> list[dict[str, Any]]:
    """Return everybody whom ``viewer`` sees online, including themselves. No query unless Redis has to be filled."""
    seen = presence.online_ids()
    hidden = presence.hidden_from(viewer.pk, blocks.blocker_ids)
    shown = presence.cards((user_id for user_id in seen if user_id not in hidden), load_cards)
    return [{**card, "last_seen": instant(seen[user_id])} for user_id, card in shown.items()]


def prepare_stream(user: User) -> None:
    """Store in Redis what the events process needs before ``user`` opens a stream."""
    heartbeat(user)
    presence.cache_hidden(user.pk, blocks.blocker_ids(user.pk))
