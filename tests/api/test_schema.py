"""The schema is strict JSON Schema 2020-12, and complete."""

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from drf_spectacular.generators import EndpointEnumerator

from .routes import METHODS, schema
from .strict import validator

SUCCESS = ("2", "3")


def described() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in schema()["paths"].items():
        for method in METHODS:
            if method in methods:
                yield f"{method.upper()} {path}", methods[method]


OPERATIONS = dict(described())


def media(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"request {kind}", content
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            yield f"{status} {kind}", content


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_example_matches_its_schema(name: str) -> None:
    for where, content in media(OPERATIONS[name]):
        strict = validator(content["schema"])
        for title, example in content.get("examples", {}).items():
            assert [error.message for error in strict.iter_errors(example["value"])] == [], f"{where}: {title}"


@pytest.mark.parametrize("name", schema()["components"]["schemas"])
def test_every_component_is_valid_json_schema_with_valid_examples(name: str) -> None:
    component = schema()["components"]["schemas"][name]
    assert jsonschema_rs.meta.is_valid(component)
    for field in component.get("properties", {}).values():
        if "example" in field:
            assert validator(field).is_valid(field["example"])


def test_nothing_of_openapi_3_0_is_left() -> None:
    assert '"nullable"' not in json.dumps(schema())


def test_a_patched_component_has_no_defaults() -> None:
    for name, component in schema()["components"]["schemas"].items():
        if name.startswith("Patched"):
            assert [field for field, each in component["properties"].items() if "default" in each] == [], name


def test_pages_always_have_both_links() -> None:
    pages = {n: s for n, s in schema()["components"]["schemas"].items() if n.startswith("Paginated")}
    assert pages
    for name, component in pages.items():
        assert {"next", "previous", "results"} <= set(component["required"]), name


def test_names_are_identifiers_and_not_generic() -> None:
    names = set(schema()["components"]["schemas"])
    assert {name for name in names if name.endswith(("RequestRequest", "Enum"))} == set()
    assert names & {"Links", "Card", "Item", "Content", "Owner"} == set()
    assert all(name.isidentifier() for name in names)
    assert all(operation["operationId"].isidentifier() for operation in OPERATIONS.values())


def description_of(operation: dict[str, Any]) -> str:
    """Return the description without the line about scopes, which is added to every one."""
    text: str = operation.get("description", "")
    return re.sub(r"\s*Scope: [^\n]+\.\Z", "", text)


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_says_what_it_does(name: str) -> None:
    operation = OPERATIONS[name]
    assert operation.get("summary")
    assert description_of(operation)
    assert all(
        parameter.get("description") or parameter["in"] == "path" for parameter in operation.get("parameters", ())
    )
    assert all(response.get("description") is not None for response in operation["responses"].values())


def test_no_description_is_a_docstring_of_the_code() -> None:
    texts = {description_of(operation) for operation in OPERATIONS.values()}
    for path, _, method, callback in EndpointEnumerator().get_api_endpoints():
        actions = getattr(callback, "actions", None) or {}  # of a view set
        name = actions.get(method.lower(), method.lower())
        for described in (callback.cls, getattr(callback.cls, name)):
            assert inspect.getdoc(described) not in texts, f"{method} {path}"


def test_every_tag_is_described_and_the_site_is_the_server() -> None:
    tags = {tag["name"] for tag in schema()["tags"] if tag["description"]}
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} <= tags
    assert schema()["servers"] == [{"url": "/", "description": "This site."}]


@pytest.mark.parametrize("name", OPERATIONS)
def test_headers_are_described(name: str) -> None:
    responses = OPERATIONS[name]["responses"]
    assert all("X-Request-ID" in response["headers"] for response in responses.values())
    for status in ("429", "503"):
        assert "Retry-After" in responses[status]["headers"]
    for status in {"302", "307"} & responses.keys():
        assert "Location" in responses[status]["headers"]
    if "304" in responses:
        assert "ETag" in responses["200"]["headers"]


def test_a_page_of_another_origin_can_read_the_described_headers(settings: Any) -> None:
    described = set(schema()["components"]["headers"]) - {"Location"}  # browsers follow it themselves
    assert described == set(settings.CORS_EXPOSE_HEADERS)


@pytest.mark.parametrize("name", OPERATIONS)
def test_errors_that_any_client_can_meet_are_described(name: str) -> None:
    operation = OPERATIONS[name]
    expected = {"429", "503"}
    if "requestBody" in operation:
        expected |= {"400", "413", "415"}
    if {} not in operation["security"]:
        expected |= {"401"}
    if "{" in name:
        expected |= {"404"}
    assert expected <= operation["responses"].keys()


def test_a_download_is_not_described_as_json() -> None:
    for name, operation in OPERATIONS.items():
        for where, content in media(operation):
            is_binary = content["schema"].get("format") == "binary"
            assert not (is_binary and "json" in where), f"{name} {where}"


def test_operations_are_in_their_natural_order() -> None:
    """By domain; a list, then one object, then other calls; an account is registered first and deleted last."""
    tags = [OPERATIONS[name]["tags"][0] for name in OPERATIONS]
    assert list(dict.fromkeys(tags)) == [tag["name"] for tag in schema()["tags"]], "one block for each tag"
    notes = [name for name in OPERATIONS if OPERATIONS[name]["tags"] == ["notes"]]
    assert notes[:6] == [
        *("GET /api/v1/notes/", "POST /api/v1/notes/", "GET /api/v1/notes/{id}/", "PUT /api/v1/notes/{id}/"),
        *("PATCH /api/v1/notes/{id}/", "DELETE /api/v1/notes/{id}/"),
    ]
    for path, operations in schema()["paths"].items():
        assert list(operations) == [method for method in METHODS if method in operations], path
    account = [path for path in schema()["paths"] if path.startswith("/api/v1/auth/")]
    assert account[0] == "/api/v1/auth/register/"
    assert account[-1] == "/api/v1/auth/account/"
    assert account.index("/api/v1/auth/login/") < account.index("/api/v1/auth/profile/")


def test_both_kinds_of_tokens_can_be_entered_and_one_operation_needs_the_cookie() -> None:
    assert list(schema()["components"]["securitySchemes"]) == ["bearer", "personalToken", "session"]
    by_cookie = [name for name, operation in OPERATIONS.items() if {"session": []} in operation["security"]]
    assert by_cookie == ["POST /api/v1/auth/token/from-session/"]
