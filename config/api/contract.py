"""What a request may contain, taken from the OpenAPI schema of its operation.

The schema is the contract: a write may use the query parameters that it documents, and its body may contain the members
of the request and of the response, so that a client can send back an object that it has read.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from threading import Lock
from typing import Any, NamedTuple, TypeAlias

from django.contrib.admindocs.views import simplify_regex
from django.utils.dateparse import parse_datetime
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings

from config.json import dumps

# Names of the members of an object or of a list's items, each with its own members; None stands for any value.
Members: TypeAlias = "dict[str, Members] | None"

# The generator of drf-spectacular is not made for threads, and a process may start with several requests.
_generator = Lock()


class Contract(NamedTuple):
    """What one operation accepts. ``needs_body`` is false for operations without input."""

    parameters: frozenset[str]
    members: Members
    needs_body: bool


@cache
def contract(view: Callable[..., Any], method: str, route: str) -> Contract:
    """Return the contract of ``method`` (lower case) of the view function ``view`` at the URL pattern ``route``."""
    schema, operation = _operation(view, method, route)
    members = _request_members(schema, operation)
    accepted = _merge(members, _response_members(schema, operation))
    if method in ("put", "patch") and _has_method(view, "get"):
        accepted = _merge(accepted, _response_members(*_operation(view, "get", route)))
    return Contract(
        parameters=frozenset(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"),
        members=accepted,
        needs_body="requestBody" in operation,
    )


def unknown_members(data: object, members: Members, prefix: str = "") -> Iterator[str]:
    """Yield the dotted path of every member of ``data`` that ``members`` does not contain, such as ``items.0.text``."""
    if members is None:
        return
    if isinstance(data, Mapping):
        for name, value in data.items():
            if name in members:
                yield from unknown_members(value, members[name], f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}"
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from unknown_members(value, members, f"{prefix}{index}.")


def is_same(sent: object, stored: object) -> bool:
    """Compare JSON values: instants to the millisecond, lists without order."""
    return _normalized(sent) == _normalized(stored)


def _normalized(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _normalized(each) for name, each in value.items()}
    if isinstance(value, list):
        return sorted((_normalized(each) for each in value), key=dumps)
    if isinstance(value, str) and (instant := _instant(value)):
        return int(instant.timestamp() * 1000)
    return value


def _instant(text: str) -> datetime | None:
    try:
        instant = parse_datetime(text)
    except ValueError:
        return None
    return instant if instant and instant.tzinfo else None


def _operation(view: Callable[..., Any], method: str, route: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the components and the operation of the schema."""
    path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", simplify_regex(route))
    prefix = f"^{spectacular_settings.SCHEMA_PATH_PREFIX}"
    with _generator, GENERATOR_STATS.silence():
        generator = SchemaGenerator()
        inspected = generator.create_view(view, method.upper())
        path = generator.coerce_path(path, method.upper(), inspected)
        inspected.request = spectacular_settings.GET_MOCK_REQUEST(method.upper(), path, inspected, None)
        operation = inspected.schema.get_operation(path, route, prefix, method.upper(), generator.registry)
        return generator.registry.build({}), operation or {}


def _has_method(view: Any, method: str) -> bool:
    return method in view.actions if getattr(view, "actions", None) else hasattr(view.cls, method)


def _request_members(schema: dict[str, Any], operation: dict[str, Any]) -> Members:
    return _content_members(schema, operation.get("requestBody", {}))


def _response_members(schema: dict[str, Any], operation: dict[str, Any]) -> Members:
    members: Members = {}
    for status, response in operation.get("responses", {}).items():
        if status.startswith("2"):
            members = _merge(members, _content_members(schema, {"content": _json_only(response)}))
    return members


def _json_only(response: dict[str, Any]) -> dict[str, Any]:
    return {kind: each for kind, each in response.get("content", {}).items() if kind == "application/json"}


def _content_members(schema: dict[str, Any], part: dict[str, Any]) -> Members:
    members: Members = {}
    for content in part.get("content", {}).values():
        members = _merge(members, _members(schema, content.get("schema", {})))
    return members


def _members(schema: dict[str, Any], part: dict[str, Any]) -> Members:
    if "$ref" in part:
        return _members(schema, schema["schemas"][part["$ref"].rpartition("/")[2]])
    if alternatives := [each for key in ("allOf", "oneOf", "anyOf") for each in part.get(key, ())]:
        members: Members = {}
        for each in alternatives:
            if each.get("type") != "null":
                members = _merge(members, _members(schema, each))
        return members
    if "items" in part:
        return _members(schema, part["items"])
    if "properties" in part:
        return {name: _members(schema, each) for name, each in part["properties"].items()}
    return None


def _merge(first: Members, second: Members) -> Members:
    if first is None or second is None:
        return None
    shared = {name: _merge(first[name], second[name]) for name in first.keys() & second.keys()}
    return {**first, **second, **shared}
