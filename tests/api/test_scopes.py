"""Every scope against every route: what a personal access token may call, compared with the contract."""

import re
from typing import Any

import pytest

from accounts import personal_tokens
from accounts.models import PersonalToken, User
from config.api.scopes import SCOPES

from ..conftest import Client
from ..factories import UserFactory
from .routes import Operation, operations, schema
from .test_every_route import PUBLIC

OPERATIONS = sorted(operations(), key=str)

# The first pattern that matches an operation names its scopes: R and W for reading and writing, or one for both.
# An operation that matches none needs a session. This table repeats the contract; it is not derived from the views.
CONTRACT = [
    (r"GET /api/v1/auth/profile/", {"account:read"}),
    (r"\w+ /api/v1/(auth|webhooks|invitations)/", None),
    (r"GET /api/v1/events/", {"messages:read", "notes:read", "contacts:read"}),
    (r"\w+ /api/v1/(notes|labels)/", "notes"),
    (r"\w+ /api/v1/(messages|conversations|presence|people|blocks)/", "messages"),
    (r"\w+ /api/v1/contacts/", "contacts"),
    (r"\w+ /api/v1/trends/", {"trends:write"}),
]


def accepted(operation: Operation) -> set[str] | None:
    """Return the scopes with which a token may call the operation; all for a public one, None if none may."""
    if str(operation) in PUBLIC:
        return set(SCOPES)
    for pattern, scopes in CONTRACT:
        if re.match(pattern, str(operation)):
            if isinstance(scopes, str):
                return {f"{scopes}:write"} | ({f"{scopes}:read"} if operation.method == "get" else set())
            return scopes and scopes | {each.replace(":read", ":write") for each in scopes}
    return None


def client_with(user: User, scope: str) -> Client:
    raw = personal_tokens.new_token()
    PersonalToken.objects.create(
        user=user, name=scope, scopes=[scope], prefix=raw[:8], token_hash=personal_tokens.hash_token(raw)
    )
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {raw}")
    return client


@pytest.mark.django_db
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_each_scope_opens_exactly_its_routes(operation: Operation, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    user = UserFactory(is_staff=True)
    allowed = accepted(operation)
    for scope in SCOPES:
        response = getattr(client_with(user, scope), operation.method)(operation.url(), format="json")
        refusal = response.json()["errors"][0] if response.status_code == 403 else {"code": ""}
        if str(operation) == "POST /api/v1/auth/token/from-session/":
            assert response.status_code == 401, "only the cookie is accepted"
        elif allowed is None:
            assert refusal["code"] == "session_required", f"{operation} with {scope}: {response.status_code}"
        elif scope in allowed:
            assert refusal["code"] not in ("insufficient_scope", "session_required"), f"{operation} with {scope}"
        else:
            assert refusal["code"] == "insufficient_scope", f"{operation} with {scope}: {response.status_code}"
            assert any(each in refusal["detail"] for each in allowed), "the error names what is missing"


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if str(each) not in PUBLIC], ids=str)
def test_the_schema_names_the_scope(operation: Operation) -> None:
    described = schema()["paths"][operation.path][operation.method]
    allowed = accepted(operation)
    assert ({"personalToken": []} in described["security"]) is (allowed is not None)
    named = described.get("x-scopes", [])
    assert set(named) <= (allowed or set())
    assert all(f"`{scope}`" in described["description"] for scope in named)
    assert bool(named) is bool(allowed)


def test_the_schema_explains_every_scope() -> None:
    scheme = schema()["components"]["securitySchemes"]["personalToken"]
    assert scheme["x-scopes"] == SCOPES
    assert all(f"`{scope}`" in scheme["description"] for scope in SCOPES)


@pytest.mark.django_db
def test_the_scope_is_checked_before_input_and_idempotency_key(user: User) -> None:
    reader = client_with(user, "notes:read")
    response = reader.post("/api/v1/notes/", {"unknown": 1}, HTTP_IDEMPOTENCY_KEY="k")
    assert response.json()["errors"][0]["code"] == "insufficient_scope"
    assert "notes:write" in response.json()["errors"][0]["detail"]


@pytest.mark.django_db
def test_a_cached_read_needs_the_scope_too(user: User) -> None:
    owner = client_with(user, "notes:read")
    owner.get("/api/v1/notes/")
    assert owner.get("/api/v1/notes/").status_code == 200
    assert client_with(user, "contacts:read").get("/api/v1/notes/").status_code == 403


@pytest.mark.django_db
def test_a_token_of_a_user_who_is_not_staff_gains_nothing_by_its_scope(user: User) -> None:
    response = client_with(user, "trends:write").get("/api/v1/trends/imports/")
    assert response.json()["errors"][0]["code"] == "permission_denied"
