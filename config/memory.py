"""Bytes that this process has at hand: what is asked for most, without asking Redis for it."""

import threading
import time
from collections import OrderedDict
from typing import NamedTuple


class Kept(NamedTuple):
    body: bytes
    tag: str
    until: float  # by time.monotonic


class Memory:
    """Bodies with their tags, for ``seconds`` each; past ``limit`` bytes in all, the longest unasked goes first."""

    def __init__(self, *, limit: int, seconds: float) -> None:
        self.limit, self.seconds = limit, seconds
        self._kept: OrderedDict[str, Kept] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: str) -> Kept | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            if found.until < time.monotonic():
                self._drop(key)
                return None
            self._kept.move_to_end(key)
            return found

    def put(self, key: str, body: bytes, tag: str) -> None:
        if len(body) > self.limit:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = Kept(body, tag, time.monotonic() + self.seconds)
            self._size += len(body)
            while self._size > self.limit:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._size = 0

    def _drop(self, key: str) -> None:
        if (dropped := self._kept.pop(key, None)) is not None:
            self._size -= len(dropped.body)
