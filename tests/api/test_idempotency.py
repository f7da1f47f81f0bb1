"""``Idempotency-Key`` on every POST that creates something: compared after validation, replayed for 24 hours."""

from typing import Any

import pytest

from notes.models import Note

from ..conftest import Client
from ..factories import UserFactory
from .routes import operations

KEY = {"HTTP_IDEMPOTENCY_KEY": "b1f0c9c2"}
TREND = {"megatrend": "a", "macrotrend": "b", "steepl": "T", "impact_strength": "High"}
# Signed-in POSTs outside auth/ that answer 201 or 202 and create nothing.
CREATES_NOTHING = {"POST /api/v1/contacts/uploads/{id}/retry/", "POST /api/v1/contacts/uploads/{id}/undo/"}


def documented() -> set[str]:
    return {str(each) for each in operations() if "Idempotency-Key" in {p["name"] for p in each.parameters}}


def headers(response: Any) -> dict[str, str]:
    """The headers that do not differ from request to request."""
    differs = {"X-Request-ID", "Idempotent-Replayed", "Server-Timing", "RateLimit", "RateLimit-Policy"}
    return {name: value for name, value in response.headers.items() if name not in differs}


def test_every_post_that_creates_something_documents_the_key() -> None:
    creating = {
        str(each)
        for each in operations()
        if each.method == "post" and not each.public and each.statuses & {201, 202} and "/auth/" not in each.path
    }
    assert documented() == creating - CREATES_NOTHING


@pytest.mark.parametrize(
    "path, body",
    [("notes/", {"title": "a"}), ("labels/", {"name": "a"}), ("trends/", TREND)],
)
def test_a_repeated_request_creates_nothing_and_gets_the_first_response(
    admin: Client, path: str, body: dict[str, Any]
) -> None:
    first = admin.post(f"/api/v1/{path}", body, **KEY)
    again = admin.post(f"/api/v1/{path}", body, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"
    assert headers(again) == headers(first)


def test_sharing_again_with_the_key_is_no_conflict(signed_in: Client) -> None:
    note, friend = signed_in.post("/api/v1/notes/", {"title": "a"}).json(), UserFactory()
    url = f"/api/v1/notes/{note['id']}/collaborators/"
    assert signed_in.post(url, {"usercode": friend.usercode}, **KEY).status_code == 201
    # A default written out and a usercode in lower case are the same request.
    again = signed_in.post(url, {"role": "viewer", "usercode": friend.usercode.lower()}, **KEY)
    assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (201, "true")


def test_order_of_members_and_defaults_do_not_matter(signed_in: Client) -> None:
    first = signed_in.post("/api/v1/notes/", {"title": "a", "body": "b"}, **KEY)
    again = signed_in.post("/api/v1/notes/", {"color": "default", "body": "b", "items": [], "title": "a"}, **KEY)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert Note.objects.count() == 1


def test_other_content_is_422(signed_in: Client) -> None:
    assert signed_in.post("/api/v1/notes/", {"title": "a"}, **KEY).status_code == 201
    response = signed_in.post("/api/v1/notes/", {"title": "b"}, **KEY)
    assert (response.status_code, response.json()["errors"][0]["code"]) == (422, "idempotency_key_reused")


def test_checks_of_stored_data_are_not_repeated(signed_in: Client) -> None:
    friend = UserFactory()
    body = {"body": "hello", "recipients": [friend.usercode]}
    first = signed_in.post("/api/v1/messages/", body, **KEY)
    friend.delete()
    again = signed_in.post("/api/v1/messages/", {**body, "recipients": [friend.usercode.lower()]}, **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert headers(again) == headers(first)


def test_a_key_belongs_to_one_user(api: Client) -> None:
    for _ in range(2):
        response = api.as_user(UserFactory()).post("/api/v1/notes/", {"title": "a"}, **KEY)
        assert (response.status_code, "Idempotent-Replayed" in response) == (201, False)
