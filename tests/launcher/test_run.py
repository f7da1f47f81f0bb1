"""``bin/test FILE``: servers that stay for the next run, and one process, so that a debugger works."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ..places import ROOT
from ..run import is_one_file


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder for kept servers, which end with the test."""
    folder = tmp_path / "kept"
    yield folder
    daemon = psutil.Process(daemon_of(folder))
    daemon.terminate()
    daemon.wait(30)


def daemon_of(folder: Path) -> int:
    return json.loads((folder / "daemon.json").read_text())["pid"]


def run(file: Path, folder: Path) -> str:
    """Run ``bin/test FILE``, answer the debugger with "continue" and return the output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ATRIUM_TEST", "PYTEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "tests.run", f"--config-file={ROOT / 'pyproject.toml'}", str(file)],
        cwd=ROOT, env=environment | {"ATRIUM_TEST_FOLDER": str(folder)}, input="c\n", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_single_file_keeps_its_servers_and_can_be_debugged(tmp_path: Path, folder: Path) -> None:
    file = tmp_path / "test_one.py"
    file.write_text("def test_one():\n    breakpoint()\n")
    first = run(file, folder)
    assert "(Pdb)" in first
    assert "Starting Postgres and Valkey" in first
    daemon = daemon_of(folder)

    second = run(file, folder)
    assert "(Pdb)" in second
    assert "Starting Postgres and Valkey" not in second
    assert daemon_of(folder) == daemon


def test_a_file_that_is_left_out_does_not_make_a_run_of_one_file() -> None:
    assert is_one_file(["-q", "tests/run.py"])
    assert not is_one_file(["--deselect", "tests/run.py"])
    assert not is_one_file(["--ignore", "tests/run.py", "--junitxml=report.xml"])
