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
