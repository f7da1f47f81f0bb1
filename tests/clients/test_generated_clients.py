"""Clients made by public generators compile, and walk through all five domains of a running product.

``bin/check-schema`` runs public linters on the schema.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ..places import ROOT
from .conftest import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

GUIDE = ROOT / "docs" / "api-guide.md"
WalkSettings = Callable[[str], dict[str, str]]


@pytest.mark.usefixtures("typescript_clients")
def test_typescript_clients_compile(programs: Path, run: Run) -> None:
    run(programs / "tsc", "-p", "tsconfig.json")


@pytest.mark.usefixtures("typescript_clients")
@pytest.mark.parametrize("name", ["openapi-typescript", "hey-api", "orval"])
def test_a_typescript_client_walks_through_all_domains(
    name: str, programs: Path, run: Run, walk_settings: WalkSettings
) -> None:
    """The walk checks that a PATCH of the title changes neither body nor color."""
    bundle = f"out/{name}.mjs"
    run(programs / "esbuild", f"walks/{name}.ts", "--bundle", "--platform=node", "--format=esm", f"--outfile={bundle}")
    run("node", bundle, **walk_settings(name))


def test_a_python_client_walks_through_all_domains(python_client: Path, run: Run, walk_settings: WalkSettings) -> None:
    run(python_client, "walks/walk.py", **walk_settings("openapi-python-client"))


def test_the_python_example_of_the_guide_runs(
    python_client: Path, workspace: Path, run: Run, walk_settings: WalkSettings
) -> None:
    settings = walk_settings("guide")
    given = json.loads(settings["ATRIUM_WALK"])
    chapter = GUIDE.read_text().partition("\n### Python\n")[2]
    code = re.search(r"^```python\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)[1]
    assert len(code.strip().splitlines()) <= 12
    for shown, actual in {
        "http://localhost:8000": given["url"],
        '"ada"': repr(given["account"]["login"]),
        '"a fine long secret"': repr(given["account"]["password"]),
    }.items():
        assert shown in code
        code = code.replace(shown, actual)
    (workspace / "guide.py").write_text(f"{code}\nassert note.title == 'Groceries'\n")
    run(python_client, "guide.py", **settings)
