"""``python -m benchmarks [--quick] [NAME…]``: run the modules whose name contains NAME, on private servers."""

import argparse
import importlib
import os
import pkgutil
import secrets
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests import private_servers as servers

HERE = Path(__file__).parent
NOT_BENCHMARKS = {
    "__main__", "harness", "apps", "buffered", "hostile_clients", "listeners", "load", "plain_notes", "pocketbase",
    "product", "streams", "trends_apps", "trends_data",
}  # fmt: skip


def names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules([str(HERE)]) if m.name not in NOT_BENCHMARKS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/bench", description=importlib.import_module("benchmarks").__doc__)
    parser.add_argument("name", nargs="*", help="part of a module name; default: all of " + ", ".join(names()))
    parser.add_argument("--quick", action="store_true", help="fewer rounds: only to check that it runs")
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORK",
        help="of peers: only works whose title contains WORK; may be repeated",
    )  # fmt: skip
    parser.add_argument("--requests", type=int, default=0, metavar="N", help="of memory: how many are sent")
    arguments = parser.parse_args()
    chosen = [name for name in names() if not arguments.name or any(part in name for part in arguments.name)]
    if not chosen:
        parser.error(f"no benchmark matches {' or '.join(arguments.name)}; available: {', '.join(names())}")
    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="atrium-bench-") as home:
        # Durable servers, as in production: without fsync every write would look faster than it is.
        own = servers.start(Path(home) / "servers")
        try:
            os.environ.update(
                ATRIUM_HOME=home,
                DATABASE_URL=own.database_url,
                REDIS_URL=own.redis_url,
                CELERY_BROKER_URL=own.broker_url,
                DEBUG="false",
                SECRET_KEY=secrets.token_urlsafe(48),
                JWT_SIGNING_KEY=secrets.token_urlsafe(48),
                PUBLIC_URL="http://localhost:8000",
                ALLOWED_HOSTS="127.0.0.1,localhost,testserver",
                DJANGO_SETTINGS_MODULE="config.settings",
                **{f"THROTTLE_{name}": "" for name in ("ANON", "USER", "LOGIN", "REGISTER", "MAIL", "SEND", "UPLOAD")},
            )
            return run(chosen, quick=arguments.quick, only=arguments.only, requests=arguments.requests)
        finally:
            own.stop()


def stop(*_: Any) -> None:
    """End the run in order, so that every ``finally`` stops its server. A second signal does not interrupt that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(128 + signal.SIGTERM)


def run(chosen: list[str], **options: Any) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from .harness import Bench

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    bench = Bench(**options)
    for name in chosen:
        bench.say(f"\n=== {name}")
        importlib.import_module(f"benchmarks.{name}").run(bench)
    return 0


if __name__ == "__main__":
    sys.exit(main())
