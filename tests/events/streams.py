"""A small client of event streams."""

import contextlib
import http.client
import json
import socket
import threading
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ..waiting import wait_until


class Event(NamedTuple):
    id: str
    kind: str
    data: Any


class Listener:
    """Reads a stream in a thread until it ends or is closed."""

    def __init__(self, url: str, **headers: str) -> None:
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)
        self.connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
        self.response = self.connection.getresponse()
        self.status = self.response.status
        self.events: list[Event] = []
        self.comments = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)
        if self.status == 200:
            self.thread.start()
            self.wait_for(lambda: self.events, "the first event")

    def _read(self) -> None:
        identity, kind, data = "", "message", ""
        try:
            while raw := self.response.readline():
                line = raw.decode().rstrip("\n")
                name, _, value = line.partition(": ")
                if line.startswith(":"):
                    self.comments += 1
                elif name == "id":
                    identity = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data += value
                elif not line and data:
                    self.events.append(Event(identity, kind, json.loads(data)))
                    kind, data = "message", ""
        except (OSError, http.client.HTTPException, AttributeError, ValueError):
            pass  # the process was killed, or the test has closed the connection
        self.ended.set()

    def of(self, kind: str) -> list[Any]:
        return [event.data for event in self.events if event.kind == kind]

    def bodies(self) -> list[str]:
        return [data["body"] for data in self.of("message")]

    @property
    def last_id(self) -> str:
        return self.events[-1].id

    def wait_for(self, condition: Any, what: str = "", timeout: float = 15) -> Any:
        try:
            return wait_until(condition, timeout=timeout, what=what or "the condition")
        except AssertionError as error:
            raise AssertionError(f"{error}; events so far: {self.events}") from error

    def close(self) -> None:
        with contextlib.suppress(OSError):  # it may have ended already
            self.connection.sock.shutdown(socket.SHUT_RDWR)
        if self.thread.is_alive():
            self.thread.join(5)
