"""The provider away, slow, broken or dishonest: a page says so, nobody is signed in, and nothing is connected."""

import base64
import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client as DjangoClient
from joserfc import jwt
from joserfc.jwk import OctKey

from accounts.models import OidcAttempt, OidcIdentity
from accounts.oidc import calls
from accounts.oidc import provider as module
from config import logs

from ..factories import UserFactory
from .fake import CLIENT_ID, CLIENT_SECRET, FakeProvider, send

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Any]


@pytest.fixture(autouse=True)
def ada(db: None) -> Any:
    return UserFactory(username="ada", email="ada@example.org")


def assert_nothing_happened(client: DjangoClient) -> None:
    assert "_auth_user_id" not in client.session
    assert not OidcIdentity.objects.exists()


def now() -> int:
    return int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        lambda: {"iss": "https://evil.example"},
        lambda: {"iss": None},
        lambda: {"nonce": "another"},
        lambda: {"nonce": None},
        lambda: {"aud": "another-client"},
        lambda: {"aud": ["another-client", "third"]},
        lambda: {"aud": [CLIENT_ID, "another-client"], "azp": "another-client"},
        lambda: {"aud": None},
        lambda: {"exp": now() - 61},
        lambda: {"exp": None},
        lambda: {"iat": now() + 120},
        lambda: {"nbf": now() + 120},
        lambda: {"sub": None},
        lambda: {"sub": ""},
        lambda: {"sub": 7},
        lambda: {"sub": "x" * 256},
        lambda: {"sub": "a\x00b"},
        lambda: {"at_hash": "wrong"},
    ],
)
def test_a_token_with_wrong_claims_proves_nothing(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, claims: Any
) -> None:
    provider.claims = claims()
    response = sign_in()
    assert (response.status_code, b"cannot be trusted" in response.content) == (502, True)
    assert_nothing_happened(client)


@pytest.mark.parametrize("claims", [lambda: {"exp": now() - 30}, lambda: {"iat": now() + 30}])
def test_a_clock_may_be_off_by_less_than_a_minute(sign_in: SignIn, provider: FakeProvider, claims: Any) -> None:
    provider.claims = claims()
    assert sign_in().status_code == 302


def unsigned(claims: dict[str, Any]) -> str:
    parts = ({"alg": "none"}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(p).encode()).rstrip(b"=").decode() for p in parts) + "."


def signed_with_the_client_secret(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(CLIENT_SECRET))


def signed_with_an_unknown_key(claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "ES256", "kid": "first"}, claims, FakeProvider.new_key("first"))


@pytest.mark.parametrize(
    "raw",
    [
        unsigned,
        signed_with_the_client_secret,
        signed_with_an_unknown_key,
        lambda claims: "",
        lambda claims: "no.token",
        lambda claims: None,
        lambda claims: {"a": 1},
    ],
)
def test_a_token_without_a_valid_signature_proves_nothing(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient, raw: Any
) -> None:
    provider.raw_token = raw
    provider.metadata = {"id_token_signing_alg_values_supported": ["ES256", "HS256", "none"]}
    assert sign_in().status_code == 502
    assert_nothing_happened(client)


def test_replaced_keys_are_fetched_once_and_not_for_every_unknown_name(
    sign_in: SignIn, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign_in()
    provider.key = provider.new_key("second")
    provider.published = [provider.key]
    assert sign_in(DjangoClient()).status_code == 502, "the keys were fetched a moment ago"
    assert provider.requests.count("/jwks") == 1
    monkeypatch.setattr(module, "REFETCH_SECONDS", 0)
    assert sign_in(DjangoClient()).status_code == 302
    monkeypatch.setattr(module, "REFETCH_SECONDS", 30)
    for number in range(3):
        provider.header = {"kid": f"unknown-{number}"}
        assert sign_in(DjangoClient()).status_code == 502
    assert provider.requests.count("/jwks") == 2
    assert provider.requests.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": 7},
    ],
)
def test_metadata_of_another_issuer_or_with_odd_addresses_is_refused(
    provider: FakeProvider, client: DjangoClient, metadata: dict[str, Any]
) -> None:
    provider.metadata = metadata
    response = client.get("/oidc/login/")
    assert (response.status_code, b"cannot be trusted" in response.content) == (502, True)
    provider.metadata = {}
    assert client.get("/oidc/login/").status_code == 302, "a wrong document is not cached"


