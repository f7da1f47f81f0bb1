"""How each process of Atrium is started: ``python -m config.processes web|events|worker|beat|migrate|flower``.

The one place that knows: ``bin/up``, the image, the compose file and the systemd units all come here. The role is
replaced by the program it names, so that signals reach that program itself.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from .env import env

ROOT = Path(__file__).resolve().parent.parent


def web() -> list[str]:
    """The REST API, the pages and the admin: WSGI on blocking threads."""
    return [
        *_granian("config.wsgi:application", "wsgi", env.number("PORT", default=8000)),
        "--workers", str(env.number("WEB_WORKERS", default=1, least=1)),
        "--blocking-threads", str(env.number("WEB_THREADS", default=8, least=1)),
        # Counts open connections, not requests: a browser keeps several of them open and idle, and one too many would
        # wait until another closes.
        "--backpressure", "4096",
        "--backlog", "2048",
    ]  # fmt: skip


def events() -> list[str]:
    """The open event streams: one worker, whose loop holds them all."""
    port = env.number("EVENTS_PORT", default=env.number("PORT", default=8000) + 1)
    return [
        *_granian("config.asgi:application", "asgi", port),
        "--workers", "1",
        "--backlog", "4096",
        "--backpressure", "16384",
        "--no-ws",
    ]  # fmt: skip


def worker() -> list[str]:
    """Everything that need not be done while somebody waits; the settings say how many at a time."""
    return [*_celery("worker"), "--queues", "mail,imports,default", "--without-gossip", "--without-mingle"]


def beat() -> list[str]:
    """The clock. Its schedule is rows of the database, so it keeps no file of its own."""
    return [*_celery("beat"), "--pidfile", ""]


def migrate() -> list[str]:
    """Bring the database to what this version expects, with the periodic tasks; then end."""
    return [sys.executable, str(ROOT / "manage.py"), "migrate", "--noinput"]


def flower() -> list[str]:
    """A look at the workers, never without a password."""
    user, _, password = env("FLOWER_BASIC_AUTH", default="").partition(":")
    if not (user and password):
        sys.exit("Flower shows and controls every task: set FLOWER_BASIC_AUTH=user:password to start it.")
    # The password stays in the environment, which other users of the machine cannot read as they can a command line.
    os.environ["FLOWER_BASIC_AUTH"] = f"{user}:{password}"
    address = env("HOST", default="127.0.0.1")
    # Tornado, which reads these, takes no value that is an argument of its own.
    port = env.number("FLOWER_PORT", default=5555)
    return [*_celery("flower"), f"--address={address}", f"--port={port}"]


def _granian(application: str, interface: str, port: int) -> list[str]:
    return [
        sys.executable, "-m", "granian", application,
        "--interface", interface,
        "--host", env("HOST", default="127.0.0.1"),
        "--port", str(port),
        # HTTP/1 alone ends a connection that says nothing for 30 s; with an eye to HTTP/2, granian waits for ever.
        "--http", "1",
        "--http1-header-read-timeout", "30000",
        "--log-level", "error",  # each request is logged by the application, with its id
        "--respawn-failed-workers",
        "--respawn-interval", "1",
        "--workers-kill-timeout", "5",
    ]  # fmt: skip


def _celery(command: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--quiet", "--app", "config", command]


ROLES: dict[str, Callable[[], list[str]]] = {
    role.__name__: role for role in (web, events, worker, beat, migrate, flower)
}


def main() -> None:
    arguments = sys.argv[1:]
    if len(arguments) != 1 or arguments[0] not in ROLES:
        sys.exit(f"usage: python -m config.processes {'|'.join(ROLES)}")
    env.load(ROOT)
    os.environ["ATRIUM_PROCESS"] = arguments[0]  # names the process in its log lines and in Postgres
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        command = ROLES[arguments[0]]()
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    sys.stdout.flush()
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
