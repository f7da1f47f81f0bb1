"""OpenAPI schema: descriptions, security, headers and error responses of every operation."""

from collections.abc import Iterator
from itertools import accumulate
from types import SimpleNamespace
from typing import Any, Literal

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema_serializer
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination

from .scopes import needed_scopes

ERROR_DESCRIPTIONS = {
    400: "The request is invalid. Each error names its field.",
    401: "Not signed in, or the token is expired or revoked.",
    403: "You do not have permission to do this.",
    404: "The object does not exist, or it is not yours.",
    409: "The current state does not allow this.",
    412: "The object has changed: `If-Match` does not match its version.",
    413: "The request body is too large.",
    415: "The content type is not supported.",
    422: "The `Idempotency-Key` was already used for a different request.",
    429: "Too many requests. Retry after the seconds in `Retry-After`.",
    503: "A required service is unavailable. Retry after the seconds in `Retry-After`.",
}
METHODS = ("get", "post", "put", "patch", "delete")
HEADERS = {
    "ETag": {"description": "The version of the response, for `If-None-Match` and `If-Match`.", "type": "string"},
    "Idempotent-Replayed": {
        "description": "`true`: the stored answer to an earlier request with this `Idempotency-Key`.",
        "type": "string",
    },
    "Retry-After": {"description": "Seconds to wait before the next attempt.", "type": "integer"},
    "Location": {"description": "The URL to follow.", "type": "string"},
    "X-Request-ID": {"description": "The id of the request in the logs.", "type": "string"},
}


class ErrorEntrySerializer(serializers.Serializer):
    code = serializers.CharField(help_text="A code for programs, such as `required`.")
    detail = serializers.CharField(help_text="A message for people.")
    attr = serializers.CharField(
        allow_null=True,
        help_text="The field, such as `items.2.text`; `non_field_errors` for a combination of fields; null if the "
        "error is not about a field.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Invalid field",
            {
                "type": "validation_error",
                "errors": [{"code": "required", "detail": "This field is required.", "attr": "title"}],
            },
            response_only=True,
        )
    ]
)
class ErrorSerializer(serializers.Serializer):
    type = serializers.ChoiceField(["validation_error", "client_error", "server_error"])
    errors = ErrorEntrySerializer(many=True)  # type: ignore[assignment]  # `errors` is the field's name in the API


def errors(*codes: int) -> dict[int, OpenApiResponse]:
    """Return the error responses for ``codes``, for ``extend_schema(responses=…)``. Common ones are added anyway."""
    return {code: OpenApiResponse(ErrorSerializer, ERROR_DESCRIPTIONS[code]) for code in codes}


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255},
    OpenApiParameter.HEADER,
    description="A unique text, such as a UUID. A repeated request with the same key and content gets the first "
    "response again, for 24 hours.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` that you read. The response is 412 if the object has changed since.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    str,
    OpenApiParameter.HEADER,
    description="The `ETag` of an earlier response. The response is 304 if it is unchanged.",
)
CREATED_ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[201], description=str(HEADERS["ETag"]["description"])
)
NOT_MODIFIED = OpenApiResponse(description="Not modified since the `ETag` in `If-None-Match`.")


