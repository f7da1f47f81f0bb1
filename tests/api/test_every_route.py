"""What holds for every route: described without a warning, closed to strangers, and below 500 whatever it is sent."""

import io
import json
from contextlib import redirect_stderr

import pytest
from django.core.management import call_command

from ..factories import UserFactory
from .routes import Operation, operations

OPERATIONS = sorted(operations(), key=str)

# Whoever adds a route that needs no signing in says so here.
PUBLIC = {
    "GET /api/v1/trends/",
    "GET /api/v1/trends/summary/",
    "GET /api/v1/trends/{id}/",
    "POST /api/v1/auth/login/",
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
VALUES = [*TEXTS, None, True, -1, 10**18, 10**30, -(10**30), 1e308, 0.5, [], {}, [[]], [None], [{}], {"a": {"b": []}}]
ALONE = ["a\x00b", "x" * 100_001, 10**30, -1, None, [[]], {"a": []}]
BODIES = {
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a text": b'"text"',
    "a number": b"1e999",
    "not a number": b'{"a": NaN}',
    "cut short": b'{"a": ',
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


def test_the_schema_is_made_without_a_warning_and_is_valid():
    said = io.StringIO()
    with redirect_stderr(said):
        call_command("spectacular", "--validate", "--fail-on-warn", file="/dev/null")
    assert "warning" not in said.getvalue().lower()


def test_every_operation_has_a_summary_and_answers_that_are_described():
    from .routes import schema

    for path, methods in schema()["paths"].items():
        for method, said in methods.items():
            assert said.get("summary"), f"{method} {path} has no summary"
            assert any(code.startswith(("2", "3")) for code in said["responses"]), f"{method} {path} says no success"


def test_only_these_operations_are_public():
    assert {str(operation) for operation in OPERATIONS if operation.public} == PUBLIC


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if not each.public], ids=str)
def test_without_signing_in_it_is_401(operation: Operation, api):
    answer = getattr(api, operation.method)(operation.url())
    assert answer.status_code == 401
    assert answer.json()["type"] == "client_error"
    assert answer["WWW-Authenticate"].startswith("Bearer")


def below_500(answer, operation: Operation, what: str) -> None:
    assert answer.status_code < 500, f"{operation} with {what}: {answer.status_code} {answer.content[:300]!r}"
    if answer.status_code >= 400 and answer.headers.get("Content-Type", "").startswith("application/json"):
        assert set(answer.json()) == {"type", "errors"}, f"{operation} with {what} has another shape of error"


@pytest.fixture
def insider(api, settings):
    """Somebody who may do everything that staff may, so that no permission hides what the input does.

    Passwords are hashed quickly: thousands of hostile log-ins would take minutes otherwise.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    return api.as_user(UserFactory(is_staff=True, is_superuser=True))


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.path_names], ids=str)
def test_ids_that_are_none_are_404_or_405(operation: Operation, insider):
    for hostile in IDS:
        url = operation.url(**dict.fromkeys(operation.path_names, hostile))
        answer = getattr(insider, operation.method)(url, operation.body, format="json")
        below_500(answer, operation, f"the id {hostile[:40]}")


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.query_names], ids=str)
def test_hostile_query_strings_get_an_answer(operation: Operation, insider):
    for name in [*operation.query_names, "cursor", "page", "page_size", "format"]:
        for hostile in TEXTS:
            answer = getattr(insider, operation.method)(operation.url(), {name: hostile[:2000]})
            below_500(answer, operation, f"?{name}={hostile[:40]!r}")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if "application/json" in each.content_types], ids=str
)
def test_hostile_bodies_get_an_answer(operation: Operation, insider):
    call = getattr(insider, operation.method)
    for what, raw in BODIES.items():
        below_500(call(operation.url(), raw, content_type="application/json"), operation, what)
    fields = list(operation.body or {})
    for hostile in VALUES if fields else ():
        answer = call(operation.url(), dict.fromkeys(fields, hostile), format="json")
        below_500(answer, operation, f"every field {str(hostile)[:40]!r}")
    # One by one as well, so that no field hides behind the refusal of another.
    for name in fields:
        for hostile in ALONE:
            answer = call(operation.url(), {**operation.body, name: hostile}, format="json")
            below_500(answer, operation, f"{name}={str(hostile)[:40]!r}")


@pytest.mark.django_db
@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.content_types], ids=str)
def test_an_unknown_content_type_is_415_or_another_refusal(operation: Operation, insider):
    answer = getattr(insider, operation.method)(operation.url(), b"<a/>", content_type="application/xml")
    below_500(answer, operation, "XML")
    assert answer.status_code >= 400
