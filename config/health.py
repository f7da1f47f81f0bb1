"""Whether the service lives, whether it can serve, and how an operator learns which part cannot."""

import ipaddress
import time
from collections.abc import Callable
from typing import Any

import redis
import structlog
from celery.signals import heartbeat_sent, worker_ready
from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django_prometheus.exports import ExportToDjangoView

from . import storage
from .clients import client_ip

logger = structlog.get_logger(__name__)

PROBE = "atrium:probe"
WORKER_SEEN = "atrium:worker_seen"
STARTING = 20  # seconds in which it is no news that something is not there yet
WORKER_LIMIT = 60  # seconds after which a worker that was not heard of counts as gone

_last_report = 0.0
_began = time.monotonic()
_missing: dict[str, str] = {}  # what the last probe found missing, and why


def report_worker_heartbeats() -> None:
    """Have every Celery worker of this process note in Redis, every few seconds, that it is there."""
    heartbeat_sent.connect(_worker_alive, dispatch_uid="atrium.health")
    worker_ready.connect(_worker_alive, dispatch_uid="atrium.health.ready")


def _worker_alive(**_: Any) -> None:
    global _last_report
    if time.monotonic() - _last_report < 5:
        return
    try:
        _redis().set(WORKER_SEEN, f"{time.time():.0f}", ex=WORKER_LIMIT)
        _last_report = time.monotonic()
    except redis.exceptions.RedisError:
        pass  # readiness then says that Redis is away, which is the truth


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1)


def check_postgres() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        return f"PostgreSQL {cursor.fetchone()[0]}"


def check_redis() -> str:
    client = _redis()
    client.set(PROBE, "", ex=WORKER_LIMIT)  # one whose memory or disk is full still answers, and refuses this
    info: Any = client.info("server")
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"


def check_storage() -> str:
    storage.check()
    return "S3" if settings.AWS_STORAGE_BUCKET_NAME else "local"


def check_worker() -> str:
    seen = _redis().get(WORKER_SEEN)
    if seen is None:
        raise LookupError(f"no worker was seen in the last {WORKER_LIMIT} s")
    return f"seen {max(0, round(time.time() - float(seen)))} s ago"  # type: ignore[arg-type]


CHECKS: dict[str, Callable[[], str]] = {
    "postgres": check_postgres,
    "redis": check_redis,
    "storage": check_storage,
    "worker": check_worker,
}


def run(name: str) -> tuple[bool, str]:
    """Whether the part called ``name`` is there, and a few words about it. Never raises."""
    try:
        return True, CHECKS[name]()
    except Exception as error:  # any failure of a part is the answer
        return False, f"{type(error).__name__}: {error}".splitlines()[0][:200]


def healthz(request: HttpRequest) -> HttpResponse:
    """This process is alive; asks nobody else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Every part by name; 503 when one is down. What is wrong in detail stands in the log, not in the answer."""
    results = {name: run(name) for name in CHECKS}
    ready = all(ok for ok, _ in results.values())
    response = JsonResponse(
        {
            "status": "ok" if ready else "unavailable",
            "checks": {n: "ok" if ok else "down" for n, (ok, _) in results.items()},
        },
        status=200 if ready else 503,
    )
    _log_change({name: reason for name, (ok, reason) in results.items() if not ok})
    if not ready:
        response["Retry-After"] = "5"
    response["Cache-Control"] = "no-store"
    return response


def _log_change(missing: dict[str, str]) -> None:
    """Say what is missing once, and not at every probe; nor while everything else is only just being started."""
    global _missing
    if missing and not _missing and time.monotonic() - _began < STARTING:
        return
    if missing.keys() != _missing.keys():
        logger.warning("not_ready", **missing) if missing else logger.info("ready")
    _missing = missing


def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' page: for staff, and for clients on this machine or a private network. Others find nothing here."""
    address = client_ip(request)
    near = address is not None and ipaddress.ip_address(address).is_private
    if not near and not request.user.is_staff:
        raise Http404
    return ExportToDjangoView(request)
