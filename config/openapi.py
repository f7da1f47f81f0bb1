"""What every operation says of itself in the OpenAPI description: its tag, and the errors it may answer."""

from types import SimpleNamespace
from typing import Any, Literal

from django.contrib.auth.models import AnonymousUser
from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema_serializer
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination

REASONS = {
    400: "Something in the request is wrong; each error names its field.",
    401: "Not signed in, or the token is no longer good.",
    403: "It may be seen but not done.",
    404: "It does not exist, or it is not yours.",
    409: "The present state forbids it.",
    412: "`If-Match` named another version.",
    413: "The upload is too large.",
    415: "The content type is not one of those listed.",
    422: "The `Idempotency-Key` was used for other content.",
    429: "Too many requests; `Retry-After` says when to come again.",
    503: "Postgres, Redis or the storage is away; `Retry-After` says when to come again.",
}


class ErrorEntrySerializer(serializers.Serializer):
    code = serializers.CharField(help_text="For programs, such as `required`.")
    detail = serializers.CharField(help_text="For people.")
    attr = serializers.CharField(
        allow_null=True,
        help_text="The field, such as `items.2.text`; `non_field_errors` where they do not go together; null where the "
        "fault is not in the data.",
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A field is wrong",
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
    errors = ErrorEntrySerializer(many=True)  # type: ignore[assignment]  # the field is called as the contract has it


def errors(*codes: int) -> dict[int, OpenApiResponse]:
    """The error answers that an operation adds to the common ones, for ``extend_schema(responses=…)``."""
    return {code: OpenApiResponse(ErrorSerializer, REASONS[code]) for code in codes}


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="Any unique text, such as a UUID. Repeated with the same content it gets the first answer again.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="The `ETag` that was read; 412 if it has changed since."
)


class AutoSchema(SpectacularAutoSchema):
    """Adds the error answers that follow from the kind of operation."""

    def get_tags(self) -> list[str]:
        parts = self.path.removeprefix("/api/v1/").strip("/").split("/")
        return [self.view.schema_tag] if hasattr(self.view, "schema_tag") else [parts[0]]

    def _get_request_body(self, direction: str = "request") -> Any:
        """A view with ``delete_takes_body`` says so for DELETE too, which drf-spectacular leaves out."""
        if self.method != "DELETE" or not getattr(self.view, "delete_takes_body", False):
            return super()._get_request_body(direction)
        self.method = "POST"
        try:
            return super()._get_request_body(direction)
        finally:
            self.method = "DELETE"

    def _is_public(self) -> bool:
        """Whether the view's own permissions let somebody in who is not signed in."""
        nobody: Any = SimpleNamespace(method=self.method, user=AnonymousUser(), auth=None)
        return all(permission.has_permission(nobody, self.view) for permission in self.view.get_permissions())

    def get_auth(self) -> list[dict[str, Any]]:
        ways = [way for way in super().get_auth() if way]
        return [*ways, {}] if self._is_public() else ways

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> Any:
        responses = super()._get_response_bodies(direction)
        if direction != "response":
            return responses
        codes = [429, 503]
        paginator = self._get_paginator() if self._is_list_view() else None
        if self.method in ("POST", "PUT", "PATCH") or self._get_filter_parameters() or paginator:
            codes.append(400)
        if not self._is_public():
            codes.append(401)
        if "{" in self.path or isinstance(paginator, PageNumberPagination):  # a page past the last is none
            codes.append(404)
        for code, answer in errors(*codes).items():
            if str(code) not in responses:
                responses[str(code)] = self._get_response_for_code(answer, str(code), direction=direction)
        return dict(sorted(responses.items()))
