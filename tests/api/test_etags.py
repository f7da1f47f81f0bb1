"""ETags are stable, and survive proxies that compress responses."""

import pytest

from config.cache.redis import redis_client
from config.cache.responses import matches

from ..conftest import Client


@pytest.mark.parametrize(
    "header",
    [
        '"abc"',
        'W/"abc"',
        '"abc-gzip"',
        'W/"abc-gzip"',
        '"abc;gzip"',
        '"abc--gzip"',
        '"abc-br"',
        '"abc"-gzip',
        '"x", "abc-df"',
    ],
)
def test_a_suffix_of_a_compressing_proxy_is_accepted(header: str) -> None:
    assert matches(header, '"abc"')
    assert not matches(header.replace("abc", "abd"), '"abc"')


@pytest.mark.parametrize("path", ["notes/?page_size=2", "labels/", "trends/", "contacts/"])
def test_the_same_bytes_have_the_same_tag_after_they_left_the_cache(signed_in: Client, path: str) -> None:
    for title in "abc":
        signed_in.post("/api/v1/notes/", {"title": title})
    first = signed_in.get(f"/api/v1/{path}")
    signed_in.post("/api/v1/labels/", {"name": "unrelated"}) if "labels" not in path else None

    redis_client().flushdb()
    again = signed_in.get(f"/api/v1/{path}")
    assert again.content == first.content
    assert again.headers.get("ETag") == first.headers.get("ETag")
