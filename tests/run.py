"""``bin/test``: run pytest; with ``--quick`` keep the servers, for a single file also the database, until the next run.

The kept servers are in ``.atrium-test/`` of this checkout, or in ATRIUM_TEST_FOLDER, and end after 15 minutes without a
run. A second run at the same time starts its own servers, and so does every other run.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import psutil

from config.ops.launcher import ROOT, StartError, home, orphans
from config.ops.launcher.postgres import Postgres
from config.ops.launcher.valkey import Valkey

from .places import migrations_digest

FOLDER = Path(os.environ.get("ATRIUM_TEST_FOLDER", ROOT / ".atrium-test"))
IDLE_SECONDS = 900


def main() -> None:
    arguments = sys.argv[1:]
    options: list[str] = []
    one_file, quick = is_one_file(arguments), "--quick" in arguments
    if (one_file or quick) and (lock := _lock()):
        with contextlib.suppress(StartError):
            urls = _kept_servers()
            os.set_inheritable(lock.fileno(), True)  # held until pytest ends
            os.environ["ATRIUM_TEST_SERVERS"] = json.dumps(urls)
            if one_file:
                options = ["-n", "0", "--reuse-db", *_recreate_database(), *_without_unused_plugins(arguments)]
            else:  # no fixture of these tests lasts longer than a test, so a free process may take any test
                options = ["--dist", "worksteal", "-p", "no:schemathesis"]
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *options, *arguments])


def is_one_file(arguments: list[str]) -> bool:
    """Return whether the run is of a single file. A file that is left out (``--deselect FILE``) does not count."""
    before = ["", *arguments]
    named = [each for each, option in zip(arguments, before, strict=False) if option not in ("--deselect", "--ignore")]
    paths = {path for argument in named if (path := ROOT / argument.partition("::")[0]).exists()}
    chosen = any(argument in ("-n", "--reuse-db", "--create-db") or argument.startswith("-n") for argument in arguments)
    return len(paths) == 1 and paths.pop().is_file() and not chosen


def _lock() -> IO[str] | None:
    """Return the lock for the kept servers, or None if another run holds it."""
    home.make(FOLDER)
    file = (FOLDER / "run.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    os.utime(file.fileno())
    return file


def _kept_servers() -> dict[str, str]:
    """Return the addresses of the running servers, or start them; raises StartError."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        stored = json.loads((FOLDER / "daemon.json").read_text())
        servers = (Postgres(FOLDER / "postgres"), Valkey(FOLDER / "valkey"))
        if psutil.pid_exists(stored["pid"]) and not any(server.problem() for server in servers):
            return stored["urls"]
    orphans.end(FOLDER)  # left by a daemon that was killed
    print(f"Starting Postgres and Valkey in {FOLDER.name}; the next run finds them.", flush=True)
    command = [sys.executable, "-m", "tests.private_servers", str(FOLDER), "--throwaway", "--idle", str(IDLE_SECONDS)]
    with (FOLDER / "daemon.log").open("w") as log:
        daemon = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
            start_new_session=True,
        )  # fmt: skip
    line = daemon.stdout.readline() if daemon.stdout else ""
    urls = json.loads(line or '{"error": "The test servers did not start."}')
    if "error" in urls:
        raise StartError(urls["error"])
    home.write_private(FOLDER / "daemon.json", json.dumps({"pid": daemon.pid, "urls": urls}))
    (FOLDER / "migrations").unlink(missing_ok=True)
    return urls


def _recreate_database() -> list[str]:
    """Return the option to recreate the database if a migration has changed or the last run did not finish."""
    digest = migrations_digest()
    stamp, unfinished = FOLDER / "migrations", FOLDER / "unfinished"
    usable = not unfinished.exists() and stamp.exists() and stamp.read_text() == digest
    unfinished.write_text(f"{time.time()}\n")
    os.environ["ATRIUM_TEST_UNFINISHED"] = str(unfinished)  # tests/servers.py deletes it at the end of the run
    stamp.write_text(digest)
    return [] if usable else ["--create-db"]


def _without_unused_plugins(arguments: list[str]) -> list[str]:
    """Return options that leave out two plugins whose import takes seconds, unless a file names them."""
    paths = (ROOT / argument.partition("::")[0] for argument in arguments)
    text = "".join(path.read_text() for path in paths if path.is_file())
    plugins = {"schemathesis": "schemathesis", "hypothesis": "hypothesispytest"}
    return [part for name, plugin in plugins.items() if name not in text for part in ("-p", f"no:{plugin}")]


if __name__ == "__main__":
    main()
