"""What people should hear of at once: a short stream a person in Redis, which the events process passes on.

An event is a hint, never the only copy of anything: whoever misses one finds the same in the database. So a Redis that
is away costs nothing but the hint.
"""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from .caching import guarded, redis_client
from .codecs import dumps

CHANNEL = "atrium:events"
KEPT = 500  # events a person; a client that was away for longer fetches from the API instead
EXPIRES = 24 * 3600  # seconds
BATCH = 500


def stream_key(user_id: int) -> str:
    return f"atrium:events:{user_id}"


def publish(user_ids: Iterable[int], kind: str, data: dict[str, Any]) -> None:
    """Tell ``user_ids`` after the commit that ``kind`` happened; ``data`` becomes the event's JSON. Never raises."""
    people = sorted(set(user_ids))
    if people:
        transaction.on_commit(lambda: _publish(people, kind, dumps(data)))


def _publish(people: list[int], kind: str, body: bytes) -> None:
    def send() -> None:
        for start in range(0, len(people), BATCH):
            batch = people[start : start + BATCH]
            with redis_client().pipeline(transaction=False) as pipe:
                for user_id in batch:
                    key = stream_key(user_id)
                    pipe.xadd(key, {"type": kind, "data": body}, maxlen=KEPT, approximate=True)
                    pipe.expire(key, EXPIRES)
                pipe.publish(CHANNEL, ",".join(map(str, batch)))
                pipe.execute()

    guarded(send)
