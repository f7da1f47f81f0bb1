"""Latency of a message on its way to its recipient's open event stream, in one thread."""

import selectors
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from .load import SILENCE, connect


@dataclass
class Delivery:
    """A message to send: the request, its text, and the number of the stream where that text arrives."""

    request: bytes
    mark: bytes
    stream: int


class Streams:
    """Open event streams, and a connection for what is sent meanwhile."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.sender = connect(self.host, self.port)
        self.streams: list[socket.socket] = []

    def open(self, request: bytes, until: bytes = b"\r\n\r\n") -> bytes:
        """Open a stream; returns what it has sent when ``until`` has arrived."""
        stream = connect(self.host, self.port)
        stream.sendall(request)
        received = b""
        while until not in received:
            chunk = stream.recv(65536)
            assert chunk, received
            received += chunk
        assert received[9:12] == b"200", received
        self.streams.append(stream)
        return received

    def latencies(self, deliveries: Sequence[Delivery]) -> list[float]:
        """Send the messages one after the other; returns the sorted seconds from sending to arrival of each."""
        taken = []
        with selectors.DefaultSelector() as selector:
            selector.register(self.sender, selectors.EVENT_READ, -1)
            for number, stream in enumerate(self.streams):
                selector.register(stream, selectors.EVENT_READ, number)
            for delivery in deliveries:
                taken.append(self._deliver(selector, delivery))
        return sorted(taken)

    def _deliver(self, selector: selectors.BaseSelector, delivery: Delivery) -> float:
        answer = received = b""
        arrived = 0.0
        sent = time.perf_counter()
        self.sender.sendall(delivery.request)
        while not arrived or b"\r\n\r\n" not in answer:
            events = selector.select(SILENCE)
            assert events, "the message did not arrive"
            for key, _ in events:
                chunk = key.fileobj.recv(65536)
                assert chunk, "a connection was closed"
                if key.data == -1:
                    answer += chunk
                elif key.data == delivery.stream:
                    received += chunk
                    if not arrived and delivery.mark in received:
                        arrived = time.perf_counter()
        assert answer[9:10] == b"2", answer
        return arrived - sent

    def close(self) -> None:
        for connection in (self.sender, *self.streams):
            connection.close()
