"""Validate requests and responses against the OpenAPI schema, as strict JSON Schema 2020-12."""

import re
from functools import cache
from typing import Any

import jsonschema_rs

from .routes import METHODS, schema

UNDOCUMENTED = {405, 411, 500}  # any operation can return these
DESCRIBED_HEADERS = ("ETag", "Location", "Retry-After", "Idempotent-Replayed", "X-Request-ID")


def validator(part: dict[str, Any]) -> Any:
    """Return the validator of ``part``, a schema inside the OpenAPI document."""
    return jsonschema_rs.Draft202012Validator({**part, "components": schema()["components"]}, validate_formats=True)


@cache
def paths() -> list[tuple[re.Pattern[str], str]]:
    """Return a pattern for each path of the schema, those without parameters first."""
    found = [(re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path) for path in schema()["paths"]]
    return sorted(found, key=lambda pair: pair[1].count("{"))


@cache
def response_validator(method: str, path: str, status: str) -> Any:
    """Return the validator of a JSON response; None if it has no JSON body."""
    response = schema()["paths"][path][method]["responses"][status]
    content = response.get("content", {}).get("application/json")
    return validator(content["schema"]) if content else None


def check_response(method: str, url: str, response: Any) -> None:
    """Raise AssertionError if the response is not documented or does not match its schema."""
    method = method.lower()
    path = next((path for pattern, path in paths() if pattern.fullmatch(url)), None)
    if method not in METHODS or path is None or method not in schema()["paths"][path]:
        return
    operation = schema()["paths"][path][method]
    status = str(response.status_code)
    if response.status_code in UNDOCUMENTED:
        return
    assert status in operation["responses"], f"{method.upper()} {path} does not document {status}"
    described = operation["responses"][status]["headers"].keys()
    sent = {name for name in DESCRIBED_HEADERS if name in response.headers}
    assert sent <= described, f"{method.upper()} {path} {status} does not document {sent - described}"
    is_json = response.headers.get("Content-Type", "").startswith("application/json")
    if not is_json or response.streaming or response.headers.get("Content-Encoding") or not response.content:
        return
    strict = response_validator(method, path, status)
    assert strict is not None, f"{method.upper()} {path} {status} documents no JSON body"
    errors = [f"{list(error.instance_path)}: {error.message}" for error in strict.iter_errors(response.json())]
    assert errors == [], f"{method.upper()} {path} {status} does not match its schema"
