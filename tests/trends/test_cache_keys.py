"""Unknown query parameters are not part of the key of a cached response."""

from typing import Any

import pytest

from config.cache.redis import redis_client

from ..conftest import Client
from .factories import TrendFactory

pytestmark = pytest.mark.django_db


def cached() -> int:
    return len(redis_client().keys("atrium:read:*"))


@pytest.mark.parametrize("path", ["", "summary/", "radar/"])
def test_unknown_parameters_do_not_bypass_the_cache(api: Client, path: str, django_assert_max_num_queries: Any) -> None:
    TrendFactory()
    first = api.get(f"/api/v1/trends/{path}?steepl=S&x=1")
    assert (first.status_code, cached()) == (200, 1)
    with django_assert_max_num_queries(3):  # the generation, once for each
        for query in ("steepl=S", "utm_source=mail&steepl=S", "steepl=S&x=2&y="):
            answer = api.get(f"/api/v1/trends/{path}?{query}")
            assert (answer.content, answer["ETag"]) == (first.content, first["ETag"])
            assert cached() == 1


def test_known_parameters_are_part_of_the_key(api: Client) -> None:
    for query in ("steepl=S", "steepl=T", "search=a", "ordering=patents", "page_size=3", "page=1", "megatrend=x"):
        assert api.get(f"/api/v1/trends/?{query}").status_code == 200
    assert cached() == 7


def test_links_do_not_contain_the_unknown_parameters_of_another_client(api: Client) -> None:
    TrendFactory.create_batch(3)
    secret = api.get("/api/v1/trends/?page_size=1&session=secret").json()
    assert secret["next"] == api.get("/api/v1/trends/?page_size=1").json()["next"]
    assert "secret" not in secret["next"]


def test_unknown_parameters_of_notes_are_not_part_of_the_key(signed_in: Client) -> None:
    for query in ("", "x=1", "x=2&state=active", "state=active", "ordering=title&y=1"):
        assert signed_in.get(f"/api/v1/notes/?{query}").status_code == 200
    assert cached() == 3
