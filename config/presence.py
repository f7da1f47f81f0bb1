"""Who is online: in Redis alone, so that asking costs no row. Without Redis there is no answer, which is a 503.

A person is online for 75 seconds after a heartbeat, or after an open event stream was last seen open. Beside the
instants Redis keeps what a list shows of each of them, and for each person the ids of those who do not want to be seen
by them; both are made from Postgres where they are missing.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from django.db import transaction

from .caching import guarded, redis_client
from .wire import CHANNEL, ONLINE, PEOPLE, WINDOW, hidden_key, parse_ids

PING_EVERY = 30  # seconds, so that one lost heartbeat does not put a person offline
HIDDEN_SECONDS = 60
KEPT_AFTER = 3600  # seconds after which a person who went offline is forgotten

Card = dict[str, Any]


def beat(user_id: int, load: Callable[[list[int]], Mapping[int, Card]]) -> None:
    """Note that a person is here; ``load`` makes what is shown of them where Redis does not know it."""
    now = time.time()
    with redis_client().pipeline(transaction=False) as pipe:
        pipe.zscore(ONLINE, str(user_id))
        pipe.zadd(ONLINE, {str(user_id): now})
        pipe.hexists(PEOPLE, str(user_id))
        seen, _, known = pipe.execute()
    if not known:
        keep_cards(load([user_id]))
    if seen is None or seen < now - WINDOW:
        redis_client().publish(CHANNEL, "presence")  # so that open streams hear of it at once


def keep_cards(cards: Mapping[int, Card]) -> None:
    if cards:
        redis_client().hset(PEOPLE, mapping={str(user_id): orjson.dumps(card) for user_id, card in cards.items()})


def card_changed(user_id: int) -> None:
    """What is shown of a person changes with this transaction: it is made anew when it is next needed."""
    transaction.on_commit(lambda: guarded(lambda: redis_client().hdel(PEOPLE, str(user_id))))


def leave(user_id: int) -> None:
    """A person ends with this transaction: nobody sees them online from its commit on."""

    def forget() -> None:
        with redis_client().pipeline() as pipe:
            pipe.zrem(ONLINE, str(user_id))
            pipe.hdel(PEOPLE, str(user_id))
            pipe.publish(CHANNEL, "presence")
            pipe.execute()

    transaction.on_commit(lambda: guarded(forget))


def hidden_from(user_id: int, load: Callable[[int], Iterable[int]]) -> frozenset[int]:
    """Whom ``user_id`` does not see; ``load`` finds it in Postgres, once a minute at most."""
    known = redis_client().get(hidden_key(user_id))
    if known is None:
        found = " ".join(map(str, load(user_id)))
        # NX: a block that is made meanwhile writes what is newer.
        redis_client().set(hidden_key(user_id), found, ex=HIDDEN_SECONDS, nx=True)
        known = redis_client().get(hidden_key(user_id)) or found.encode()
    return parse_ids(known)  # type: ignore[arg-type]


def keep_hidden(user_id: int, hidden: Iterable[int]) -> None:
    redis_client().set(hidden_key(user_id), " ".join(map(str, hidden)), ex=HIDDEN_SECONDS)


def online_ids() -> dict[int, float]:
    """Everybody online, with the instant they were last seen (seconds since the epoch), in the order they came."""
    rows = redis_client().zrangebyscore(ONLINE, time.time() - WINDOW, "+inf", withscores=True)
    return {int(user_id): score for user_id, score in rows}  # type: ignore[union-attr]


def cards(user_ids: Iterable[int], load: Callable[[list[int]], Mapping[int, Card]]) -> dict[int, Card]:
    """What is shown of these people; those whom Redis does not know ``load`` finds in Postgres."""
    ids = list(user_ids)
    if not ids:
        return {}
    kept = redis_client().hmget(PEOPLE, [str(user_id) for user_id in ids])
    found = {user_id: orjson.loads(card) for user_id, card in zip(ids, kept, strict=True) if card}  # type: ignore[arg-type]
    if missing := [user_id for user_id in ids if user_id not in found]:
        loaded = load(missing)
        keep_cards(loaded)
        found |= loaded
    return found


def forget_gone() -> int:
    """Remove those who went offline long ago; returns how many."""
    gone = redis_client().zrangebyscore(ONLINE, "-inf", time.time() - KEPT_AFTER)
    if gone:
        with redis_client().pipeline() as pipe:
            pipe.zrem(ONLINE, *gone)  # type: ignore[misc]
            pipe.hdel(PEOPLE, *gone)  # type: ignore[misc]
            pipe.execute()
    return len(gone)  # type: ignore[arg-type]