@pytest.mark.parametrize(
    "answer, status",
    [
        (lambda handler: send(handler, 500, b"<h1>Oops</h1>", "text/html"), 503),
        (lambda handler: send(handler, 200, b"<h1>Welcome</h1>", "text/html"), 502),
        (lambda handler: send(handler, 200, b"[1, 2]"), 502),
        (lambda handler: send(handler, 200, b'{"a": ' * 100_000), 502),
        (lambda handler: send(handler, 200, b'"' + b"x" * 600_000 + b'"'), 502),
        (lambda handler: send(handler, 404, {}), 502),
        (lambda handler: handler.wfile.write(b"garbage\r\n\r\n") and True, 503),
    ],
)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks"])
def test_a_broken_answer_is_a_page_and_never_a_500(
    provider: FakeProvider, client: DjangoClient, path: str, answer: Any, status: int
) -> None:
    provider.answers[path] = answer
    response = client.get("/oidc/login/")
    if path != "/.well-known/openid-configuration":
        response = client.get(provider.authorize(response["Location"]))
    assert response.status_code in (status, 502), response.content
    assert b"Sign-in with Example ID failed" in response.content
    assert_nothing_happened(client)


def test_a_redirect_of_the_provider_is_not_followed(sign_in: SignIn, provider: FakeProvider) -> None:
    def elsewhere(handler: Any) -> bool:
        handler.send_response(307)
        handler.send_header("Location", f"{provider.url}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    provider.answers["/token"] = elsewhere
    assert sign_in().status_code == 502
    assert "/elsewhere" not in provider.requests


def test_a_provider_that_is_away_is_a_503(provider: FakeProvider, client: DjangoClient) -> None:
    provider.stop()
    response = client.get("/oidc/login/")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert b"does not answer" in response.content


def test_an_answer_that_trickles_is_given_up(
    provider: FakeProvider, client: DjangoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def trickle(handler: Any) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not ended.wait(0.05):
            handler.wfile.write(b" ")
        return True

    monkeypatch.setattr(calls, "TOTAL_SECONDS", 0.3)
    provider.answers["/.well-known/openid-configuration"] = trickle
    try:
        assert client.get("/oidc/login/").status_code == 503  # without the limit it would take 50 s
    finally:
        ended.set()


def test_a_slow_provider_does_not_hold_every_thread(
    provider: FakeProvider, client: DjangoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = [calls._free.acquire(blocking=False) for _ in range(calls.MAX_CALLS)]
    try:
        assert all(taken)
        assert client.get("/oidc/login/").status_code == 503
    finally:
        for _ in taken:
            calls._free.release()
    assert client.get("/oidc/login/").status_code == 302


def test_a_callback_works_once_in_the_browser_that_began_and_for_ten_minutes(
    provider: FakeProvider, client: DjangoClient
) -> None:
    callback = provider.authorize(client.get("/oidc/login/")["Location"])
    assert DjangoClient().get(callback).status_code == 400, "another browser"
    assert client.get(callback).status_code == 302
    client.post("/logout/")
    assert client.get(callback).status_code == 400, "replayed"
    late = provider.authorize(client.get("/oidc/login/")["Location"])
    OidcAttempt.objects.update(created_at=Now() - timedelta(minutes=11))
    assert client.get(late).status_code == 400
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("query", ["", "state=x", "code=a", "code=a&state=b", "code=%00&state=%00", "error=x"])
def test_a_callback_that_nobody_began_is_a_page(provider: FakeProvider, client: DjangoClient, query: str) -> None:
    response = client.get(f"/oidc/callback/?{query}")
    assert (response.status_code, b"Start again" in response.content) == (400, True)
    assert "/token" not in provider.requests


def test_a_cancelled_sign_in_and_a_wrong_code_are_pages(provider: FakeProvider, client: DjangoClient) -> None:
    for query, text in (
        ("error=access_denied&error_description=<b>evil</b>", b"You cancelled"),
        ("error=server_error", b"refused the sign-in"),
        ("code=wrong", b"no longer valid"),
    ):
        state = OidcState(client.get("/oidc/login/")["Location"]).state
        response = client.get(f"/oidc/callback/?{query}&state={state}")
        assert (response.status_code, text in response.content, b"evil" in response.content) == (400, True, False)


class OidcState:
    def __init__(self, location: str) -> None:
        self.state = location.partition("state=")[2].partition("&")[0]


def test_the_issuer_at_the_callback_must_be_the_right_one(
    sign_in: SignIn, provider: FakeProvider, client: DjangoClient
) -> None:
    assert sign_in(iss="https://evil.example").status_code == 502
    assert_nothing_happened(client)
    module.forget()
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    assert sign_in().status_code == 502
    assert sign_in(iss=provider.url).status_code == 302


def test_attempts_are_limited(provider: FakeProvider, client: DjangoClient, settings: Any) -> None:
    settings.THROTTLE_LOGIN = "3/min"
    assert [client.get("/oidc/login/").status_code for _ in range(4)] == [302, 302, 302, 429]


def test_code_and_state_are_masked_in_reports() -> None:
    report = {"request": {"query_string": "code=abc-secret&state=def&iss=x"}}
    assert logs.masked(report) == {"request": {"query_string": "code=***&state=***&iss=x"}}
