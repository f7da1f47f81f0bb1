"""The events process' memory: which streams are open, whose they are, and what Redis has for them.

One subscription serves the whole process. A notice on it says for whom there is something new, and what that is is read
from the stream of each such person. When Redis is lost every stream is closed: the clients come back through the web
process, which asks anew who they are, with the id of the last event they saw.
"""

import asyncio
import contextlib
import json
import time
from collections import OrderedDict
from collections.abc import Iterable, Set
from typing import Any, NamedTuple

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

from . import wire

logger = structlog.get_logger("atrium.streams")

QUEUE = 256  # events that a client may lag behind before it is dropped
STREAMS_A_PERSON = 20  # tabs and devices; one more closes the oldest
TICK = 5.0  # seconds between two looks at who is online and whether Redis is still the same
BODIES = 2000  # bodies of events kept at hand: many people are told the same
AHEAD = 60.0  # seconds by which Redis' clock may be ahead of this one
MANY = 100  # people who come or go at once; above, clients are told to fetch the list

# An epoch lasts for as long as Redis has lost nothing: a restart may have, and a flush has.
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


class RedisAway(Exception):
    """Redis cannot be asked now."""


class Stream:
    """One open connection: what it still has to be sent, and whether it should end."""

    def __init__(self, user_id: int, session: str) -> None:
        self.user_id, self.session = user_id, session
        self.start = self.position = START
        self.hidden: frozenset[int] = frozenset()
        self.wants_presence = True
        self.closed = asyncio.Event()
        self.reason = ""
        self._waiting: list[Event] = []
        self._news = asyncio.Event()

    def offer(self, event: Event) -> None:
        """Have ``event`` sent, unless it was; a client that is too far behind is dropped instead."""
        if event.kind != "presence":
            if event.id <= self.position:
                return
            self.position = event.id
        if len(self._waiting) >= QUEUE:
            return self.close("slow")
        self._waiting.append(event)
        self._news.set()

    def begin(self, backlog: Iterable[Event]) -> None:
        """What the client has missed: as long as it may be, since it is bounded by what Redis keeps."""
        self._waiting.extend(backlog)
        if self._waiting:
            self._news.set()

    async def take(self, timeout: float) -> list[Event]:
        """Everything there is to send, waiting for it up to ``timeout`` seconds; empty when nothing came."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), timeout)
        self._news.clear()
        taken, self._waiting = self._waiting, []
        return taken

    def close(self, reason: str) -> None:
        self.reason = self.reason or reason
        self.closed.set()
        self._news.set()


class Hub:
    """All streams of this process."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.ready = False
        self.epoch = self._run_id = ""
        self.people: dict[int, list[Stream]] = {}
        self._dirty: set[int] = set()
        self._wake = asyncio.Event()
        self._look = asyncio.Event()  # at who is online, now
        self._sent: list[str] = []
        self._online: set[int] | None = None
        self._cards: dict[int, dict[str, Any]] = {}
        self._bodies: OrderedDict[bytes, bytes] = OrderedDict()
        self._touched = 0.0
        self._redis: redis.Redis = self._connect()

    def _connect(self) -> redis.Redis:
        pool = redis.BlockingConnectionPool.from_url(
            self.url, max_connections=16, timeout=5, socket_connect_timeout=2, socket_timeout=4
        )
        return redis.Redis(connection_pool=pool)

    # --- The life of the process --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled, through any number of outages of Redis."""
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
        async with self._connect() as self._redis, self._redis.pubsub() as pubsub:
            await pubsub.subscribe(wire.CHANNEL)
            self._run_id = (await self._redis.info("server"))["run_id"][:8]
            self._online = None
            self._touched = 0.0
            self.epoch = await self._current_epoch()
            await self._tell_who_is_online()  # whoever comes after this is news to every stream
            self.ready = True
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(pubsub))
                group.create_task(self._pump())
                group.create_task(self._watch())

    async def _current_epoch(self) -> str:
        stamp = f"{time.time_ns() // 1_000_000:x}"
        epoch = await self._redis.eval(_EPOCH, 1, wire.EPOCH, self._run_id, stamp)  # type: ignore[misc]
        return epoch.decode()

    async def _listen(self, pubsub: Any) -> None:
        while True:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=TICK)
            if message is not None:
                self._notice(message["data"].decode())

    def _notice(self, text: str) -> None:
        kind, _, data = text.partition(" ")
        if kind == "user":
            self._dirty.update(user_id for user_id in map(int, data.split(",")) if user_id in self.people)
            if self._dirty:
                self._wake.set()
        elif kind == "end":
            ended = set(data.split())
            for stream in self.streams():
                if stream.session in ended:
                    stream.close("session_ended")
        elif kind == "hidden":
            user_id, _, hidden = data.partition(" ")
            for stream in self.people.get(int(user_id), ()):
                self._hide(stream, wire.parse_ids(hidden))
        elif kind == "presence":
            self._look.set()

    # --- Streams ------------------------------------------------------------------------------------------------------

    def streams(self) -> list[Stream]:
        return [stream for streams in self.people.values() for stream in streams]

    def close_all(self, reason: str) -> None:
        for stream in self.streams():
            stream.close(reason)

    def count(self) -> int:
        return sum(map(len, self.people.values()))

    def online(self) -> int:
        """How many people were online when this process last looked."""
        return len(self._online or ())

    async def first_use(self, nonce: str, seconds: int) -> bool:
        """Whether a ticket is presented for the first time. Raises RedisAway."""
        return bool(await self._ask(self._redis.set(wire.ticket_key(nonce), 1, nx=True, ex=seconds + 5)))

    async def open(self, stream: Stream, last_event_id: str) -> bool:
        """Begin to feed ``stream`` from behind ``last_event_id``; returns False where events may have been missed.

        Raises RedisAway.
        """
        await self._ask(self._check_epoch())
        since = self.parse_id(last_event_id)
        lost = since is None or await self._ask(self._has_gap(stream.user_id, since))
        if since is None or lost:
            stream.start = stream.position = await self._ask(self._newest(stream.user_id))
        else:
            [missed] = await self._ask(self._read([(stream.user_id, since)]))
            stream.begin(missed)
            stream.start = since
            stream.position = missed[-1].id if missed else since
        stream.hidden = wire.parse_ids(await self._ask(self._redis.get(wire.hidden_key(stream.user_id))))
        theirs = self.people.setdefault(stream.user_id, [])
        theirs.append(stream)
        if len(theirs) > STREAMS_A_PERSON:
            theirs[0].close("too_many")
        # What came between the reading and the line above is found by looking once more.
        self._dirty.add(stream.user_id)
        self._wake.set()
        if await self._ask(self._redis.exists(wire.ended_key(stream.session))):
            stream.close("session_ended")
            return False
        await self._ask(self._redis.zadd(wire.ONLINE, {str(stream.user_id): time.time()}))
        self._look.set()
        return not (lost and last_event_id)

    def leave(self, stream: Stream) -> None:
        theirs = self.people.get(stream.user_id, [])
        if stream in theirs:
            theirs.remove(stream)
            if not theirs:
                del self.people[stream.user_id]

    def passed_on(self, stream: Stream, sent: Iterable[Event]) -> None:
        """Note that a client was sent these events, for the app that asked for a receipt."""
        self._sent += [f"{stream.user_id} {event.receipt.decode()}" for event in sent if event.receipt]

    async def _ask(self, question: Any) -> Any:
        try:
            return await question
        except (RedisError, OSError) as error:
            raise RedisAway from error

    # --- Ids ----------------------------------------------------------------------------------------------------------

    def format_id(self, position: Position) -> str:
        return f"{position[0]}-{position[1]}-{self.epoch}"

    def parse_id(self, text: str) -> Position | None:
        """The position that an event id names, or None where it is no id of this epoch."""
        milliseconds, _, rest = text.partition("-")
        sequence, _, epoch = rest.partition("-")
        if epoch != self.epoch or not (milliseconds.isdecimal() and sequence.isdecimal()) or len(text) > 100:
            return None
        position = int(milliseconds), int(sequence)
        # Redis knows no larger numbers; and what is to come yet, nobody has seen.
        if position[0] > (time.time() + AHEAD) * 1000 or position[1] >= 2**63:
            return None
        return position

    async def _newest(self, user_id: int) -> Position:
        last = await self._redis.xrevrange(wire.stream_key(user_id), count=1)
        return _position(last[0][0]) if last else (int(time.time() * 1000) - 1000, 0)

    async def _has_gap(self, user_id: int, since: Position) -> bool:
        """Whether events behind ``since`` may be gone already."""
        if since[0] < (time.time() - wire.EXPIRES + 60) * 1000:
            return True
        first = await self._redis.xrange(wire.stream_key(user_id), count=1)
        if not first or _position(first[0][0]) <= since:
            return False
        about = await self._redis.xinfo_stream(wire.stream_key(user_id))
        return about["entries-added"] > about["length"]

    # --- From Redis to the streams ------------------------------------------------------------------------------------

    async def _pump(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._dirty:
                ids = [self._dirty.pop() for _ in range(min(200, len(self._dirty)))]
                asked = [(i, min(stream.position for stream in self.people[i])) for i in ids if i in self.people]
                for (user_id, _), found in zip(asked, await self._read(asked), strict=True):
                    for stream in self.people.get(user_id, ()):
                        for event in found:
                            stream.offer(event)

    async def _read(self, asked: list[tuple[int, Position]]) -> list[list[Event]]:
        """The events behind each person's position."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for user_id, (milliseconds, sequence) in asked:
                pipe.xrange(wire.stream_key(user_id), min=f"({milliseconds}-{sequence}")
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
            while len(self._bodies) > BODIES:
                self._bodies.popitem(last=False)
        return bodies

    # --- Who is online ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        looked = 0.0
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._look.wait(), 0.25 if self._sent else TICK)
            if self._sent:
                sent, self._sent = self._sent, []
                await self._redis.rpush(wire.SENT, *sent)  # type: ignore[misc]
            since = time.monotonic() - looked
            if self._look.is_set() and since < 1:
                await asyncio.sleep(1 - since)
            elif not self._look.is_set() and since < TICK:
                continue
            self._look.clear()
            looked = time.monotonic()
            await self._check_epoch()
            await self._touch()
            await self._tell_who_is_online()

    async def _check_epoch(self) -> None:
        epoch = await self._current_epoch()
        if epoch != self.epoch:
            logger.warning("redis_flushed", streams=self.count())
            self.epoch = epoch
            self._bodies.clear()
            for stream in self.streams():
                stream.begin([Event(stream.position, "resync", b"{}", b"")])

    async def _touch(self) -> None:
        """An open stream is a sign of life."""
        if self.people and time.monotonic() - self._touched > wire.WINDOW / 4:
            self._touched = time.monotonic()
            now = time.time()
            await self._redis.zadd(wire.ONLINE, {str(user_id): now for user_id in self.people})

    async def _tell_who_is_online(self) -> None:
        rows = await self._redis.zrangebyscore(wire.ONLINE, time.time() - wire.WINDOW, "+inf", withscores=True)
        seen = {int(user_id): score for user_id, score in rows}
        before = self._online
        if new := seen.keys() - (before or set()):
            cards = await self._redis.hmget(wire.PEOPLE, [str(user_id) for user_id in new])  # type: ignore[misc]
            self._cards |= {user_id: json.loads(card) for user_id, card in zip(new, cards, strict=True) if card}
        # Whose card is not there yet, between the two steps of a heartbeat, is told of at the next look.
        self._online = seen.keys() & self._cards.keys()
        came = self._online - before if before is not None else set()
        gone = (before or set()) - self._online
        if came or gone:
            self._tell(came, gone, seen)
        for user_id in gone:
            self._cards.pop(user_id, None)

    def _tell(self, came: set[int], gone: set[int], seen: dict[int, float]) -> None:
        many = len(came) + len(gone) > MANY
        bodies: dict[frozenset[int], bytes] = {}
        for stream in self.streams():
            if not stream.wants_presence:
                continue
            hidden = stream.hidden & (came | gone)
            if hidden not in bodies:
                bodies[hidden] = (
                    b'{"refresh":true,"online":[],"offline":[]}'
                    if many
                    else self._body(came - hidden, gone - hidden, seen)
                )
            if bodies[hidden]:
                stream.offer(Event(stream.position, "presence", bodies[hidden], b""))

    def _hide(self, stream: Stream, hidden: frozenset[int]) -> None:
        """Whom a person does not see online has changed; what their stream was told before is put right."""
        before, stream.hidden = stream.hidden, hidden
        online = self._online or set()
        body = self._body((before - hidden) & online, (hidden - before) & online, dict.fromkeys(online, time.time()))
        if body and stream.wants_presence:
            stream.offer(Event(stream.position, "presence", body, b""))

    def _body(self, came: Set[int], gone: Set[int], seen: dict[int, float]) -> bytes:
        online = [
            {**self._cards[user_id], "last_seen": wire.instant(seen[user_id])}
            for user_id in sorted(came)
            if user_id in self._cards
        ]
        offline = [self._cards[user_id]["usercode"] for user_id in sorted(gone) if user_id in self._cards]
        return json.dumps({"online": online, "offline": offline}).encode() if online or offline else b""


def _position(entry: bytes) -> Position:
    milliseconds, _, sequence = entry.partition(b"-")
    return int(milliseconds), int(sequence)
