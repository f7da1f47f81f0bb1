"""Responses match the OpenAPI schema, for requests generated from it."""

from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts import tokens
from config.wsgi import application

from ..factories import UserFactory
from .routes import operations, schema

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# `events/` redirects to the events process, which is not part of this schema.
NAMES = sorted((each.method, each.path) for each in operations() if each.path != "/api/v1/events/")

api_schema = schemathesis.openapi.from_dict(schema())
api_schema.app = application


@pytest.fixture
def in_this_transaction(db: None, settings: Any) -> Iterator[None]:
    """Keep the test's connection open at the end of a WSGI request, and use a fast password hasher."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("in_this_transaction")
@pytest.mark.parametrize("method, path", NAMES, ids=str)
def test_responses_match_the_schema(method: str, path: str) -> None:
    _, access, _ = tokens.start_session(user=UserFactory(is_staff=True, is_superuser=True))

    # Deterministic, so that a failure can be reproduced.
    @hypothesis.settings(
        max_examples=4,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=api_schema[path][method].as_strategy())
    def send(case: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {access}"}
        response = case.call(base_url="http://testserver")
        case.validate_response(response, checks=CHECKS)

    send()


def test_enum_values_of_parameters_have_the_parameter_s_type() -> None:
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    for path, methods in schema()["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                described = parameter["schema"]
                assert all(isinstance(each, types[described["type"]]) for each in described.get("enum", ())), (
                    path,
                    parameter,
                )
