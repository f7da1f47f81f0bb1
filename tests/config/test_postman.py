"""The Postman files are the API's description, as it is now."""

import json

import pytest

from config.management.commands.postman import FILES, rendered


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_files_are_in_step_with_the_schema(path):
    assert path.read_text() == rendered(path), "write them anew with: manage.py postman"


def test_every_operation_has_a_request_with_a_test():
    from ..api.routes import operations

    (collection,) = (json.loads(path.read_text()) for path in FILES if "collection" in path.name)
    items = [item for folder in collection["item"] for item in folder["item"]]
    assert len(items) == len(list(operations()))
    assert all(item["event"][0]["script"]["exec"] for item in items)
