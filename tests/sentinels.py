"""A Valkey or Redis primary with a replica and three Sentinels, for tests that make them fail over."""

import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import redis

from config.ops.launcher import binaries

from .places import free_port
from .waiting import wait_until

NAME, PASSWORD, SENTINEL_PASSWORD = "main", "word-of-servers", "word-of-sentinels"
SERVER = """\
bind {ip}
{listen}
requirepass {password}
masterauth {password}
dir "{folder}"
save ""
maxmemory-policy noeviction
repl-diskless-sync-delay 0
repl-ping-replica-period 1
"""
SENTINEL = """\
bind {ip}
{listen}
dir "{folder}"
requirepass {own}
sentinel sentinel-pass {own}
sentinel monitor {name} {primary_ip} {primary_port} 2
sentinel auth-pass {name} {password}
sentinel down-after-milliseconds {name} 1000
sentinel failover-timeout {name} 6000
"""
TLS = """\
port 0
tls-port {port}
tls-cert-file {folder}/cert.pem
tls-key-file {folder}/key.pem
tls-ca-cert-file {folder}/cert.pem
tls-auth-clients no
tls-replication yes
"""


@dataclass
class Place:
    """Where a server runs: its address, and the command that runs programs there."""

    ip: str = "127.0.0.1"
    inside: tuple[str, ...] = ()


HERE = Place()


@dataclass
class Server:
    """A process with its port."""

    place: Place
    port: int
    command: list[str]
    folder: Path
    process: subprocess.Popen | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            command = [*self.place.inside, *self.command]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def send(self, number: int) -> None:
        if self.process:
            self.process.send_signal(number)

    def end(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None


@dataclass
class Sentinels:
    """The group. ``servers`` and ``sentinels`` say where they run; the first server starts as the primary."""

    folder: Path
    places: list[Place] = field(default_factory=lambda: [Place(), Place()])
    sentinel_places: list[Place] = field(default_factory=lambda: [Place()] * 3)
    certificates: Path | None = None  # the folder of cert.pem and key.pem: everything uses TLS
    program: str = field(default_factory=lambda: str(binaries.valkey()))
    servers: list[Server] = field(default_factory=list)
    sentinels: list[Server] = field(default_factory=list)

    def start(self) -> None:
        """Start everything and wait until every Sentinel knows the replica and the other Sentinels."""
        for number, place in enumerate(self.places):
            server = self._server(f"server{number}", SERVER, place)
            if self.servers:
                first = self.servers[0]
                server.command += ["--replicaof", first.place.ip, str(first.port)]
            self.servers.append(server)
            server.start()
        primary = self.servers[0]
        for number, place in enumerate(self.sentinel_places):
            sentinel = self._server(
                f"sentinel{number}", SENTINEL, place, primary_ip=primary.place.ip, primary_port=primary.port
            )
            sentinel.command.append("--sentinel")
            self.sentinels.append(sentinel)
            sentinel.start()
        wait_until(self._is_complete, timeout=60, what="Sentinels that know the replica and each other")

    def url(self, database: int) -> str:
        """Return the URL for ``REDIS_URL`` or ``CELERY_BROKER_URL``."""
        hosts = ",".join(f"{each.place.ip}:{each.port}" for each in self.sentinels)
        scheme, tls = ("rediss", f"&ssl_ca_certs={self.certificates}/cert.pem") if self.certificates else ("redis", "")
        options = f"sentinel_password={SENTINEL_PASSWORD}{tls}"
        return f"{scheme}+sentinel://:{PASSWORD}@{hosts}/{NAME}/{database}?{options}"

    def server_url(self, server: Server, database: int) -> str:
        """Return the URL of one server."""
        scheme, tls = ("rediss", f"?ssl_ca_certs={self.certificates}/cert.pem") if self.certificates else ("redis", "")
        return f"{scheme}://:{PASSWORD}@{server.place.ip}:{server.port}/{database}{tls}"

    def primary(self) -> Server:
        """Return the server that most Sentinels call the primary."""
        answers = [address for each in self.sentinels if (address := self._ask(each))]
        chosen = max(answers, key=answers.count)
        return next(each for each in self.servers if (each.place.ip, each.port) == chosen)

    def wait_for_failover(self, old: Server, *, timeout: float = 60) -> Server:
        """Wait until another server than ``old`` accepts writes and return it."""

        def found() -> Server | None:
            new = self.primary()
            return new if new is not old and self._is_primary(new) else None

        return wait_until(found, timeout=timeout, what="a new primary")

    def is_replica(self, server: Server) -> bool:
        """Return whether ``server`` replicates the current primary."""
        try:
            about = self._client(server).info("replication")
        except redis.RedisError:
            return False
        return about["role"] == "slave" and about["master_link_status"] == "up"

    def flush(self, database: int) -> None:
        """Empty a database of the primary."""
        redis.Redis.from_url(self.server_url(self.primary(), database)).flushdb()

    def stop(self) -> None:
        for each in (*self.sentinels, *self.servers):
            each.send(signal.SIGCONT)
            each.end()

    def _server(self, name: str, text: str, place: Place, **values: object) -> Server:
        folder = self.folder / name
        folder.mkdir(parents=True)
        port = free_port()
        listen = f"port {port}"
        if self.certificates:
            listen = TLS.format(port=port, folder=self.certificates)
        configuration = folder / "server.conf"
        configuration.write_text(
            text.format(
                ip=place.ip, listen=listen, folder=folder, name=NAME, password=PASSWORD, own=SENTINEL_PASSWORD, **values
            )
        )
        return Server(place, port, [self.program, str(configuration)], folder)

    def _client(self, server: Server, password: str = PASSWORD) -> redis.Redis:
        url = self.server_url(server, 0).replace(PASSWORD, password)
        return redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, decode_responses=True)

    def _is_primary(self, server: Server) -> bool:
        try:
            return self._client(server).info("replication")["role"] == "master"
        except redis.RedisError:
            return False

    def _ask(self, sentinel: Server) -> tuple[str, int] | None:
        try:
            return self._client(sentinel, SENTINEL_PASSWORD).sentinel_get_master_addr_by_name(NAME)
        except redis.RedisError:
            return None

    def _is_complete(self) -> bool:
        for each in self.sentinels:
            try:
                state = self._client(each, SENTINEL_PASSWORD).sentinel_master(NAME)
            except redis.RedisError:
                return False
            known = state["num-slaves"], state["num-other-sentinels"]
            if known != (len(self.servers) - 1, len(self.sentinels) - 1):
                return False
        return True
