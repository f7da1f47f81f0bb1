"""The state of the events process: the open streams, their users, and what Redis has for them.

One subscription serves the whole process. A notice on it names the users with new events, which are then read from the
Redis stream of each. When the connection to Redis is lost every stream is closed: the clients reconnect through the web
process, which checks again who they are, with the id of the last event they saw.
"""

import asyncio
import contextlib
import json
import os
import socket
import time
from collections import OrderedDict
from collections.abc import Iterable, Set
from typing import Any, NamedTuple

import structlog
from redis.exceptions import RedisError

from config.cache.redis import async_client

from . import redis_keys

logger = structlog.get_logger("atrium.streams")

MAX_QUEUE = 256  # unsent events after which a slow client is disconnected
STREAMS_PER_USER = 20  # tabs and devices; one more closes the oldest
CHECK_EVERY = 5.0  # seconds between two checks of who is online and whether Redis has lost data
CACHED_BODIES = 2000  # event bodies held in memory: many users get the same event
CLOCK_SKEW = 60.0  # seconds by which the clock of Redis may be ahead of this one
MAX_PRESENCE_CHANGES = 100  # in one event; above, clients are asked to fetch the list

# The epoch changes when Redis may have lost data: after a restart and after a flush.
_EPOCH = """
local epoch = redis.call('GET', KEYS[1])
if not epoch or string.sub(epoch, 1, 8) ~= ARGV[1] then
  epoch = ARGV[1] .. ARGV[2]
  redis.call('SET', KEYS[1], epoch)
end
return epoch
"""

Position = tuple[int, int]
START: Position = (0, 0)


class Event(NamedTuple):
    id: Position
    kind: str
    body: bytes
    receipt: bytes


class RedisUnavailable(Exception):
    """Redis cannot be reached now."""