class AutoSchema(SpectacularAutoSchema):
    """Add the errors, headers and parameters that follow from the kind of operation.

    Attributes of a view: ``schema_tag`` replaces the first part of the path as tag; ``delete_takes_body`` describes the
    body of DELETE; ``has_etag`` says that its GETs send an ``ETag`` and answer 304.
    """

    def get_tags(self) -> list[str]:
        parts = self.path.removeprefix("/api/v1/").strip("/").split("/")
        return [self.view.schema_tag] if hasattr(self.view, "schema_tag") else [parts[0]]

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular declares it
        """Return nothing: a description comes from ``extend_schema``, never from a docstring of the code."""
        return ""

    def get_operation_id(self) -> str:
        return super().get_operation_id().replace(".", "_")

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation:
            self._add_headers(operation)
            self._describe_filters(operation)
            self._describe_scopes(operation)
        return operation

    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        return [*parameters, IF_NONE_MATCH] if self._has_etag() and IF_NONE_MATCH not in parameters else parameters

    def _has_etag(self) -> bool:
        return self.method == "GET" and getattr(self.view, "has_etag", False)

    def _describe_filters(self, operation: dict[str, Any]) -> None:
        """Add the help texts of filters with an annotated schema, which drf-spectacular omits."""
        filters = getattr(getattr(self.view, "filterset_class", None), "base_filters", {})
        for parameter in operation.get("parameters", ()):
            if not parameter.get("description") and parameter["name"] in filters:
                parameter["description"] = filters[parameter["name"]].extra.get("help_text", "")

    def _describe_scopes(self, operation: dict[str, Any]) -> None:
        """Name the scopes of which a personal access token needs one, for programs and in the description."""
        if scopes := needed_scopes(self.view, self.method):
            operation["x-scopes"] = list(scopes)
            names = " or ".join(f"`{scope}`" for scope in scopes)
            operation["description"] = f"{operation.get('description', '')}\n\nScope: {names}.".strip()

    def _add_headers(self, operation: dict[str, Any]) -> None:
        parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
        with_etag = {"412"}
        if parameters & {"If-Match", "If-None-Match"} and self.method != "DELETE":
            with_etag |= {"200", "201", "304"}
        for status, response in operation["responses"].items():
            names = ["X-Request-ID"]
            if status in ("429", "503"):
                names.append("Retry-After")
            if status in ("302", "307"):
                names.append("Location")
            if status in with_etag:
                names.append("ETag")
            if "Idempotency-Key" in parameters and status.startswith("2"):
                names.append("Idempotent-Replayed")
            response["headers"] = {
                **{name: {"$ref": f"#/components/headers/{name}"} for name in names},
                **response.get("headers", {}),
            }

    def _get_request_body(self, direction: str = "request") -> Any:
        """Describe the body of DELETE for views with ``delete_takes_body``; drf-spectacular omits it."""
        if self.method != "DELETE" or not getattr(self.view, "delete_takes_body", False):
            return super()._get_request_body(direction)
        self.method = "POST"
        try:
            return super()._get_request_body(direction)
        finally:
            self.method = "DELETE"

    def _is_public(self) -> bool:
        """Return whether the view's permissions allow anonymous requests."""
        anonymous: Any = SimpleNamespace(method=self.method, user=AnonymousUser(), auth=None)
        return all(permission.has_permission(anonymous, self.view) for permission in self.view.get_permissions())

    def get_auth(self) -> list[dict[str, Any]]:
        # Browsers cannot set the session cookie by hand, so it is named only where it is the only method.
        found = [method for method in super().get_auth() if method]
        methods = [method for method in found if "session" not in method] or found
        return [*methods, {}] if self._is_public() else methods

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        if direction != "response":
            return responses
        # 400 in a GET: invalid parameters, or a token in the URL; 401 of a public operation: an invalid token
        codes = [400, 401, 429, 503]
        is_write = self.method != "GET"
        is_public = self._is_public()
        paginator = self._get_paginator() if self._is_list_view() else None
        if is_write:
            codes += [413, 415]
        if not is_public:
            codes.append(403)  # in a read: a token without the scope, or a second factor that has to be set up first
        if "{" in self.path or isinstance(paginator, PageNumberPagination):  # a page after the last one
            codes.append(404)
        parameters = self.get_override_parameters()
        if IDEMPOTENCY_KEY in parameters:
            codes.append(422)
        if IF_MATCH in parameters:
            codes.append(412)
        for code, response in errors(*codes).items():
            if str(code) not in responses:
                responses[str(code)] = self._get_response_for_code(response, str(code), direction=direction)
        if self._has_etag():
            responses["304"] = {"description": NOT_MODIFIED.description}
        return dict(sorted(responses.items()))


def postprocess(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Make the schema strict JSON Schema 2020-12 and easy for generators of clients."""
    components = result["components"]
    components["headers"] = {
        name: {"description": header["description"], "schema": {"type": header["type"]}}
        for name, header in HEADERS.items()
    }
    result["paths"] = {path: _in_order(result["paths"][path]) for path in _paths_in_order(result["paths"])}
    schemas = components["schemas"]
    for node in list(_objects(result)):
        _replace_nullable(node)
        _merge_enums(node, schemas)
    for name, schema in schemas.items():
        properties = schema.get("properties", {})
        if name.startswith("Patched"):
            # A client that fills in defaults would overwrite what it does not mean to change.
            for each in properties.values():
                each.pop("default", None)
        if "results" in properties and "next" in properties:
            schema["required"] = sorted(properties)
    used = {node["$ref"] for node in _objects(result) if "$ref" in node}
    components["schemas"] = {n: s for n, s in schemas.items() if f"#/components/schemas/{n}" in used}
    return result


def _paths_in_order(paths: dict[str, Any]) -> list[str]:
    """Sort paths as Swagger and Redoc show them: by tag; in a tag first the list, then one object, then other calls.

    The tag of accounts keeps the order of its URLs, which follows the life of an account.
    """
    described: Any = settings.SPECTACULAR_SETTINGS["TAGS"]
    tags = [tag["name"] for tag in described]
    seen: dict[str, int] = {}  # each path and its beginnings, in the order of the URLs
    for path in paths:
        for beginning in _beginnings(path):
            seen.setdefault(beginning, len(seen))

    def key(path: str) -> tuple[int, list[tuple[bool, int]]]:
        tag = tags.index(next(iter(paths[path].values()))["tags"][0])
        # In a list of beginnings the shorter path sorts first, and an id before a word.
        steps = [(not each.endswith("}"), seen[each]) for each in _beginnings(path)]
        return tag, steps if tag else []

    return sorted(paths, key=key)


def _beginnings(path: str) -> list[str]:
    """Return ``/a``, ``/a/{id}`` and ``/a/{id}/b`` of ``/a/{id}/b/``."""
    return list(accumulate(path.strip("/").split("/"), lambda start, part: f"{start}/{part}"))


def _in_order(operations: dict[str, Any]) -> dict[str, Any]:
    """Sort the operations of a path by method, as Swagger and Redoc show them: reading first, deleting last."""
    return {method: operations[method] for method in METHODS if method in operations}


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(each)


def _replace_nullable(schema: dict[str, Any]) -> None:
    """Replace ``nullable`` of OpenAPI 3.0, which JSON Schema ignores."""
    if schema.pop("nullable", None) is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]


def _merge_enums(schema: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Replace the choice between an enum, ``BlankEnum`` and ``NullEnum`` by one enum with all values."""
    names = [each.get("$ref", "").rpartition("/")[2] for each in schema.get("oneOf", ())]
    if not {"BlankEnum", "NullEnum"} & set(names):
        return
    values = [value for name in names for value in schemas[name].get("enum", [])]
    del schema["oneOf"]
    schema.update(type=["string", "null"] if None in values else "string", enum=values)
