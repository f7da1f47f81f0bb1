"""The API guide is correct: its commands run in order in one shell and answer as shown."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..places import ROOT

GUIDE = ROOT / "docs" / "api-guide.md"
BLOCK = re.compile(r"^```(sh|json|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DONE = "--- done ---"


class Shell:
    """One shell that keeps its variables between blocks."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.process = subprocess.Popen(
            ["sh"], cwd=folder, env={"PATH": os.environ["PATH"], **variables}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, script: str) -> str:
        """Run ``script`` and return its output."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{script}\necho\necho '{DONE}'\n")
        self.process.stdin.flush()
        lines: list[str] = []
        for line in self.process.stdout:
            if line.strip() == DONE:
                return "".join(lines).strip()
            lines.append(line)
        raise AssertionError(f"the shell ended: {''.join(lines)}")

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


def shape(value: object) -> object:
    """Replace all values, which differ between runs, and keep the field names and their nesting."""
    match value:
        case dict():
            return {name: shape(inner) for name, inner in value.items()}
        case list():
            return [shape(inner) for inner in value]
    return "value"


def blocks() -> Iterator[tuple[str, str, str]]:
    """Yield ``(script, kind, shown)``: each command of the guide with the answer that the guide shows, if any."""
    found = BLOCK.findall(GUIDE.read_text())
    for (kind, script), (next_kind, shown) in zip(found, [*found[1:], ("sh", "")], strict=True):
        if kind == "sh":
            yield script, next_kind if next_kind != "sh" else "", shown


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here to make the calls with")
def test_the_guide_works_as_written(product, tmp_path):
    product.start()
    shutil.copy(ROOT / "tests" / "data" / "contacts_sample.xlsx", tmp_path / "contacts.xlsx")
    shell = Shell(tmp_path, BASE=product.url)
    try:
        for script, kind, shown in blocks():
            if "$CODE" in script:
                shell.run(f"CODE={product.link_in_mail_to('ada@example.org', 'v')}")
            printed = shell.run(script)
            if kind == "json":
                assert shape(json.loads(printed)) == shape(json.loads(shown)), script
            elif kind == "text":
                assert printed == shown.strip(), script
    finally:
        shell.end()
