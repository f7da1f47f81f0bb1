"""README, API guide and landing page show the same first calls."""

import pytest

from config.http.landing import DEFAULT_BASE, FIRST_CALLS, first_calls

from ..places import ROOT

BLOCKS = FIRST_CALLS.read_text().strip().split("\n\n")


@pytest.mark.parametrize("document", ["README.md", "docs/api-guide.md"])
def test_a_document_contains_every_call(document: str) -> None:
    text = (ROOT / document).read_text()
    assert [block for block in BLOCKS if block not in text] == []


def test_the_landing_page_shows_the_calls_with_its_own_address() -> None:
    assert first_calls("http://127.0.0.1:9000") == [
        block.replace(DEFAULT_BASE, "http://127.0.0.1:9000") for block in BLOCKS
    ]
    assert first_calls("http://127.0.0.1:9000")[0] == "BASE=http://127.0.0.1:9000"


def test_the_calls_need_no_recent_curl() -> None:
    assert "--json" not in FIRST_CALLS.read_text()