class Stream:
    """One open connection: the events still to be sent, and whether it should end."""

    def __init__(self, user_id: int, session: str) -> None:
        self.user_id, self.session = user_id, session
        self.start = self.position = START
        self.hidden: frozenset[int] = frozenset()
        self.wants_presence = True
        self.kinds: frozenset[str] | None = None  # of the events that it carries; None for all
        self.closed = asyncio.Event()
        self.reason = ""
        self._queue: list[Event] = []
        self._has_events = asyncio.Event()

    def enqueue(self, event: Event) -> None:
        """Queue ``event`` unless it was sent before; a client that is too far behind is disconnected instead."""
        if event.kind != "presence":
            if event.id <= self.position:
                return
            self.position = event.id
        if not self._carries(event):
            return
        if len(self._queue) >= MAX_QUEUE:
            return self.close("slow")
        self._queue.append(event)
        self._has_events.set()

    def enqueue_missed(self, events: Iterable[Event]) -> None:
        """Queue what the client has missed. ``MAX_QUEUE`` does not apply: Redis stores a bounded number of events."""
        self._queue.extend(event for event in events if self._carries(event))
        if self._queue:
            self._has_events.set()

    def _carries(self, event: Event) -> bool:
        return self.kinds is None or event.kind in self.kinds or event.kind == "resync"

    async def drain(self, timeout: float) -> list[Event]:
        """Return all queued events; wait up to ``timeout`` seconds for the first. Empty if none came."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_events.wait(), timeout)
        self._has_events.clear()
        drained, self._queue = self._queue, []
        return drained

    def close(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.closed.set()
        self._has_events.set()


class Hub:
    """All streams of this process."""

    def __init__(self) -> None:
        self.ready = False
        self.epoch = self._run_id = ""
        self.users: dict[int, list[Stream]] = {}
        self._changed_users: set[int] = set()  # users whose Redis stream has something new
        self._changed = asyncio.Event()
        self._check_presence = asyncio.Event()
        self._receipts: list[str] = []
        self._online: set[int] | None = None
        self._cards: dict[int, dict[str, Any]] = {}
        self._bodies: OrderedDict[bytes, bytes] = OrderedDict()
        self._touched = 0.0
        self._redis = async_client()

    async def run(self) -> None:
        """Serve until cancelled; reconnect after an outage of Redis."""
        while True:
            try:
                await self._serve()
            except* (RedisError, OSError) as lost:
                if self.ready:
                    logger.warning("redis_lost", error=type(lost.exceptions[0]).__name__, streams=self.count())
            finally:
                self.ready = False
                self.close_all("redis")
            await asyncio.sleep(0.5)

    async def _serve(self) -> None:
        async with async_client() as self._redis, self._redis.pubsub() as pubsub:
            await pubsub.subscribe(redis_keys.CHANNEL)
            self._run_id = (await self._redis.info("server"))["run_id"][:8]
            self._online = None
            self._touched = 0.0
            self.epoch = await self._current_epoch()
            await self._publish_presence()  # the state to which later changes are compared
            self.ready = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(pubsub))
                group.create_task(self._pump())
                group.create_task(self._watch())

    async def _current_epoch(self) -> str:
        stamp = f"{time.time_ns() // 1_000_000:x}"
        epoch = await self._redis.eval(_EPOCH, 1, redis_keys.EPOCH, self._run_id, stamp)
        return epoch.decode()

    async def _listen(self, pubsub: Any) -> None:
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=CHECK_EVERY)
            if message is not None:
                self._handle_notice(message["data"].decode())

    def _handle_notice(self, text: str) -> None:
        kind, _, data = text.partition(" ")
        if kind == "user":
            self._changed_users.update(user_id for user_id in map(int, data.split(",")) if user_id in self.users)
            if self._changed_users:
                self._changed.set()
        elif kind == "end":
            ended = set(data.split())
            for stream in self.streams():
                if stream.session in ended:
                    stream.close("session_ended")
        elif kind == "hidden":
            user_id, _, hidden = data.partition(" ")
            for stream in self.users.get(int(user_id), ()):
                self._update_hidden(stream, redis_keys.parse_ids(hidden))
        elif kind == "presence":
            self._check_presence.set()
        elif kind == "erase":
            self._bodies.clear()

    # --- Streams ------------------------------------------------------------------------------------------------------

    def streams(self) -> list[Stream]:
        return [stream for streams in self.users.values() for stream in streams]

    def close_all(self, reason: str) -> None:
        for stream in self.streams():
            stream.close(reason)

    def count(self) -> int:
        return sum(map(len, self.users.values()))

    def online(self) -> int:
        """Return how many users were online at the last check."""
        return len(self._online or ())

    async def first_use(self, nonce: str, seconds: int) -> bool:
        """Return whether a ticket is used for the first time; raises RedisUnavailable."""
        return bool(await self._ask(self._redis.set(redis_keys.ticket_key(nonce), 1, nx=True, ex=seconds + 5)))

    async def open(self, stream: Stream, last_event_id: str) -> bool:
        """Register ``stream`` and queue what came after ``last_event_id``; return False if events may be missing.

        Raises RedisUnavailable.
        """
        await self._ask(self._check_epoch())
        since = self.parse_id(last_event_id)
        lost = since is None or await self._ask(self._has_gap(stream.user_id, since))
        if since is None or lost:
            stream.start = stream.position = await self._ask(self._newest_position(stream.user_id))
        else:
            [missed] = await self._ask(self._read([(stream.user_id, since)]))
            stream.enqueue_missed(missed)
            stream.start = since
            stream.position = missed[-1].id if missed else since
        stream.hidden = redis_keys.parse_ids(await self._ask(self._redis.get(redis_keys.hidden_key(stream.user_id))))
        theirs = self.users.setdefault(stream.user_id, [])
        theirs.append(stream)
        if len(theirs) > STREAMS_PER_USER:
            theirs[0].close("too_many")
        # Read once more: an event may have come between the first read and the line above.
        self._changed_users.add(stream.user_id)
        self._changed.set()
        if await self._ask(self._redis.exists(redis_keys.ended_key(stream.session))):
            stream.close("session_ended")
            return False
        await self._ask(self._redis.zadd(redis_keys.ONLINE, {str(stream.user_id): time.time()}))
        self._check_presence.set()
        return not (lost and last_event_id)

    def remove(self, stream: Stream) -> None:
        theirs = self.users.get(stream.user_id, [])
        if stream in theirs:
            theirs.remove(stream)
            if not theirs:
                del self.users[stream.user_id]

    def record_sent(self, stream: Stream, sent: Iterable[Event]) -> None:
        """Store receipts for the events that a client was sent (``events.publish(…, receipt=…)``)."""
        self._receipts += [f"{stream.user_id} {event.receipt.decode()}" for event in sent if event.receipt]

    async def _ask(self, command: Any) -> Any:
        try:
            return await command
        except (RedisError, OSError) as error:
            raise RedisUnavailable from error

    # --- Ids ----------------------------------------------------------------------------------------------------------

    def format_id(self, position: Position) -> str:
        return f"{position[0]}-{position[1]}-{self.epoch}"

    def parse_id(self, text: str) -> Position | None:
        """Return the position that an event id names, or None if it is not an id of this epoch."""
        milliseconds, _, rest = text.partition("-")
        sequence, _, epoch = rest.partition("-")
        if epoch != self.epoch or not (milliseconds.isdecimal() and sequence.isdecimal()) or len(text) > 100:
            return None
        position = int(milliseconds), int(sequence)
        # A position in the future or beyond the range of Redis was never sent to a client.
        if position[0] > (time.time() + CLOCK_SKEW) * 1000 or position[1] >= 2**63:
            return None
        return position

    async def _newest_position(self, user_id: int) -> Position:
        last = await self._redis.xrevrange(redis_keys.stream_key(user_id), count=1)
        return _position(last[0][0]) if last else (int(time.time() * 1000) - 1000, 0)

    async def _has_gap(self, user_id: int, since: Position) -> bool:
        """Return whether Redis may have dropped events after ``since``."""
        if since[0] < (time.time() - redis_keys.EVENTS_EXPIRE + 60) * 1000:
            return True
        first = await self._redis.xrange(redis_keys.stream_key(user_id), count=1)
        if not first or _position(first[0][0]) <= since:
            return False
        about = await self._redis.xinfo_stream(redis_keys.stream_key(user_id))
        return about["entries-added"] > about["length"]

    # --- From Redis to the streams ------------------------------------------------------------------------------------

    async def _pump(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._changed_users:
                ids = [self._changed_users.pop() for _ in range(min(200, len(self._changed_users)))]
                wanted = [(i, min(stream.position for stream in self.users[i])) for i in ids if i in self.users]
                for (user_id, _), found in zip(wanted, await self._read(wanted), strict=True):
                    for stream in self.users.get(user_id, ()):
                        for event in found:
                            stream.enqueue(event)

    async def _read(self, wanted: list[tuple[int, Position]]) -> list[list[Event]]:
        """Return the events after each user's position, in the order of ``wanted``."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for user_id, (milliseconds, sequence) in wanted:
                pipe.xrange(redis_keys.stream_key(user_id), min=f"({milliseconds}-{sequence}")
            answers = await pipe.execute()
        bodies = await self._load({fields[b"e"] for entries in answers for _, fields in entries})
        return [
            [
                Event(_position(entry), fields[b"k"].decode(), body, fields[b"r"])
                if (body := bodies.get(fields[b"e"])) is not None
                else Event(_position(entry), "resync", b"{}", b"")
                for entry, fields in entries
            ]
            for entries in answers
        ]

    async def _load(self, keys: set[bytes]) -> dict[bytes, bytes | None]:
        bodies: dict[bytes, bytes | None] = {key: self._bodies.get(key) for key in keys}
        if missing := [key for key, body in bodies.items() if body is None]:
            for key, body in zip(missing, await self._redis.mget(missing), strict=True):
                bodies[key] = body
                if body is not None:
                    self._bodies[key] = body
            while len(self._bodies) > CACHED_BODIES:
                self._bodies.popitem(last=False)
        return bodies

    # --- Presence -----------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        checked = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._check_presence.wait(), 0.25 if self._receipts else CHECK_EVERY)
            if self._receipts:
                receipts, self._receipts = self._receipts, []
                await self._redis.rpush(redis_keys.RECEIPTS, *receipts)
            since = time.monotonic() - checked
            if self._check_presence.is_set() and since < 1:
                await asyncio.sleep(1 - since)
            elif not self._check_presence.is_set() and since < CHECK_EVERY:
                continue
            self._check_presence.clear()
            checked = time.monotonic()
            await self._check_epoch()
            await self._touch()
            await self._report()
            await self._publish_presence()

    async def _check_epoch(self) -> None:
        epoch = await self._current_epoch()
        if epoch != self.epoch:
            logger.warning("redis_flushed", streams=self.count())
            self.epoch = epoch
            self._bodies.clear()
            self._touched = 0.0  # nobody is online any more
            for stream in self.streams():
                stream.enqueue_missed([Event(stream.position, "resync", b"{}", b"")])

    async def _touch(self) -> None:
        """Mark the users of open streams as online."""
        if self.users and time.monotonic() - self._touched > redis_keys.ONLINE_SECONDS / 4:
            self._touched = time.monotonic()
            now = time.time()
            await self._redis.zadd(redis_keys.ONLINE, {str(user_id): now for user_id in self.users})

    async def _report(self) -> None:
        """Store how many streams are open, for ``/metrics/`` of the web process."""
        name, report = f"{socket.gethostname()}:{os.getpid()}", f"{time.time():.0f} {self.count()}"
        await self._redis.hset(redis_keys.PROCESSES, name, report)
        # Reports of processes that have ended go with the last one.
        await self._redis.expire(redis_keys.PROCESSES, 3 * redis_keys.PROCESS_SECONDS)

    async def _publish_presence(self) -> None:
        """Find out who is online and send the changes to the open streams."""
        rows = await self._redis.zrangebyscore(
            redis_keys.ONLINE, time.time() - redis_keys.ONLINE_SECONDS, "+inf", withscores=True
        )
        seen = {int(user_id): score for user_id, score in rows}
        before = self._online
        if new := seen.keys() - (before or set()):
            cards = await self._redis.hmget(redis_keys.CARDS, [str(user_id) for user_id in new])
            self._cards |= {user_id: json.loads(card) for user_id, card in zip(new, cards, strict=True) if card}
        # A user whose card is not stored yet, between the two steps of a heartbeat, is published at the next check.
        self._online = seen.keys() & self._cards.keys()
        came = self._online - before if before is not None else set()
        gone = (before or set()) - self._online
        if came or gone:
            self._send_presence(came, gone, seen)
        for user_id in gone:
            self._cards.pop(user_id, None)

    def _send_presence(self, came: set[int], gone: set[int], seen: dict[int, float]) -> None:
        many = len(came) + len(gone) > MAX_PRESENCE_CHANGES
        bodies: dict[frozenset[int], bytes] = {}
        for stream in self.streams():
            if not stream.wants_presence:
                continue
            hidden = stream.hidden & (came | gone)
            if hidden not in bodies:
                bodies[hidden] = (
                    b'{"refresh":true,"online":[],"offline":[]}'
                    if many
                    else self._presence_body(came - hidden, gone - hidden, seen)
                )
            if bodies[hidden]:
                stream.enqueue(Event(stream.position, "presence", bodies[hidden], b""))

    def _update_hidden(self, stream: Stream, hidden: frozenset[int]) -> None:
        """Store which users are hidden from the stream's user, and send the difference."""
        before, stream.hidden = stream.hidden, hidden
        online = self._online or set()
        body = self._presence_body(
            (before - hidden) & online, (hidden - before) & online, dict.fromkeys(online, time.time())
        )
        if body and stream.wants_presence:
            stream.enqueue(Event(stream.position, "presence", body, b""))

    def _presence_body(self, came: Set[int], gone: Set[int], seen: dict[int, float]) -> bytes:
        online = [
            {**self._cards[user_id], "last_seen": redis_keys.instant(seen[user_id])}
            for user_id in sorted(came)
            if user_id in self._cards
        ]
        offline = [self._cards[user_id]["usercode"] for user_id in sorted(gone) if user_id in self._cards]
        return json.dumps({"online": online, "offline": offline}).encode() if online or offline else b""


def _position(entry: bytes) -> Position:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence)
