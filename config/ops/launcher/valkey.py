"""A private Valkey."""

import redis

from . import LOCALHOST, binaries
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
# Atrium bounds what it caches; nothing else may be evicted.
maxmemory 256mb
maxmemory-policy noeviction
# The append-only file survives kill -9. Snapshots would add only cost.
appendonly {appendonly}
appendfsync everysec
save ""
"""


class Valkey(Server):
    name = "valkey"
    title = "Valkey"
    variable = "REDIS_URL"

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOCALHOST}:{self.port}/0"

    def make_data(self) -> None:
        binaries.valkey()
        make(self.data)

    def command(self) -> list[str]:
        configuration = self.folder / "valkey.conf"
        write_private(
            configuration,
            CONFIGURATION.format(
                host=LOCALHOST,
                port=self.port,
                password=self.password,
                databases=64 if self.durable else 512,  # each process of a test run takes two
                data=str(self.data).replace("\\", "\\\\").replace('"', '\\"'),
                appendonly="yes" if self.durable else "no",
            ),
        )
        return [str(binaries.valkey()), str(configuration)]

    def problem(self) -> str:
        try:
            redis.Redis.from_url(self.url, socket_timeout=2).ping()
        except redis.RedisError as error:  # Valkey answers with an error, too, while it loads its data
            return str(error)
        return ""
