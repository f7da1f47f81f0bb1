"""A light HTTP load generator: many connections in one thread, and requests that are ready before they are sent.

It must take little of the processor that the measured server needs. One process with a selector and raw sockets takes
about 30 microseconds per request; ``Run.own_share`` states its part of one core.
"""

import json
import selectors
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

SILENCE = 60  # seconds without an answer after which a run fails


@dataclass
class Run:
    """The result of ``drive``. Times are in seconds."""

    count: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)  # only with ``keep``

    @property
    def rate(self) -> float:
        """Return the requests per second."""
        return self.count / self.seconds

    @property
    def own_share(self) -> float:
        """Return the part of one core that the generator itself took."""
        return self.cpu / self.seconds


def request(
    url: str, method: str = "GET", *, body: Any = None, content_type: str = "application/json", **headers: str
) -> bytes:
    """Return the bytes of an HTTP request. ``body`` is bytes or written as JSON; ``headers`` name ``_`` as ``-``."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Host": parts.netloc, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body is not None:
        fields |= {"Content-Type": content_type, "Content-Length": str(len(content))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + content


def drive(url: str, sources: Sequence[Iterator[bytes]], *, seconds: float = float("inf"), keep: bool = False) -> Run:
    """Open a connection for each source and send its requests one after the other, as fast as they are answered.

    Ends when the sources end or after ``seconds``; raises RuntimeError for a status other than 2xx. ``keep`` collects
    the bodies, in the order of arrival.
    """
    parts = urlsplit(url)
    run = Run()
    with selectors.DefaultSelector() as selector:
        for source in sources:
            connection = connect(parts.hostname or "", parts.port or 80)
            selector.register(connection, selectors.EVENT_READ, _Exchange(connection, source))
        started, cpu = time.perf_counter(), time.process_time()
        end = started + seconds
        for key in list(selector.get_map().values()):
            if not key.data.send():
                _close(selector, key.data)
        while selector.get_map():
            events = selector.select(SILENCE)
            if not events:
                raise RuntimeError(f"{url} did not answer within {SILENCE} s")
            for key, _ in events:
                exchange: _Exchange = key.data
                if not exchange.receive():
                    continue
                now = time.perf_counter()
                run.latencies.append(now - exchange.sent_at)
                if keep:
                    run.bodies.append(exchange.body())
                if now >= end or not exchange.send():
                    _close(selector, exchange)
        run.seconds = time.perf_counter() - started
        run.cpu = time.process_time() - cpu
    run.count = len(run.latencies)
    return run


def call(url: str, method: str = "GET", *, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
    """Send one request and return the JSON of its answer."""
    answer = drive(url, [iter([request(url, method, body=body, **(headers or {}))])], keep=True).bodies[0]
    return json.loads(answer) if answer else None


def connect(host: str, port: int) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=SILENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


class _Exchange:
    """A connection, its requests and the answer that is arriving."""

    def __init__(self, connection: socket.socket, source: Iterator[bytes]) -> None:
        self.connection, self.source = connection, source
        self.sent_at = 0.0

    def send(self) -> bool:
        """Send the next request; returns False if there is none."""
        message = next(self.source, None)
        if message is None:
            return False
        self.received, self.body_start, self.length = b"", 0, -1
        self.sent_at = time.perf_counter()
        self.connection.sendall(message)
        return True

    def receive(self) -> bool:
        """Receive what has arrived; returns whether the answer is complete."""
        chunk = self.connection.recv(1 << 18)
        if not chunk:
            raise RuntimeError(f"the server closed the connection: {self.received[:200]!r}")
        self.received = self.received + chunk if self.received else chunk
        if not self.body_start and not self._read_head():
            return False
        if self.length >= 0:
            complete = len(self.received) >= self.body_start + self.length
        else:
            complete = self.received.endswith(b"0\r\n\r\n")
        if complete and self.received[9:10] != b"2":
            raise RuntimeError(f"unexpected answer: {self.received[:1000]!r}")
        return complete

    def _read_head(self) -> bool:
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return False
        self.body_start = end + 4
        head = self.received[:end].lower()
        _, found, length = head.partition(b"\r\ncontent-length:")
        if found:
            self.length = int(length.partition(b"\r\n")[0])
        elif b"\r\ntransfer-encoding: chunked" not in head:
            self.length = 0  # 204
        return True

    def body(self) -> bytes:
        content = self.received[self.body_start :]
        if self.length >= 0:
            return content
        pieces = []
        while content:
            size, _, content = content.partition(b"\r\n")
            pieces.append(content[: int(size, 16)])
            content = content[int(size, 16) + 2 :]
        return b"".join(pieces)


def _close(selector: selectors.BaseSelector, exchange: _Exchange) -> None:
    selector.unregister(exchange.connection)
    exchange.connection.close()
