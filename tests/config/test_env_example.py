"""``.env.example`` lists exactly the variables that the code reads."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Set by Atrium for its own processes, or read by other programs.
INTERNAL = {
    "ATRIUM_PROCESS",
    "CELERY_SKIP_CHECKS",
    "ATRIUM_LIVENESS_FILE",
    "ATRIUM_RELOAD",
    "ATRIUM_BEHIND_FRONT",
    "PROMETHEUS_MULTIPROC_DIR",
    "GOMEMLIMIT",
    "DEV_MAIL",
    "DJANGO_SETTINGS_MODULE",
    "HOME",
    "PATH",
    "COMPOSE_PROFILES",
}


def documented() -> set[str]:
    return set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def read_by_code() -> set[str]:
    """Return the names in ``env.int("NAME")``, ``os.environ["NAME"]`` and, in the compose file, ``${NAME``."""
    names = set()
    for source in (ROOT / "config").rglob("*.py"):
        names |= set(re.findall(r"\benv(?:\.\w+)?\(\s*\"([A-Z][A-Z0-9_]+)\"", source.read_text()))
        names |= set(re.findall(r"\benviron(?:\.\w+\(|\[)\s*\"([A-Z][A-Z0-9_]+)\"", source.read_text()))
    return names | set(re.findall(r"\$\{([A-Z][A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))


def test_every_variable_is_documented() -> None:
    assert read_by_code() - documented() - INTERNAL == set()


def test_every_documented_variable_is_read() -> None:
    assert documented() - read_by_code() - INTERNAL == set()


def test_an_unchanged_copy_sets_nothing() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
