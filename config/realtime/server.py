"""The events process: open streams, fed by Redis, so that none of them holds a thread of the web process.

``GET /e/?ticket=…`` is where ``GET /api/v1/events/`` of the web process redirects to: server-sent events, or one JSON
answer if the ticket is for a long poll. ``GET /healthz/`` reports that the process runs, ``GET /readyz/`` whether it
reaches Redis. Django's apps are not loaded: a ticket and Redis contain everything that is needed.
"""

import asyncio
import contextlib
import json
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from django.conf import settings

from config.logs import TOKEN_PREFIX, sane_request_id

from . import tickets
from .hub import Event, Hub, RedisUnavailable, Stream

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

COMMENT_EVERY = 15.0  # seconds without an event after which a comment shows that the connection is alive
SEND_TIMEOUT = 10.0  # seconds within which a client must receive what it is sent
MAX_AGE = 3600.0  # seconds; then the client reconnects through the web process, which checks again who it is
RETRY = 2000  # milliseconds that a browser waits before it reconnects

hub = Hub()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Run one ASGI connection: the process's lifespan or a request."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await Request(scope, receive, send).answer()


async def _lifespan(receive: Receive, send: Send) -> None:
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
    """Close the streams when the server is asked to stop: it waits for them before it ends the lifespan.

    The handlers of the loop, which belong to the server, are called as well: they use the wake-up descriptor.
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
                await self.start(204, [("access-control-allow-headers", ", ".join(settings.CORS_ALLOW_HEADERS))])
                await self.body(b"", more=False)
            case "GET", "/e/":
                await self.events()
            case _, "/e/" | "/healthz/" | "/readyz/":
                await self.error(405, "method_not_allowed", "Only GET is allowed here.")
            case _:
                await self.error(404, "not_found", "There is nothing at this address.")

    async def events(self) -> None:
        if any(value.startswith(TOKEN_PREFIX) for values in self.query.values() for value in values):
            detail = "Do not send tokens in a URL, because URLs are logged. Use the Authorization header."
            return await self.error(400, "token_in_url", detail)
        try:
            ticket = tickets.read(self.query.get("ticket", [""])[0])
        except tickets.BadTicket:
            return await self.bad_ticket()
        self.origins.add(ticket.origin)
        if not hub.ready:
            return await self.unavailable()
        stream = Stream(ticket.user_id, ticket.session)
        stream.wants_presence = ticket.wait is None
        stream.kinds = None if ticket.kinds is None else frozenset(ticket.kinds)
        expiry: asyncio.TimerHandle | None = None
        if ticket.expires_at is not None:
            left = ticket.expires_at - time.time()
            expiry = asyncio.get_running_loop().call_later(max(left, 0), stream.close, "session_ended")
        disconnected: asyncio.Task | None = None
        try:
            if not await hub.first_use(ticket.nonce, tickets.SECONDS):
                return await self.bad_ticket()
            # A browser that reconnects names the last event it received in a header.
            last = self.headers.get(b"last-event-id") or ticket.last_event_id
            complete = await hub.open(stream, last)
            if stream.reason == "session_ended":
                return await self.bad_ticket()
            disconnected = asyncio.create_task(self.wait_for_disconnect(stream))
            if ticket.wait is None:
                await self.stream(stream, complete)
            else:
                await self.poll(stream, complete, ticket.wait)
        except RedisUnavailable:
            await self.unavailable()
        finally:
            hub.remove(stream)
            if expiry:
                expiry.cancel()
            if disconnected:
                disconnected.cancel()

    # --- Streams and long polls ---------------------------------------------------------------------------------------

    async def stream(self, stream: Stream, complete: bool) -> None:
        await self.start(200, [("content-type", "text/event-stream"), ("x-accel-buffering", "no")])
        first = [Event(stream.start, "ready" if complete else "resync", b"{}", b"")]
        if not await self.send_events(stream, first, b"retry: %d\n\n" % RETRY):
            return
        end = time.monotonic() + MAX_AGE
        while not stream.closed.is_set() and time.monotonic() < end:
            events = await stream.drain(COMMENT_EVERY)
            if stream.closed.is_set() and stream.reason == "session_ended":
                break
            if not await self.send_events(stream, events, b"" if events else b": still here\n\n"):
                return
        with contextlib.suppress(TimeoutError):
            await self.body(b"", more=False)

    async def send_events(self, stream: Stream, events: Iterable[Event], before: bytes) -> bool:
        """Send events; return False if the client has left or does not receive them in time."""
        frames = [before]
        for event in events:
            identity = hub.format_id(event.id).encode()
            frames.append(b"id: %s\nevent: %s\ndata: %s\n\n" % (identity, event.kind.encode(), event.body))
        try:
            await self.body(b"".join(frames), more=True)
        except TimeoutError:
            stream.close("slow")
            return False
        hub.record_sent(stream, events)
        return not (stream.closed.is_set() and stream.reason == "disconnected")

    async def poll(self, stream: Stream, complete: bool, wait: int) -> None:
        events = [] if not complete else await stream.drain(wait)
        if stream.closed.is_set() and stream.reason == "session_ended":
            return await self.error(401, "not_authenticated", "The session has ended.")
        if not complete:
            events = [Event(stream.start, "resync", b"{}", b"")]
        last = hub.format_id(events[-1].id if events else stream.start)
        entries = b",".join(
            b'{"id":"%s","type":"%s","data":%s}' % (hub.format_id(e.id).encode(), e.kind.encode(), e.body)
            for e in events
        )
        await self.start(200, [("content-type", "application/json")])
        with contextlib.suppress(TimeoutError):
            await self.body(b'{"events":[%s],"last_event_id":"%s"}' % (entries, last.encode()), more=False)
            hub.record_sent(stream, events)

    async def wait_for_disconnect(self, stream: Stream) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        stream.close("disconnected")

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
        await asyncio.wait_for(self._send(message), SEND_TIMEOUT)

    async def json(self, status: int, data: object, *headers: tuple[str, str]) -> None:
        await self.start(status, [("content-type", "application/json"), *headers])
        await self.body(b"" if self.method == "HEAD" else json.dumps(data).encode(), more=False)

    async def error(self, status: int, code: str, detail: str, *headers: tuple[str, str]) -> None:
        kind = "server_error" if status >= 500 else "client_error"
        await self.json(status, {"type": kind, "errors": [{"code": code, "detail": detail, "attr": None}]}, *headers)

    async def bad_ticket(self) -> None:
        detail = "This ticket is invalid, used or expired. Request /api/v1/events/ again for a new one."
        await self.error(401, "invalid_ticket", detail)

    async def unavailable(self) -> None:
        detail = "The service is temporarily unavailable. Try again later."
        await self.error(503, "service_unavailable", detail, ("retry-after", "2"))
