"""Documents name only tests that exist, and ``docs/security.md`` answers each line of its standard."""

import ast
import re

import pytest

from ..places import ROOT

SECURITY = (ROOT / "docs" / "security.md").read_text()
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob(".github/**/*.md")]
TEST = re.compile(r"\btests/[\w/]+\.py(?:::\w+)?")
NAMED = sorted({name for each in DOCUMENTS for name in TEST.findall(each.read_text())})


def test_the_security_page_names_tests() -> None:
    assert len(set(TEST.findall(SECURITY))) > 50


@pytest.mark.thorough
@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_exists(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not function or function in names


def test_no_line_of_the_standard_is_without_an_answer() -> None:
    rows = re.findall(r"^\| (\d+\.\d+\.\d+\S*) \| .+ \| (\S+) \| .+ \|$", SECURITY, re.MULTILINE)
    assert len(rows) == len({number for number, _ in rows}) > 60
    assert {answer for _, answer in rows} <= {"yes", "part", "no", "–"}
