"""URLs of Redis: those of one server, and ``redis+sentinel://`` for a primary that Sentinels watch.

A Sentinel URL is ``redis+sentinel://[user:password@]host:port,host:port/PRIMARY/DATABASE``. ``rediss+sentinel`` uses
TLS for the Sentinels and the servers. User and password are those of the servers. Options after ``?``:
``sentinel_username``, ``sentinel_password``, and those of redis-py for TLS, such as ``ssl_ca_certs``.
"""

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit, urlunsplit

SENTINEL_SCHEMES = ("redis+sentinel", "rediss+sentinel")
SENTINEL_PORT = 26379
EXAMPLE = "redis+sentinel://:password@host1:26379,host2:26379,host3:26379/mymaster/0"
# A Sentinel that does not answer delays the next one by so many seconds.
SENTINEL_TIMEOUTS = {"socket_connect_timeout": 0.5, "socket_timeout": 0.5}


@dataclass(frozen=True)
class SentinelURL:
    """A parsed Sentinel URL."""

    sentinels: list[tuple[str, int]]
    primary: str  # the name under which the Sentinels know it
    database: int
    options: dict[str, Any]  # keyword arguments of redis-py for connections to the primary
    sentinel_options: dict[str, Any]  # and to the Sentinels


def is_sentinel(url: str) -> bool:
    """Return whether ``url`` names Sentinels instead of a server."""
    return url.partition("://")[0] in SENTINEL_SCHEMES


def split_url(url: str) -> tuple[str, SplitResult]:
    """Return login and hosts of a URL, and its other parts.

    Current versions of Python refuse an address in brackets next to other hosts, so urlsplit gets another host.
    """
    scheme, _, rest = url.partition("://")
    netloc = re.split("[/?#]", rest, maxsplit=1)[0]
    return netloc, urlsplit(f"{scheme}://host{rest.removeprefix(netloc)}")


def parse_sentinel_url(url: str) -> SentinelURL:
    """Parse a Sentinel URL; raises ValueError if it is invalid."""
    from redis.connection import parse_url

    netloc, parts = split_url(url)
    login, _, hosts = netloc.rpartition("@")
    sentinels = [_host_and_port(host) for host in hosts.split(",")]
    primary, _, database = parts.path.strip("/").partition("/")
    if not (is_sentinel(url) and primary and (database or "0").isdecimal()):
        raise ValueError(f"{parts.scheme} needs hosts, the name of the primary and a database")
    query = dict(parse_qsl(parts.query))
    login_of_sentinels = {
        key: query.pop(f"sentinel_{key}") for key in ("username", "password") if f"sentinel_{key}" in query
    }
    # redis-py decodes the login and gives the options of TLS their types.
    tls = parts.scheme.startswith("rediss")
    server = f"redis{'s' * tls}://{login}@server/{database or 0}?{urlencode(query)}"
    options = {key: value for key, value in parse_url(server).items() if key not in ("host", "connection_class")}
    shared = {key: value for key, value in options.items() if key not in ("username", "password", "db")}
    if tls:
        options["ssl"] = shared["ssl"] = True
    return SentinelURL(
        sentinels=sentinels, primary=primary, database=int(database or 0), options=options,
        sentinel_options={**shared, **login_of_sentinels, **SENTINEL_TIMEOUTS},
    )  # fmt: skip


def celery_broker(url: str) -> tuple[str, dict[str, Any]]:
    """Return the address of a broker as Celery expects it, and the transport options that belong to it."""
    if not is_sentinel(url):
        if urlsplit(url).scheme == "rediss" and "ssl_cert_reqs=" not in url:
            # Without it, Celery does not verify the certificate.
            url += f"{'&' if '?' in url else '?'}ssl_cert_reqs=required"
        return url, {}
    found = parse_sentinel_url(url)
    login = ":".join(quote(str(found.options.get(key, "")), safe="") for key in ("username", "password"))
    tls = {key: str(value) for key, value in found.options.items() if key.startswith("ssl_")}
    if "ssl" in found.options:
        tls.setdefault("ssl_cert_reqs", "required")
    end = f"/{found.database}" + (f"?{urlencode(tls)}" if tls else "")
    login = f"{login}@" if login != ":" else ""
    hosts = [(f"[{host}]" if ":" in host else host, port) for host, port in found.sentinels]
    options = {"master_name": found.primary, "sentinel_kwargs": {**found.sentinel_options, "retry": no_retries()}}
    return ";".join(f"sentinel://{login}{host}:{port}{end}" for host, port in hosts), options


def no_retries() -> Any:
    """Return redis-py's policy of no retries: the next Sentinel is asked at once."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Retry(NoBackoff(), 0)


def with_database(url: str, change: int) -> str:
    """Return the URL of another database of the same Redis, ``change`` further."""
    parts = urlsplit(url)
    before, _, database = parts.path.rpartition("/")
    if is_sentinel(url) and not database.isdecimal():
        before, database = parts.path.rstrip("/"), "0"
    return urlunsplit(parts._replace(path=f"{before}/{int(database) + change if database.isdecimal() else change}"))


def _host_and_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port == 0:
        raise ValueError("a Sentinel needs a host, and a port between 1 and 65535")
    return parts.hostname, parts.port or SENTINEL_PORT
