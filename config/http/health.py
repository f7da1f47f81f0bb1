"""Health checks: liveness, and readiness by component."""

import os
import time
from collections.abc import Callable
from typing import Any

import redis.exceptions
import structlog
from celery.signals import heartbeat_sent, worker_ready
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from config import storage
from config.cache.redis import redis_client

logger = structlog.get_logger(__name__)

PROBE = "atrium:probe"
WORKER_SEEN = "atrium:worker_seen"
STARTUP_SECONDS = 20  # a missing component is not logged before this
WORKER_TIMEOUT = 60  # seconds without a heartbeat after which a worker counts as down

_last_report = 0.0
_started_at = time.monotonic()
_missing: dict[str, str] = {}  # the components that the last probe found down, with the reason


def report_worker_heartbeats() -> None:
    """Make the Celery workers of this process write a heartbeat to Redis every few seconds."""
    heartbeat_sent.connect(_worker_alive, dispatch_uid="atrium.health")
    worker_ready.connect(_worker_alive, dispatch_uid="atrium.health.ready")


def _worker_alive(**_: Any) -> None:
    global _last_report
    if os.environ.get("ATRIUM_PROCESS") == "webhooks":
        return  # it has only its own queue: without a worker that has the others, Atrium is not ready
    if time.monotonic() - _last_report < 5:
        return
    try:
        redis_client().set(WORKER_SEEN, f"{time.time():.0f}", ex=WORKER_TIMEOUT)
        _last_report = time.monotonic()
    except redis.exceptions.RedisError:
        pass  # readiness reports that Redis is down


def check_postgres() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        return f"PostgreSQL {cursor.fetchone()[0]}"


def check_redis() -> str:
    client = redis_client()
    client.set(PROBE, "", ex=WORKER_TIMEOUT)  # a Redis with full memory or disk answers, but refuses writes
    info: Any = client.info("server")
    return f"Valkey {info['valkey_version']}" if "valkey_version" in info else f"Redis {info['redis_version']}"


def check_storage() -> str:
    storage.check()
    return "S3" if settings.AWS_STORAGE_BUCKET_NAME else "local"


def check_worker() -> str:
    seen: Any = redis_client().get(WORKER_SEEN)
    if seen is None:
        raise LookupError(f"no heartbeat in the last {WORKER_TIMEOUT} s")
    return f"last heartbeat {max(0, round(time.time() - float(seen)))} s ago"


CHECKS: dict[str, Callable[[], str]] = {
    "postgres": check_postgres,
    "redis": check_redis,
    "storage": check_storage,
    "worker": check_worker,
}


def run_check(name: str) -> tuple[bool, str]:
    """Return whether component ``name`` works, and its version or error. Never raises."""
    try:
        return True, CHECKS[name]()
    except Exception as error:  # any failure is the result
        return False, f"{type(error).__name__}: {error}".splitlines()[0][:200]


def healthz(request: HttpRequest) -> HttpResponse:
    """Report that this process is alive, without checking anything else."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> HttpResponse:
    """Report every component by name; 503 if one is down. The reason is logged, not shown."""
    results = {name: run_check(name) for name in CHECKS}
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
    """Log changes only, and nothing while the other processes are still starting."""
    global _missing
    if missing and not _missing and time.monotonic() - _started_at < STARTUP_SECONDS:
        return
    if missing.keys() != _missing.keys():
        logger.warning("not_ready", **missing) if missing else logger.info("ready")
    _missing = missing
