"""The typed client's package, and programs that are run in it."""

import os
import re
import subprocess
from pathlib import Path

from ..places import ROOT

PACKAGE = ROOT / "clients" / "typescript"
BLOCK = re.compile(r"^```ts( browser)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(folder: Path, *command: str | Path, **environment: str) -> str:
    """Run a program in ``folder`` and return its output; raises AssertionError with it if the program fails."""
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env={**os.environ, **environment}, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-8000:]}"
    return done.stdout


def examples(*, browser: bool) -> str:
    """Return the examples of the README as one program; those for browsers are left out unless ``browser``."""
    found = BLOCK.findall((PACKAGE / "README.md").read_text())
    return "\n".join(code for marker, code in found if browser or not marker)
