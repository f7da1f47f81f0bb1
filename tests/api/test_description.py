"""What the API answers is what its description says: requests made from the schema, answers held against it."""

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
# `events/` sends on to the events process, whose answers are not of this description.
NAMES = sorted((each.method, each.path) for each in operations() if each.path != "/api/v1/events/")

described = schemathesis.openapi.from_dict(schema())
described.app = application


@pytest.fixture
def in_this_transaction(db, settings):
    """Requests as a server makes them end with their connection being looked at; the test's must stay open.

    Passwords are hashed quickly.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("in_this_transaction")
@pytest.mark.parametrize("method, path", NAMES, ids=lambda part: part)
def test_answers_are_as_described(method, path):
    _, access, _ = tokens.start_session(user=UserFactory(is_staff=True, is_superuser=True))

    # The same requests at each run: a failure is a finding, never bad luck.
    @hypothesis.settings(
        max_examples=4,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=described[path][method].as_strategy())
    def ask(case):
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {access}"}
        response = case.call(base_url="http://testserver")
        case.validate_response(response, checks=CHECKS)

    ask()


def test_every_choice_of_a_parameter_is_of_its_type():
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool}
    for path, methods in schema()["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                told = parameter["schema"]
                assert all(isinstance(each, types[told["type"]]) for each in told.get("enum", ())), (path, parameter)
