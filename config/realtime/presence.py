"""Who is online. Stored in Redis only, so that a poll writes no row; without Redis the answer is a 503.

A user is online for 75 seconds after a heartbeat or after an open event stream was last seen. Redis also stores what a
list shows of each user (the *card*) and, for each user, the ids of users whose presence is hidden from them. Both are
read from Postgres when they are missing.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from django.db import transaction

from config.cache.redis import guarded, redis_client

from .redis_keys import CARDS, CHANNEL, ONLINE, ONLINE_SECONDS, hidden_key, parse_ids

PING_EVERY = 30  # seconds; one lost heartbeat does not make a user offline
HIDDEN_SECONDS = 60
EXPIRE_AFTER = 3600  # seconds offline after which a user is deleted from Redis

Card = dict[str, Any]


def heartbeat(user_id: int, load: Callable[[list[int]], Mapping[int, Card]]) -> None:
    """Mark a user as online. ``load`` returns the cards of users whose card is not in Redis."""
    now = time.time()
    with redis_client().pipeline(transaction=False) as pipe:
        pipe.zscore(ONLINE, str(user_id))
        pipe.zadd(ONLINE, {str(user_id): now})
        pipe.hexists(CARDS, str(user_id))
        seen, _, known = pipe.execute()
    if not known:
        cache_cards(load([user_id]))
    if seen is None or seen < now - ONLINE_SECONDS:
        redis_client().publish(CHANNEL, "presence")  # open streams are updated at once


def cache_cards(cards: Mapping[int, Card]) -> None:
    if cards:
        redis_client().hset(CARDS, mapping={str(user_id): orjson.dumps(card) for user_id, card in cards.items()})


def invalidate_card(user_id: int) -> None:
    """Delete a user's card after the commit: it is loaded again when it is next needed."""
    transaction.on_commit(lambda: guarded(lambda: redis_client().hdel(CARDS, str(user_id))))


def remove(user_id: int) -> None:
    """Make a user offline after the commit, such as one whose account is deleted."""

    def delete() -> None:
        with redis_client().pipeline() as pipe:
            pipe.zrem(ONLINE, str(user_id))
            pipe.hdel(CARDS, str(user_id))
            pipe.publish(CHANNEL, "presence")
            pipe.execute()

    transaction.on_commit(lambda: guarded(delete))


def hidden_from(user_id: int, load: Callable[[int], Iterable[int]]) -> frozenset[int]:
    """Return the users whose presence ``user_id`` may not see, from Redis or, at most once a minute, from ``load``."""
    known = redis_client().get(hidden_key(user_id))
    if known is None:
        found = " ".join(map(str, load(user_id)))
        # NX: a block that was made meanwhile has stored a newer value.
        redis_client().set(hidden_key(user_id), found, ex=HIDDEN_SECONDS, nx=True)
        known = redis_client().get(hidden_key(user_id)) or found.encode()
    return parse_ids(known)


def cache_hidden(user_id: int, hidden: Iterable[int]) -> None:
    redis_client().set(hidden_key(user_id), " ".join(map(str, hidden)), ex=HIDDEN_SECONDS)


def online_ids() -> dict[int, float]:
    """Return all users who are online and when they were last seen (seconds since the epoch), oldest first."""
    rows = redis_client().zrangebyscore(ONLINE, time.time() - ONLINE_SECONDS, "+inf", withscores=True)
    return {int(user_id): score for user_id, score in rows}


def cards(user_ids: Iterable[int], load: Callable[[list[int]], Mapping[int, Card]]) -> dict[int, Card]:
    """Return the cards of these users; ``load`` finds those that are not in Redis."""
    ids = list(user_ids)
    if not ids:
        return {}
    stored = redis_client().hmget(CARDS, [str(user_id) for user_id in ids])
    found = {user_id: orjson.loads(card) for user_id, card in zip(ids, stored, strict=True) if card}
    if missing := [user_id for user_id in ids if user_id not in found]:
        loaded = load(missing)
        cache_cards(loaded)
        found |= loaded
    return found


def delete_expired() -> int:
    """Delete users who have been offline for an hour from Redis; return how many."""
    expired = redis_client().zrangebyscore(ONLINE, "-inf", time.time() - EXPIRE_AFTER)
    if expired:
        with redis_client().pipeline() as pipe:
            pipe.zrem(ONLINE, *expired)
            pipe.hdel(CARDS, *expired)
            pipe.execute()
    return len(expired)
