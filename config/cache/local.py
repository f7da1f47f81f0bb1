"""A small cache in the memory of this process, for the responses that are requested most."""

import threading
import time
from collections import OrderedDict
from typing import NamedTuple


class Entry(NamedTuple):
    body: bytes
    tag: str
    expires_at: float  # by time.monotonic


class LocalCache:
    """Stores bodies with their ETags for ``seconds``; beyond ``limit`` bytes the least recently used is dropped."""

    def __init__(self, *, limit: int, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Entry | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at < time.monotonic():
                self._drop(key)
                return None
            if entry is not None:
                self._entries.move_to_end(key)
            return entry

    def put(self, key: str, body: bytes, tag: str) -> None:
        if len(body) > self.limit:
            return
        with self._lock:
            self._drop(key)
            self._entries[key] = Entry(body, tag, time.monotonic() + self.seconds)
            self._size += len(body)
            while self._size > self.limit:
                self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._size = 0

    def _drop(self, key: str) -> None:
        if (dropped := self._entries.pop(key, None)) is not None:
            self._size -= len(dropped.body)
