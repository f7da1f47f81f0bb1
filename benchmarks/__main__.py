"""``python -m benchmarks [--quick] [NAME…]``: run the modules whose name contains NAME, on servers of their own."""

import argparse
import importlib
import os
import pkgutil
import secrets
import sys
import tempfile
from pathlib import Path

from config.embedded import servers

HERE = Path(__file__).parent
NOT_BENCHMARKS = {"__main__", "harness", "apps", "listeners", "plain_notes", "trends_apps", "trends_data"}


def names() -> list[str]:
    return sorted(m.name for m in pkgutil.iter_modules([str(HERE)]) if m.name not in NOT_BENCHMARKS)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/bench", description=importlib.import_module("benchmarks").__doc__)
    parser.add_argument("name", nargs="*", help="part of a module's name; none means all: " + ", ".join(names()))
    parser.add_argument("--quick", action="store_true", help="fewer rounds: to see that it runs, not to quote it")
    asked = parser.parse_args()
    chosen = [name for name in names() if not asked.name or any(part in name for part in asked.name)]
    if not chosen:
        parser.error(f"no benchmark is called {' or '.join(asked.name)}; there are {', '.join(names())}")
    with tempfile.TemporaryDirectory(prefix="atrium-bench-") as home:
        # Durable servers, as a product has: a benchmark without fsync would flatter every write.
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
            return run(chosen, quick=asked.quick)
        finally:
            own.stop()


def run(chosen: list[str], *, quick: bool) -> int:
    import django

    django.setup()
    from django.core.management import call_command

    from .harness import Bench

    call_command("migrate", verbosity=0)
    call_command("collectstatic", verbosity=0, interactive=False)
    bench = Bench(quick=quick)
    for name in chosen:
        bench.say(f"\n=== {name}")
        importlib.import_module(f"benchmarks.{name}").run(bench)
    return 0


if __name__ == "__main__":
    sys.exit(main())
