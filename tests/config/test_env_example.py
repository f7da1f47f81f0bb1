"""``.env.example`` names every variable that is read, and none that is not."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Set by Atrium for its own processes, or read by others' code: not for an operator to choose.
INTERNAL = {"ATRIUM_PROCESS", "ATRIUM_PULSE", "DJANGO_SETTINGS_MODULE", "HOME", "PATH", "COMPOSE_PROFILES"}


def named() -> set[str]:
    return set(re.findall(r"^# ([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))


def read() -> set[str]:
    """The names in calls such as ``env.int("NAME")``, ``os.environ["NAME"]`` and, in the compose file, ``${NAME``."""
    names = set()
    for source in (ROOT / "config").rglob("*.py"):
        names |= set(re.findall(r"\benv(?:\.\w+)?\(\s*\"([A-Z][A-Z0-9_]+)\"", source.read_text()))
        names |= set(re.findall(r"\benviron(?:\.\w+\(|\[)\s*\"([A-Z][A-Z0-9_]+)\"", source.read_text()))
    return names | set(re.findall(r"\$\{([A-Z][A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))


def test_every_variable_that_is_read_is_explained():
    assert read() - named() - INTERNAL == set()


def test_no_variable_is_explained_that_nothing_reads():
    assert named() - read() - INTERNAL == set()


def test_copied_as_it_is_the_example_changes_nothing():
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert [line for line in lines if line and not line.startswith("#")] == []
