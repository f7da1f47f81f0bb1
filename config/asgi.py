"""The events process: open streams, fed by Redis, so that none of them holds a thread of the web process.

``GET /e/?ticket=…`` is where the web process' ``GET /api/v1/events/`` sends a client on to: server-sent events, or one
JSON answer where the ticket is for a long poll. ``GET /healthz/`` says that the process lives, ``GET /readyz/`` whether
it reaches Redis. Django's apps are not loaded here: the ticket says all there is to know, and Redis holds the rest.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.conf import settings
from django.utils.log import configure_logging

from . import tickets
from .logs import sane_request_id
from .streams import Event, Hub, RedisAway, Stream

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

COMMENT_EVERY = 15.0  # seconds of silence after which a comment shows that the line is alive
SEND_LIMIT = 10.0  # seconds in which a client has to take what it is sent
LIFE = 3600.0  # seconds; then the client comes back through the web process, which asks anew who it is
RETRY = 2000  # milliseconds that a browser waits before it comes back by itself

configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
hub = Hub(settings.REDIS_URL)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        await _live(receive, send)
    elif scope["type"] == "http":
        await Request(scope, receive, send).answer()


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    task = asyncio.create_task(hub.run())
    _close_streams_on(signal.SIGTERM, signal.SIGINT)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    await send({"type": "lifespan.shutdown.complete"})


def _close_streams_on(*signals: signal.Signals) -> None:
    """Have the streams end when the server is told to stop: it waits for them before it says so to the application.

    The loop's own handlers, which are the server's, are called as well: they hang on the wake-up descriptor.
    """
    loop = asyncio.get_running_loop()
    for number in signals:
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(hub.close_all, "stopping"))


class Request:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.receive, self._send = receive, send
        self.method, self.path = scope["method"], scope["path"]
        self.query = parse_qs(scope["query_string"].decode("latin-1"))
        self.headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        self.request_id = sane_request_id(self.headers.get(b"x-request-id", ""))
        self.origins = {settings.PUBLIC_URL, *settings.CORS_ALLOWED_ORIGINS}

    async def answer(self) -> None:
        match self.method, self.path:
            case "GET" | "HEAD", "/healthz/":
                await self.json(200, {"status": "ok", "streams": hub.count(), "online": hub.online()})
            case "GET" | "HEAD", "/readyz/":
                await self.json(200 if hub.ready else 503, {"status": "ok" if hub.ready else "unavailable"})
            case "OPTIONS", "/e/":
                await self.start(204, [("access-control-allow-headers", "last-event-id, authorization, cache-control")])
                await self.body(b"", more=False)
            case "GET", "/e/":
                await self.events()
            case _, "/e/" | "/healthz/" | "/readyz/":
                await self.error(405, "method_not_allowed", "Only GET is answered here.")
            case _:
                await self.error(404, "not_found", "There is nothing at this address.")

    async def events(self) -> None:
        try:
            ticket = tickets.read(self.query.get("ticket", [""])[0])
        except tickets.BadTicket:
            return await self.bad_ticket()
        self.origins.add(ticket.origin)
        if not hub.ready:
            return await self.away()
        stream = Stream(ticket.user_id, ticket.session)
        stream.wants_presence = ticket.wait is None
        gone: asyncio.Task | None = None
        try:
            if not await hub.first_use(ticket.nonce, tickets.SECONDS):
                return await self.bad_ticket()
            # A browser that comes back by itself names the event it saw last in a header.
            last = self.headers.get(b"last-event-id") or ticket.last_event_id
            whole = await hub.open(stream, last)
            if stream.reason == "session_ended":
                return await self.bad_ticket()
            gone = asyncio.create_task(self.disconnected(stream))
            if ticket.wait is None:
                await self.stream(stream, whole)
            else:
                await self.poll(stream, whole, ticket.wait)
        except RedisAway:
            await self.away()
        finally:
            hub.leave(stream)
            if gone:
                gone.cancel()

    # --- The two ways to be told --------------------------------------------------------------------------------------

    async def stream(self, stream: Stream, whole: bool) -> None:
        await self.start(200, [("content-type", "text/event-stream"), ("x-accel-buffering", "no")])
        first = [Event(stream.start, "ready" if whole else "resync", b"{}", b"")]
        if not await self.pass_on(stream, first, b"retry: %d\n\n" % RETRY):
            return
        end = time.monotonic() + LIFE
        while not stream.closed.is_set() and time.monotonic() < end:
            news = await stream.take(COMMENT_EVERY)
            if stream.closed.is_set() and stream.reason == "session_ended":
                break
            if not await self.pass_on(stream, news, b"" if news else b": still here\n\n"):
                return
        with contextlib.suppress(TimeoutError):
            await self.body(b"", more=False)

    async def pass_on(self, stream: Stream, news: Iterable[Event], before: bytes) -> bool:
        """Send events; False where the client is gone, or does not take them in time and is dropped."""
        frames = [before]
        for event in news:
            identity = hub.format_id(event.id).encode()
            frames.append(b"id: %s\nevent: %s\ndata: %s\n\n" % (identity, event.kind.encode(), event.body))
        try:
            await self.body(b"".join(frames), more=True)
        except TimeoutError:
            stream.close("slow")
            return False
        hub.passed_on(stream, news)
        return not (stream.closed.is_set() and stream.reason == "gone")

    async def poll(self, stream: Stream, whole: bool, wait: int) -> None:
        news = [] if not whole else await stream.take(wait)
        if stream.closed.is_set() and stream.reason == "session_ended":
            return await self.error(401, "not_authenticated", "The session has ended.")
        if not whole:
            news = [Event(stream.start, "resync", b"{}", b"")]
        last = hub.format_id(news[-1].id if news else stream.start)
        entries = b",".join(
            b'{"id":"%s","type":"%s","data":%s}' % (hub.format_id(e.id).encode(), e.kind.encode(), e.body) for e in news
        )
        await self.start(200, [("content-type", "application/json")])
        with contextlib.suppress(TimeoutError):
            await self.body(b'{"events":[%s],"last_event_id":"%s"}' % (entries, last.encode()), more=False)
            hub.passed_on(stream, news)

    async def disconnected(self, stream: Stream) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        stream.close("gone")

    # --- HTTP ---------------------------------------------------------------------------------------------------------

    async def start(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        sent = [("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("vary", "Origin"), *headers]
        sent += [("x-request-id", self.request_id)]
        if (origin := self.headers.get(b"origin")) in self.origins and origin:
            sent += [("access-control-allow-origin", origin), ("access-control-allow-credentials", "true")]
            sent += [("access-control-expose-headers", "Retry-After, X-Request-ID")]
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [(name.encode(), value.encode("latin-1")) for name, value in sent],
            }
        )

    async def body(self, content: bytes, *, more: bool) -> None:
        message = {"type": "http.response.body", "body": content, "more_body": more}
        await asyncio.wait_for(self._send(message), SEND_LIMIT)

    async def json(self, status: int, data: object, *headers: tuple[str, str]) -> None:
        await self.start(status, [("content-type", "application/json"), *headers])
        await self.body(b"" if self.method == "HEAD" else json.dumps(data).encode(), more=False)

    async def error(self, status: int, code: str, detail: str, *headers: tuple[str, str]) -> None:
        kind = "server_error" if status >= 500 else "client_error"
        await self.json(status, {"type": kind, "errors": [{"code": code, "detail": detail, "attr": None}]}, *headers)

    async def bad_ticket(self) -> None:
        detail = "This ticket is spent, expired or not one of ours. Ask /api/v1/events/ for another."
        await self.error(401, "invalid_ticket", detail)

    async def away(self) -> None:
        detail = "The service is not available for the moment. Please try again."
        await self.error(503, "service_unavailable", detail, ("retry-after", "2"))
