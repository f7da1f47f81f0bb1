"""``docs/security.md`` names only tests that exist."""

import ast
import re

import pytest

from ..places import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE)))


def test_the_page_names_tests() -> None:
    assert len(NAMED) > 50


@pytest.mark.parametrize("name", NAMED)
def test_a_named_test_exists(name: str) -> None:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not function or function in names


def test_no_line_of_the_standard_is_without_an_answer() -> None:
    rows = re.findall(r"^\| (\d+\.\d+\.\d+\S*) \| .+ \| (\S+) \| .+ \|$", PAGE, re.MULTILINE)
    assert len(rows) == len({number for number, _ in rows}) > 60
    assert {answer for _, answer in rows} <= {"yes", "part", "no", "–"}
