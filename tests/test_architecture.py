"""Packages import each other only in the directions that pyproject.toml allows, and never in a cycle."""

import graphlib
import shutil
import subprocess
import sys

import grimp

from .places import ROOT

PACKAGES = ("config", "accounts", "notes", "messaging", "contacts", "trends")


def test_the_import_contracts_are_kept() -> None:
    linter = shutil.which("lint-imports", path=str(sys.exec_prefix + "/bin"))
    assert linter, "import-linter is missing: install requirements-test.txt"
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_no_modules_import_each_other_in_a_cycle() -> None:
    """Imports inside functions count; imports for type checkers do not."""
    graph = grimp.build_graph(*PACKAGES, "tests", "benchmarks", cache_dir=None, exclude_type_checking_imports=True)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" imports ".join(reversed(error.args[1]))) from None
