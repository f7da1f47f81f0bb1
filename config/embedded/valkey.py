"""A Valkey of one's own."""

import contextlib
import socket
import time
from collections.abc import Callable

from . import binaries, ports
from .home import make, write_private
from .server import Server

CONFIGURATION = """\
# Written at each start.
bind {host}
port {port}
requirepass {password}
databases {databases}
dir "{data}"
daemonize no
# Only what has an expiry may be evicted: the cache, never a queue.
maxmemory 256mb
maxmemory-policy volatile-lru
# Every write goes to a file that outlives kill -9; snapshots would only cost time.
appendonly {appendonly}
appendfsync everysec
save ""
"""


class Valkey(Server):
    name = "valkey"
    title = "Valkey"

    @property
    def url(self) -> str:
        """Its address, without the number of a database."""
        return f"redis://:{self.password}@{ports.LOCALHOST}:{self.port}"

    def make_data(self) -> None:
        binaries.valkey()
        make(self.data)

    def command(self) -> list[str]:
        configuration = self.folder / "valkey.conf"
        write_private(
            configuration,
            CONFIGURATION.format(
                host=ports.LOCALHOST,
                port=self.port,
                password=self.password,
                databases=64 if self.durable else 512,  # each of a test run's processes takes two
                data=str(self.data).replace("\\", "\\\\").replace('"', '\\"'),
                appendonly="yes" if self.durable else "no",
            ),
        )
        return [str(binaries.valkey()), str(configuration)]

    def wait_until_ready(self, *, seconds: float = 60, alive: Callable[[], bool] = lambda: True) -> None:
        deadline = time.monotonic() + seconds
        while (answer := self._ping()) != "+OK\r\n+PONG\r\n":
            if time.monotonic() > deadline or not alive():
                raise TimeoutError(f"Valkey does not answer: {answer}")
            time.sleep(0.05)

    def _ping(self) -> str:
        """What it says to a log-in and a PING: an error while it still loads its data."""
        with contextlib.suppress(OSError), socket.create_connection((ports.LOCALHOST, self.port), timeout=2) as talk:
            talk.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\n") < 2 and (more := talk.recv(500)):
                answer += more
            return answer.decode()
        return "no connection"
