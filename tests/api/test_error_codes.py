"""Every error code in the code is explained in ``docs/``."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..places import ROOT

APPS = ("accounts", "notes", "messaging", "contacts", "trends", "config")
# The position of the code among the arguments of what creates an error.
CODE_AT = {"attr_error": 2, "field_errors": 2, "ValidationError": 1, "InvalidSheet": 0, "Problem": 3, "Refused": 1}


def codes_in(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        found: list[ast.expr | None] = []
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found += node.args[CODE_AT[name] :][:1] if name in CODE_AT else []
            found += [each.value for each in node.keywords if each.arg == "code"]
        elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "default_code":
            found.append(node.value)
        yield from (each.value for each in found if isinstance(each, ast.Constant) and isinstance(each.value, str))


def codes() -> set[str]:
    files = [path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]
    return {code for path in files for code in codes_in(path.read_text()) if code}


def test_the_codes_are_found() -> None:
    assert codes() >= {
        "token_in_url",
        "empty_body",
        "too_many_marks",
        "quota_exceeded",
        "unreadable",
        "payload_too_large",
    }


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_error_code_is_explained(code: str) -> None:
    assert any(f"`{code}`" in path.read_text() for path in Path(ROOT / "docs").glob("*.md"))
