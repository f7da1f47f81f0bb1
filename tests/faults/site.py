"""The installation of docs/scaling.md: every process and server on a host of its own, behind a balancer."""

import os
import shutil
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from ..pgbouncer import PgBouncer
from ..places import ROOT
from ..rabbitmq import RabbitMQ
from ..s3 import BUCKET, S3
from ..sentinels import Sentinels, Server
from ..standby import HostPostgres
from ..waiting import wait_until
from .network import Host, Network
from .stack import THROTTLES

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
BALANCER_PORT, FRONT_PORT, EVENTS_PORT = 8080, 8000, 8001
NGINX_MAIN = """\
daemon off;
user root;
worker_processes 2;
pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/balancer.conf;
}}
"""


class Role:
    """A process of Atrium on its host."""

    def __init__(self, site: "Site", host: Host, name: str) -> None:
        self.site, self.host, self.name = site, host, name
        self.log = site.folder / f"{host.name}-{name}.log"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.host.place.inside, sys.executable, "-m", "config.ops.processes", self.name],
                cwd=ROOT, env=self.site.environment(self.host), stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Site:
    """``url`` is the balancer's. It offers what a client of an installation needs (``Reachable``)."""

    def __init__(self, folder: Path, network: Network, database: Path, mail: str) -> None:
        """``database`` is the folder of a stopped Postgres with a migrated database, ``mail`` an EMAIL_URL."""
        if NGINX is None:
            pytest.skip("nginx is not installed")
        self.folder, self.network, self.mail = folder, network, mail
        (folder / "home-operator").mkdir()
        self.roles: list[Role] = []
        self.hosts: dict[str, Host] = {}
        for name in (
            "postgres1", "postgres2", "pool", "redis1", "redis2", "witness", "rabbit", "s3", "web1", "web2", "events1",
            "events2", "worker1", "worker2", "worker3", "beat1", "beat2", "balancer",
        ):  # fmt: skip
            self.hosts[name] = network.add(name)
            (folder / f"home-{name}").mkdir()
        places = {name: host.place for name, host in self.hosts.items()}
        self.primary, self.standby = (
            HostPostgres(folder / name, places[name], network.subnet) for name in ("postgres1", "postgres2")
        )
        for server in (self.primary, self.standby):
            server.folder.mkdir()
            shutil.copy2(database / "password", server.folder / "password")
        shutil.copytree(database / "data", self.primary.data)
        self.primary.allow_hosts()
        pool = folder / "pool"
        pool.mkdir()
        self.pool = PgBouncer(pool, self.primary.url, size=20, place=places["pool"])
        self.broker = RabbitMQ(folder / "rabbit", places["rabbit"])
        servers = [places["redis1"], places["redis2"]]
        self.redis = Sentinels(folder / "redis", places=servers, sentinel_places=[*servers, places["witness"]])
        self.s3 = S3(places["s3"])
        self.url = f"http://{places['balancer'].ip}:{BALANCER_PORT}"
        for name, roles in {
            "web": ("front", "web"), "events": ("events",), "worker": ("worker", "webhooks"), "beat": ("beat",),
        }.items():  # fmt: skip
            for host in self.named(name):
                for role in roles:
                    if (host.name, role) != ("worker3", "webhooks"):
                        self.roles.append(Role(self, host, role))
                        host.programs.append(self.roles[-1].start)
        self.hosts["rabbit"].programs.append(self.broker.start)
        self.hosts["pool"].programs.append(self.pool.start)

    def named(self, role: str) -> list[Host]:
        """Return the hosts whose name begins with ``role``."""
        return [host for name, host in self.hosts.items() if name.startswith(role)]

    def start(self) -> None:
        """Start everything and wait until every process can work."""
        self.primary.start()
        self.standby.copy_from(self.primary)
        self.standby.start()
        wait_until(self.primary.is_followed, what="a standby that replicates")
        self.hosts["pool"].start()
        self.hosts["rabbit"].start()
        self.redis.start()
        for number, name in enumerate(("redis1", "redis2", "witness")):
            for server in [*self.redis.servers[number : number + 1], self.redis.sentinels[number]]:
                self.hosts[name].programs.append(partial(_restart, server))
        self.s3.start()
        self._start_balancer()
        atrium = [host for role in ("web", "events", "worker", "beat") for host in self.named(role)]
        for host in atrium:
            host.start()
        for host in atrium:
            wait_until(lambda host=host: self.is_healthy(host), timeout=120, what=f"a working {host.name}")

    def environment(self, host: Host | None) -> dict[str, str]:
        """Return the environment of a process on ``host``, or of a command of an operator."""
        name, ip = (host.name, host.ip) if host else ("operator", "127.0.0.1")
        return {
            **os.environ,
            "ATRIUM_HOME": str(self.folder / f"home-{name}"),
            "DATABASE_URL": self.pool.url if host else self.primary.url,
            "REDIS_URL": self.redis.url(0),
            "CELERY_BROKER_URL": self.broker.url,
            "PUBLIC_URL": self.url,
            "EVENTS_URL": "",
            "ALLOWED_HOSTS": f"{self.hosts['balancer'].ip},{ip},127.0.0.1",
            "TRUSTED_PROXIES": "1",
            "HOST": ip,
            "INTERNAL_HOST": ip if name.startswith("events") else "127.0.0.1",
            "PORT": str(FRONT_PORT),
            "EVENTS_PORT": str(EVENTS_PORT),
            "WEB_PORT": "8002",
            "WEB_WORKERS": "1",
            "WORKER_CONCURRENCY": "1",
            "CONTACT_WINDOW": "2",
            "EMAIL_URL": self.mail,
            "AWS_STORAGE_BUCKET_NAME": BUCKET,
            "AWS_S3_ENDPOINT_URL": self.s3.url,
            "AWS_S3_REGION_NAME": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "PYTHONUNBUFFERED": "1",
            **dict.fromkeys((f"THROTTLE_{scope}" for scope in THROTTLES), ""),
        }

    def manage(self, *arguments: str, **extra: str) -> str:
        """Run ``manage.py``, directly on Postgres, and return its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env={**self.environment(None), **extra}, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """Execute one statement on the primary and return its rows."""
        return self.primary.sql(statement, *values)

    def is_healthy(self, host: Host) -> bool:
        """Return whether a host of Atrium or Redis does its work again."""
        role = host.name.rstrip("0123456789")
        if role in ("web", "events"):
            return _answers(f"http://{host.ip}:{FRONT_PORT if role == 'web' else EVENTS_PORT}/healthz/")
        if role == "worker":
            url = urlsplit(self.broker.url)
            return host.is_connected_to(url.hostname or "", url.port or 0)
        if role == "beat":
            return host.is_connected_to(self.pool.host, self.pool.port)
        return self._is_redis_complete(host)

    def redis_primary(self) -> Host:
        """Return the host of the Redis primary."""
        return self._host_of(self.redis.primary().place.ip)

    def promote_standby(self) -> None:
        """Do steps 2 to 4 of "Promote the standby" in docs/scaling.md."""
        self.standby.sql("SELECT pg_promote()")
        self.redis.flush(0)
        self.primary, self.standby = self.standby, self.primary
        self.pool.server = urlsplit(self.primary.url)
        self.hosts["pool"].kill()
        self.hosts["pool"].start()

    def rebuild_standby(self) -> None:
        """Do step 5: make the old primary the new standby."""
        shutil.rmtree(self.standby.data)
        self.standby.copy_from(self.primary)
        self.standby.start()
        wait_until(self.primary.is_followed, what="the old primary as the standby")

    def logs(self) -> str:
        """Return the end of every log, without requests that succeeded."""
        return "\n".join(f"--- {path.name}\n{_remarkable(path)[-6000:]}" for path in sorted(self.folder.glob("*.log")))

    def _is_redis_complete(self, host: Host) -> bool:
        server = next(each for each in self.redis.servers if each.place.ip == host.ip)
        return server is self.redis.primary() or self.redis.is_replica(server)

    def _host_of(self, ip: str) -> Host:
        return next(host for host in self.hosts.values() if host.ip == ip)

    def _start_balancer(self) -> None:
        """Start nginx with deploy/nginx/balancer.conf; only names, ports and certificates differ."""
        folder, ip = self.folder / "balancer", self.hosts["balancer"].ip
        folder.mkdir()
        text = (ROOT / "deploy/nginx/balancer.conf").read_text()
        lines = [line for line in text.splitlines() if "ssl_" not in line and "listen [::]" not in line]
        text = "\n".join(lines)
        names = {f"{host.name}.internal": host.ip for role in ("web", "events") for host in self.named(role)}
        for old, new in {
            **names, "listen 443 ssl http2": f"listen {ip}:{BALANCER_PORT}", "atrium.example.org": ip,
            "/var/log/nginx": str(folder),
        }.items():  # fmt: skip
            assert old in text, f"balancer.conf does not contain {old}"
            text = text.replace(old, new)
        (folder / "balancer.conf").write_text(text)
        (folder / "nginx.conf").write_text(NGINX_MAIN.format(folder=folder))
        command = [*self.hosts["balancer"].place.inside, str(NGINX), "-p", str(folder), "-c", f"{folder}/nginx.conf"]
        with (self.folder / "balancer.log").open("wb") as log:
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: _accepts(ip, BALANCER_PORT), what="the balancer")


def _restart(server: Server) -> None:
    server.end()
    server.start()


def _accepts(ip: str, port: int) -> bool:
    try:
        socket.create_connection((ip, port), 1).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.RequestException:
        return False


def _remarkable(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return "\n".join(line for line in lines if " INFO " not in line)
