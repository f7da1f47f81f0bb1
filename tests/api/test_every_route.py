"""Rules for every route: described without a warning, closed to anonymous users, and never a 500."""

import io
import json
from contextlib import redirect_stderr
from typing import Any

import pytest
from django.core.management import call_command

from ..conftest import Client
from .routes import Operation, operations, schema

OPERATIONS = sorted(operations(), key=str)

# Add a new public route here.
PUBLIC = {
    "GET /api/v1/trends/",
    "GET /api/v1/trends/changes/",
    "GET /api/v1/trends/radar/",
    "GET /api/v1/trends/summary/",
    "GET /api/v1/trends/{id}/history/",
    "GET /api/v1/trends/{id}/",
    "POST /api/v1/auth/login/",
    "POST /api/v1/auth/login/mfa/",
    "POST /api/v1/auth/login/passkey/",
    "POST /api/v1/auth/login/passkey/options/",
    "POST /api/v1/auth/logout/",
    "POST /api/v1/auth/new-password/",
    "POST /api/v1/auth/register/",
    "POST /api/v1/auth/resend-verification/",
    "POST /api/v1/auth/reset-password/",
    "POST /api/v1/auth/token/refresh/",
    "POST /api/v1/auth/token/verify/",
    "POST /api/v1/auth/verify-email/",
}

TEXTS = [
    "\x00", "a\x00b", "x" * 100_001, "9" * 30, "-1", "0", "1e309", "NaN", "'; DROP TABLE x; --", "%", "_", "\\",
    "../../etc/passwd", "\u202e\ufeff", "é" * 300, "1970-01-01", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00",
    "a@" + "b" * 300, "=1+1", "[]", "null", "",
]  # fmt: skip
VALUES: list[Any] = [
    *TEXTS,
    None,
    True,
    -1,
    10**18,
    10**30,
    -(10**30),
    1e308,
    0.5,
    [],
    {},
    [[]],
    [None],
    [{}],
    {"a": {"b": []}},
]
SINGLE_VALUES = ["a\x00b", "x" * 100_001, 10**30, -1, None, [[]], {"a": []}]
BODIES = {
    "empty": b"",
    "null": b"null",
    "a list": b"[]",
    "a string": b'"text"',
    "a number": b"1e999",
    "not a number": b'{"a": NaN}',
    "truncated": b'{"a": ',
    "not UTF-8": b'{"a": "\xff\xfe"}',
    "a lone surrogate": b'{"body": "\\ud800", "title": "\\udc00", "email": "\\ud800@example.org"}',
    "100,000 lists deep": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "10,000 fields": json.dumps({f"f{n}": n for n in range(10_000)}).encode(),
}
IDS = [
    "0",
    "-1",
    "9" * 30,
    "abc",
    "%00",
    "%ff%fe",
    "a" * 300,
    "..",
    "1.5",
    "AAAAAA",
    "00000000-0000-0000-0000-000000000000",
]


def test_the_schema_is_valid_and_generated_without_warnings() -> None:
    output = io.StringIO()
    with redirect_stderr(output):
        call_command("spectacular", "--validate", "--fail-on-warn", file="/dev/null")
    assert "warning" not in output.getvalue().lower()


def test_every_operation_has_a_summary_and_a_success_response() -> None:
    for path, methods in schema()["paths"].items():
        for method, operation in methods.items():
            assert operation.get("summary"), f"{method} {path} has no summary"
            assert any(code.startswith(("2", "3")) for code in operation["responses"]), (
                f"{method} {path} has no success"
            )


def test_only_these_operations_are_public() -> None:
    assert {str(operation) for operation in OPERATIONS if operation.public} == PUBLIC


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if not each.public], ids=str)
def test_an_anonymous_request_is_401(operation: Operation, api: Client) -> None:
    response = getattr(api, operation.method)(operation.url())
    assert response.status_code == 401
    assert response.json()["type"] == "client_error"
    assert response["WWW-Authenticate"].startswith("Bearer")


def assert_no_server_error(response: Any, operation: Operation, what: str) -> None:
    assert response.status_code < 500, f"{operation} with {what}: {response.status_code} {response.content[:300]!r}"
    if response.status_code >= 400 and response.headers.get("Content-Type", "").startswith("application/json"):
        assert set(response.json()) == {"type", "errors"}, f"{operation} with {what} has a different error format"


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.path_names], ids=str)
def test_invalid_ids_are_no_server_error(operation: Operation, admin: Client) -> None:
    for hostile in IDS:
        url = operation.url(**dict.fromkeys(operation.path_names, hostile))
        response = getattr(admin, operation.method)(url, operation.body, format="json")
        assert_no_server_error(response, operation, f"the id {hostile[:40]}")


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.query_names], ids=str)
def test_hostile_query_strings_are_no_server_error(operation: Operation, admin: Client) -> None:
    for name in [*operation.query_names, "cursor", "page", "page_size", "format"]:
        for hostile in TEXTS:
            response = getattr(admin, operation.method)(operation.url(), {name: hostile[:2000]})
            assert_no_server_error(response, operation, f"?{name}={hostile[:40]!r}")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if "application/json" in each.content_types], ids=str
)
def test_hostile_bodies_are_no_server_error(operation: Operation, admin: Client) -> None:
    call = getattr(admin, operation.method)
    for what, raw in BODIES.items():
        assert_no_server_error(call(operation.url(), raw, content_type="application/json"), operation, what)
    fields = list(operation.body or {})
    for hostile in VALUES if fields else ():
        response = call(operation.url(), dict.fromkeys(fields, hostile), format="json")
        assert_no_server_error(response, operation, f"every field {str(hostile)[:40]!r}")
    # One by one as well, so that the error of one field does not hide that of another.
    for name in fields:
        for value in SINGLE_VALUES:
            response = call(operation.url(), {**operation.body, name: value}, format="json")
            assert_no_server_error(response, operation, f"{name}={str(hostile)[:40]!r}")


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.content_types], ids=str)
def test_an_unsupported_content_type_is_a_client_error(operation: Operation, admin: Client) -> None:
    response = getattr(admin, operation.method)(operation.url(), b"<a/>", content_type="application/xml")
    assert_no_server_error(response, operation, "XML")
    assert response.status_code >= 400
