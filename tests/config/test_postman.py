"""The Postman files match the OpenAPI schema."""

import json
from pathlib import Path

import pytest

from config.management.commands.postman import FILES, rendered
from config.ops.postman_flow import FLOW

from ..api.routes import operations


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_match_the_schema(path: Path) -> None:
    assert path.read_text() == rendered(path), "run manage.py postman"


def test_every_operation_has_a_request_with_a_test() -> None:
    (collection,) = (json.loads(path.read_text()) for path in FILES if "collection" in path.name)
    items = [item for folder in collection["item"] for item in folder["item"]]
    repeated = [name for steps in FLOW.values() for name in steps if name.endswith(")")]  # another of its operation
    assert len(items) == len(list(operations())) + len(repeated)
    assert all(item["event"][0]["script"]["exec"] for item in items)
