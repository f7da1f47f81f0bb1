"""``python -m config.ops.launcher.prepare``: migrate, and collect the static files if they changed."""

import os
import sys
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError


def collect_static() -> None:
    """Run collectstatic unless size and time of every source file are unchanged."""
    files = [Path(storage.path(path)) for finder in get_finders() for path, storage in finder.list([])]
    state = "".join(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}\n" for file in files)
    stamp = settings.STATIC_ROOT / ".collected"
    if not stamp.exists() or stamp.read_text() != state:
        print("Collecting static files …", flush=True)
        call_command("collectstatic", verbosity=0, interactive=False)
        stamp.write_text(state)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        django.setup()
        call_command("migrate", verbosity=0, interactive=False)
        collect_static()
    except (ImproperlyConfigured, CommandError) as error:
        sys.exit(str(error))
    except OperationalError as error:
        sys.exit(f"Cannot use the database in DATABASE_URL: {str(error).strip()}")
