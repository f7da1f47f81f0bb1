"""JSON bodies of requests."""

from typing import Any

import pytest

from ..conftest import Client

LOGIN = "/api/v1/auth/login/"


@pytest.mark.django_db
def test_a_body_above_the_limit_is_413_and_is_not_read(api: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 2**20
    room = 2 * 2**20 - len(b'{"email": ""}')
    answer = api.generic("POST", LOGIN, b'{"email": "%s"}' % (b"x" * room), content_type="application/json")
    assert answer.status_code == 400
    answer = api.generic("POST", LOGIN, b'{"email": "%s"}' % (b"x" * (room + 1)), content_type="application/json")
    assert answer.status_code == 413
    (error,) = answer.json()["errors"]
    assert error["code"] == "too_large"


@pytest.mark.django_db
@pytest.mark.parametrize("opening, closing", [("[", "]"), ('{"text": ', "}")])
def test_a_body_nested_deeper_than_100_levels_is_400(signed_in: Client, opening: str, closing: str) -> None:
    def post(depth: int) -> Any:
        nested = opening * (depth - 1) + "1" + closing * (depth - 1)  # inside the object of the note
        answer = signed_in.generic("POST", "/api/v1/notes/", f'{{"items": {nested}}}', content_type="application/json")
        assert answer.status_code == 400
        return answer.json()["errors"][0]

    assert post(100)["attr"].startswith("items")
    for depth in (101, 990, 100_000):
        assert (post(depth)["code"], post(depth)["attr"]) == ("parse_error", None)
