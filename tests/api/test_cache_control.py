"""API responses must not be stored by caches, unless they say how they may be."""

import pytest

from accounts.models import User

from ..conftest import Client
from ..factories import PASSWORD

AUTH = "/api/v1/auth/"


def test_tokens_are_not_stored(api: Client, user: User) -> None:
    answer = api.post(f"{AUTH}login/", {"email": user.email, "password": PASSWORD})
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")
    refreshed = api.post(f"{AUTH}token/refresh/", {"refresh": answer.json()["refresh"]})
    assert (refreshed.status_code, refreshed["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize("path", ["auth/profile/", "auth/export/", "auth/sessions/", "messages/", "presence/"])
def test_personal_data_is_not_stored(signed_in: Client, path: str) -> None:
    answer = signed_in.get(f"/api/v1/{path}")
    assert (answer.status_code, answer["Cache-Control"]) == (200, "no-store")


def test_an_event_streams_ticket_is_not_stored(signed_in: Client) -> None:
    answer = signed_in.get("/api/v1/events/")
    assert (answer.status_code, answer["Cache-Control"]) == (307, "no-store")


def test_errors_are_not_stored(api: Client) -> None:
    assert api.get(f"{AUTH}profile/")["Cache-Control"] == "no-store"
    assert api.get("/api/v1/nothing/")["Cache-Control"] == "no-store"


def test_responses_that_are_revalidated_keep_their_header(signed_in: Client) -> None:
    assert signed_in.get("/api/v1/notes/")["Cache-Control"] == "private, no-cache"
    assert signed_in.get("/api/v1/trends/")["Cache-Control"] == "no-cache"
