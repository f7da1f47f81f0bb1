"""Every request is checked against the schema: unknown members and parameters, missing bodies, tokens in URLs."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from config.api.contract import Contract, contract, is_same, unknown_members
from config.api.views import APIView

from ..conftest import Client
from .objects import OBJECTS, maker
from .routes import Operation, operations

# This call is for the site's own cookie, not for the tokens of these tests (tests/accounts/test_personal_tokens.py).
BY_COOKIE = "/api/v1/auth/token/from-session/"
OPERATIONS = sorted((each for each in operations() if each.path != BY_COOKIE), key=str)
WRITES = [each for each in OPERATIONS if each.method != "get"]
WITH_JSON = [each for each in WRITES if "application/json" in each.content_types]


def views(patterns: list[Any]) -> Iterator[Any]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from views(pattern.url_patterns)
        elif isinstance(pattern, URLPattern) and hasattr(pattern.callback, "cls"):
            yield pattern.callback.cls


def test_every_api_view_checks_its_requests() -> None:
    [api] = [each for each in get_resolver().url_patterns if str(each.pattern) == "api/v1/"]
    assert [view for view in views(api.url_patterns) if not issubclass(view, APIView)] == []


def test_the_contract_is_right_when_a_process_begins_with_many_requests_at_once() -> None:
    def build(operation: Operation) -> Contract:
        match = resolve(operation.url())
        return contract.__wrapped__(match.func, operation.method, match.route)

    expected = [build(operation) for operation in WRITES]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(build, WRITES)) == expected


def url_of(operation: Operation, client: Client) -> str:
    """Return the URL of an object that belongs to the client's user, if the operation needs one."""
    is_own = operation.path_names and any(operation.path.startswith(prefix) for prefix in OBJECTS)
    return operation.url(**maker(operation)(client)) if is_own else operation.url()


def send(client: Client, operation: Operation, body: Any = None, query: str = "") -> Any:
    return getattr(client, operation.method)(url_of(operation, client) + query, body, format="json")


def codes(response: Any) -> dict[str, str]:
    return {error["attr"]: error["code"] for error in response.json()["errors"]}


@pytest.mark.parametrize("operation", WRITES, ids=str)
def test_an_unknown_query_parameter_of_a_write_is_refused(operation: Operation, admin: Client) -> None:
    response = send(admin, operation, operation.body, "?dryrun=true&csrfmiddlewaretoken=x")
    assert (response.status_code, codes(response)) == (400, {"dryrun": "unknown_parameter"})


@pytest.mark.parametrize("operation", WITH_JSON, ids=str)
def test_an_unknown_member_is_refused(operation: Operation, admin: Client) -> None:
    response = send(admin, operation, {**operation.body, "colour": "red"})
    assert (response.status_code, codes(response)["colour"]) == (400, "unknown_field")


@pytest.mark.parametrize("operation", [each for each in WRITES if each.content_types], ids=str)
def test_a_missing_body_is_refused(operation: Operation, admin: Client) -> None:
    response = getattr(admin, operation.method)(url_of(operation, admin))
    assert (response.status_code, codes(response)) == (400, {None: "empty_body"})


@pytest.mark.parametrize("operation", [each for each in WRITES if not each.content_types], ids=str)
def test_an_operation_without_input_accepts_nothing_or_an_empty_object(operation: Operation, admin: Client) -> None:
    url, call = url_of(operation, admin), getattr(admin, operation.method)
    bodies: list[Any] = [{"colour": "red"}, [], "text"]
    for body in bodies:
        assert call(url, body, format="json").status_code == 400, body
    assert call(url, {}, format="json").status_code != 400
    assert call(url).status_code != 400


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_a_token_in_the_url_is_refused(operation: Operation, admin: Client) -> None:
    response = send(admin, operation, operation.body, "?access_token=atr_0123456789")
    assert (response.status_code, codes(response)) == (400, {"access_token": "token_in_url"})


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["notes/", "trends/summary/", "auth/profile/"])
@pytest.mark.parametrize(
    "query, attr",
    [
        ("search=atr_0123", "search"),  # a parameter that the operation knows
        ("page_size=5&x=1&token=atr_0123&y=2", "token"),
        ("token=a&token=atr_0123&token=b", "token"),
        ("token=%61tr_0123", "token"),
        ("%74oken=%61%74%72%5F0123", "token"),
        ("atr_0123", "atr_***"),
        ("atr_0123=1", "atr_***"),
    ],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_token_is_found_anywhere_in_the_query_before_signing_in(
    api: Client, method: str, path: str, query: str, attr: str
) -> None:
    api.get(f"/api/v1/{path}")  # a public read is cached now
    response = getattr(api, method)(f"/api/v1/{path}?{query}")
    assert (response.status_code, codes(response)) == (400, {attr: "token_in_url"})
    assert "0123" not in response.content.decode()


@pytest.mark.parametrize("query", ["x=1atr_2", "x=my+atr_0123", "x=ATR_0123", "x=atr-0123"])
def test_other_values_in_the_query_are_no_tokens(signed_in: Client, query: str) -> None:
    assert signed_in.get(f"/api/v1/notes/?{query}").status_code == 200


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.method == "get"], ids=str)
def test_a_read_ignores_unknown_parameters(operation: Operation, admin: Client) -> None:
    assert send(admin, operation, query="?colour=red").status_code != 400


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_options_lists_the_methods_and_nothing_else(operation: Operation, admin: Client) -> None:
    response = admin.options(operation.url())
    if response.status_code != 404:  # some views look up the object first
        assert (response.status_code, response.content) == (204, b"")
        assert operation.method.upper() in response["Allow"]


