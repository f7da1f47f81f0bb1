"""``python -m config.embedded.preparation``: what stands between the servers and the processes that use them.

Migrates, which also sets up the periodic tasks, and collects the static files where they have changed.
"""

import hashlib
import os
import sys
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        django.setup()
        migrate()
        collect_static()
    except (ImproperlyConfigured, CommandError) as error:
        sys.exit(str(error))
    except OperationalError as error:
        sys.exit(f"The database that DATABASE_URL names cannot be used: {str(error).strip()}")


def migrate() -> None:
    executor = MigrationExecutor(connection)
    if pending := len(executor.migration_plan(executor.loader.graph.leaf_nodes())):
        print(f"Bringing the database up to date: {pending} step{'s'[: pending != 1]} …", flush=True)
    call_command("migrate", verbosity=0, interactive=False)


def collect_static() -> None:
    """Run collectstatic, unless every source is as it was the last time."""
    from django.conf import settings
    from django.contrib.staticfiles.finders import get_finders

    seen = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            state = Path(storage.path(path)).stat()
            seen.update(f"{storage.path(path)} {state.st_size} {state.st_mtime_ns}\n".encode())
    stamp = settings.STATIC_ROOT / ".collected"
    if stamp.exists() and stamp.read_text() == seen.hexdigest():
        return
    print("Collecting style sheets and scripts …", flush=True)
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(seen.hexdigest())


if __name__ == "__main__":
    main()
