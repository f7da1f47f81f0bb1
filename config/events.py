"""What people should hear of at once: a short stream a person in Redis, which the events process passes on.

An event is a row written in the transaction that it tells of, sent to Redis after the commit, and deleted by a sweep
that first makes sure of it. So an event that was committed reaches the streams also where Redis is away for a while, or
where the process dies between commit and sending; and a marker in Redis has each arrive there once, however often it is
sent. What Redis itself loses (a restart, a flush, a stream grown too long) the events process notices, and tells its
clients ``resync``: fetch from the API what you may have missed.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import redis.exceptions
from django.db import transaction
from django.db.models.functions import Now

from . import tickets
from .caching import guarded, redis_client
from .codecs import dumps
from .models import OutgoingEvent
from .wire import CHANNEL, EXPIRES, KEPT, SENT, ended_key

BATCH = 1000  # people told by one call of the script, which Redis serves in a few milliseconds
SWEEP_AFTER = timedelta(seconds=3)  # by then the process that wrote the row has sent it, or never will
LATE = timedelta(hours=12)  # older than this an event is no news; its people are told to fetch instead

# KEYS: the marker of this batch, the event's body.  ARGV: body, kind, receipt, kept, expires, channel, user ids…
# The people's keys are made in the script: Atrium's Redis is one server (or a primary with replicas), not a cluster.
_SCRIPT = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[5]) then return 0 end
for i = 7, #ARGV do
  local key = 'atrium:events:' .. ARGV[i]
  redis.call('XADD', key, 'MAXLEN', '~', ARGV[4], '*', 'k', ARGV[2], 'e', KEYS[2], 'r', ARGV[3])
  redis.call('EXPIRE', key, ARGV[5])
end
redis.call('PUBLISH', ARGV[6], 'user ' .. table.concat(ARGV, ',', 7))
return 1
"""


def publish(user_ids: Iterable[int], kind: str, data: dict[str, Any], *, receipt: int | None = None) -> None:
    """Tell ``user_ids`` after the commit that ``kind`` happened; ``data`` becomes the event's JSON.

    ``receipt`` is a number that comes back through :func:`take_sent` once a stream has passed the event on.
    """
    if people := set(user_ids):
        publish_all([row(people, kind, data, receipt=receipt)])


def row(user_ids: Iterable[int], kind: str, data: dict[str, Any], *, receipt: int | None = None) -> OutgoingEvent:
    """An event to be given to :func:`publish_all`."""
    return OutgoingEvent(user_ids=sorted(set(user_ids)), kind=kind, data=dumps(data).decode(), receipt=receipt)


def publish_all(rows: list[OutgoingEvent]) -> None:
    """Like :func:`publish`, for several events in one statement."""
    if rows:
        OutgoingEvent.objects.bulk_create(rows)
        transaction.on_commit(lambda: guarded(lambda: _send_all(rows)))


def end_sessions(session_ids: Iterable[object]) -> None:
    """Close after the commit the streams that were opened in these sessions (the ids of ``UserSession`` rows)."""
    if ids := sorted({str(each) for each in session_ids}):
        publish_all([OutgoingEvent(user_ids=[], kind="end", data=" ".join(ids))])


def tell_processes(kind: str, data: str) -> None:
    """Tell the events processes something of their own after the commit: that ``blocks`` of a person have changed."""
    publish_all([OutgoingEvent(user_ids=[], kind=kind, data=data)])


def send_pending(limit: int = 500) -> int:
    """Make sure that events committed a few seconds ago are in Redis, and delete their rows; returns how many.

    While Redis is away nothing is deleted and 0 returned.
    """
    with transaction.atomic():
        old = OutgoingEvent.objects.filter(created_at__lt=Now() - SWEEP_AFTER)
        rows = list(old.annotate(late=Now() - LATE).order_by("pk").select_for_update(skip_locked=True)[:limit])
        try:
            for row in rows:
                if row.created_at < row.late and row.user_ids:
                    row.kind, row.data, row.receipt = "resync", "{}", None
                _send(row)
        except redis.exceptions.RedisError:
            transaction.set_rollback(True)
            return 0
        OutgoingEvent.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)


def _send_all(rows: list[OutgoingEvent]) -> None:
    for row in rows:
        _send(row)


def _send(row: OutgoingEvent) -> None:
    client = redis_client()
    if not row.user_ids:
        with client.pipeline() as pipe:
            if row.kind == "end":
                # A ticket may have been given out before, and be presented only now.
                for session in row.data.split():
                    pipe.set(ended_key(session), 1, ex=2 * tickets.SECONDS)
            pipe.publish(CHANNEL, f"{row.kind} {row.data}")
            pipe.execute()
        return
    script = client.register_script(_SCRIPT)
    body = f"atrium:event:{row.key.hex}"
    receipt = "" if row.receipt is None else row.receipt
    for start in range(0, len(row.user_ids), BATCH):
        people = row.user_ids[start : start + BATCH]
        # The first batch's marker is the body itself.
        keys = [f"{body}:{start}" if start else body, body]
        script(keys, ["" if start else row.data, row.kind, receipt, KEPT, EXPIRES, CHANNEL, *people])


def take_sent(limit: int = 5000) -> list[tuple[int, int]]:
    """The oldest ``(user_id, receipt)`` pairs that streams have passed on; :func:`forget_sent` removes them."""
    pairs = (entry.split() for entry in redis_client().lrange(SENT, 0, limit - 1))  # type: ignore[union-attr]
    return [(int(user_id), int(receipt)) for user_id, receipt in pairs]


def forget_sent(count: int) -> None:
    redis_client().ltrim(SENT, count, -1)