@pytest.mark.parametrize(
    "sent, stored, same",
    [
        ("2026-05-04T09:30:00.123Z", "2026-05-04T09:30:00.123456Z", True),
        ("2026-05-04T11:30:00.123+02:00", "2026-05-04T09:30:00.123456Z", True),
        ("2026-05-04T09:30:00.124Z", "2026-05-04T09:30:00.123456Z", False),
        ([{"id": 2}, {"id": 1}], [{"id": 1}, {"id": 2}], True),
        ([{"id": 2}], [{"id": 1}, {"id": 2}], False),
        (True, False, False),
        (None, "2026-05-04T09:30:00Z", False),
        ("9999-99-99T00:00:00Z", "2026-05-04T09:30:00Z", False),
    ],
)
def test_values_are_compared_by_meaning(sent: Any, stored: Any, same: bool) -> None:
    assert is_same(sent, stored) == same


def test_unknown_members_are_found_in_nested_objects() -> None:
    members = {"title": None, "items": {"text": None, "checked": None}}
    data = {"title": "a", "items": [{"text": "b"}, {"txt": "c"}], "x": {"y": 1}}
    assert list(unknown_members(data, members)) == ["items.1.txt", "x"]


@pytest.mark.parametrize("path", ["contacts/uploads/", "notes/import/", "trends/imports/"])
def test_a_part_with_a_malformed_header_is_ignored(admin: Client, path: str) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"; a*0=b; a*=c\r\n\r\nName\r\n--b--\r\n'
    response = admin.post(f"/api/v1/{path}", part, content_type="multipart/form-data; boundary=b")
    assert (response.status_code, codes(response)) == (400, {"file": "required"})


class TestNotes:
    @pytest.fixture
    def note(self, signed_in: Client) -> dict[str, Any]:
        label = signed_in.post("/api/v1/labels/", {"name": "home"}).json()
        items = [{"text": "a", "checked": True}]
        note = signed_in.post("/api/v1/notes/", {"title": "a", "items": items, "label_ids": [label["id"]]}).json()
        url = f"/api/v1/notes/{note['id']}/reminder/"
        return signed_in.put(url, {"remind_at": "2099-01-01T09:00:00.123456Z"}).json()

    @pytest.mark.parametrize("method", ["put", "patch"])
    def test_a_note_that_was_read_can_be_sent_back(self, signed_in: Client, note: dict[str, Any], method: str) -> None:
        note["remind_at"] = "2099-01-01T09:00:00.123Z"  # as a browser writes it
        response = getattr(signed_in, method)(f"/api/v1/notes/{note['id']}/", {**note, "title": "b"})
        assert response.status_code == 200, response.content
        assert (response.json()["title"], len(response.json()["labels"])) == ("b", 1)

    @pytest.mark.parametrize(
        "change", [{"pinned": True}, {"archived": True}, {"labels": []}, {"remind_at": None}, {"collaborators": [1]}]
    )
    def test_a_patch_of_a_member_with_its_own_call_names_the_call(
        self, signed_in: Client, note: dict[str, Any], change: dict[str, Any]
    ) -> None:
        response = signed_in.patch(f"/api/v1/notes/{note['id']}/", change)
        [error] = response.json()["errors"]
        [name] = change
        assert (response.status_code, error["code"], error["attr"]) == (400, "read_only", name)
        assert "/api/v1/notes/{id}/" in error["detail"]

    def test_a_put_ignores_members_with_their_own_call(self, signed_in: Client, note: dict[str, Any]) -> None:
        response = signed_in.put(f"/api/v1/notes/{note['id']}/", {**note, "pinned": True, "labels": []})
        assert (response.status_code, response.json()["pinned"], len(response.json()["labels"])) == (200, False, 1)

    def test_nested_unknown_members_are_refused(self, signed_in: Client, note: dict[str, Any]) -> None:
        response = signed_in.patch(f"/api/v1/notes/{note['id']}/", {"items": [{"text": "a", "done": True}]})
        assert codes(response) == {"items.0.done": "unknown_field"}

    def test_a_body_of_another_type_changes_nothing(self, signed_in: Client, note: dict[str, Any]) -> None:
        url = f"/api/v1/notes/{note['id']}/"
        assert signed_in.put(url, "a;b", content_type="text/csv").status_code == 415
        assert signed_in.get(url).json()["title"] == "a"
