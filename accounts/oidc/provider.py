"""The provider that ``OIDC_ISSUER`` names: its metadata, its keys, and what its ID tokens prove."""

import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from authlib.common.security import generate_token
from authlib.oidc.core import CodeIDToken
from django.conf import settings
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from .calls import Client, InvalidAnswer, get_json, limited

SCOPES = "openid email profile"
# Asymmetric only: "none" proves nothing, and HS256 would let everybody sign who knows the client's secret.
ALGORITHMS = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519",
]  # fmt: skip
LEEWAY = 60  # seconds by which the clocks may differ
CACHE_SECONDS = 3600.0  # of metadata and keys
REFETCH_SECONDS = 30.0  # the shortest time between two requests for keys, whatever tokens name


class Metadata(NamedTuple):
    """The parts of the discovery document that are used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    auth_methods: list[str]
    algorithms: list[str]
    names_issuer: bool  # whether each answer at the callback has the parameter ``iss`` (RFC 9207)


class Identity(NamedTuple):
    """Who the provider says has signed in. ``email`` is None unless the provider calls it verified."""

    issuer: str
    subject: str
    email: str | None
    username: str
    auth_time: float | None


class Start(NamedTuple):
    """A sign-in that begins: where to send the browser, and what must come back."""

    url: str
    state: str
    nonce: str
    verifier: str


_lock = threading.Lock()
_metadata: dict[str, tuple[float, Metadata]] = {}
_keys: dict[str, tuple[float, KeySet]] = {}


def forget() -> None:
    """Empty the caches of metadata and keys."""
    with _lock:
        _metadata.clear()
        _keys.clear()


def start(*, redirect_uri: str, again: bool = False) -> Start:
    """Begin a sign-in; with ``again`` the provider must ask the person again. Raises calls.ProviderError."""
    metadata = limited(_load_metadata)
    state, nonce, verifier = generate_token(32), generate_token(32), generate_token(64)
    with _client(metadata, redirect_uri) as client:
        extra = {"prompt": "login", "max_age": "0"} if again else {}
        url, _ = client.create_authorization_url(
            metadata.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier, **extra
        )
    return Start(url, state, nonce, verifier)


def finish(*, code: str, issuer: str | None, nonce: str, verifier: str, redirect_uri: str) -> Identity:
    """Exchange ``code`` and return who has signed in; ``issuer`` is the callback's ``iss``. Raises ProviderError."""
    return limited(lambda: _finish(code, issuer, nonce, verifier, redirect_uri))


def _finish(code: str, issuer: str | None, nonce: str, verifier: str, redirect_uri: str) -> Identity:
    metadata = _load_metadata()
    if issuer != metadata.issuer and (issuer is not None or metadata.names_issuer):
        raise InvalidAnswer("wrong_issuer_at_callback")
    with _client(metadata, redirect_uri) as client:
        token = client.fetch_token(
            metadata.token_endpoint, grant_type="authorization_code", code=code, code_verifier=verifier
        )
        claims = _verified(token["id_token"], metadata, client, nonce=nonce, access_token=token.get("access_token"))
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise InvalidAnswer("invalid_subject")
        profile: Mapping[str, Any] = claims
        if "email" not in claims and metadata.userinfo_endpoint and token.get("access_token"):
            bearer = f"Bearer {token['access_token']}"
            profile = get_json(client, metadata.userinfo_endpoint, Authorization=bearer)
            if profile.get("sub") != subject:
                raise InvalidAnswer("userinfo_of_another_subject")
    email = profile.get("email")
    is_verified = profile.get("email_verified") is True and isinstance(email, str)
    username = profile.get("preferred_username")
    return Identity(
        metadata.issuer, subject, email if is_verified else None, username if isinstance(username, str) else "",
        claims.get("auth_time"),
    )  # fmt: skip


def _client(metadata: Metadata | None = None, redirect_uri: str | None = None) -> Client:
    supported = metadata.auth_methods if metadata else []
    method = "client_secret_basic"
    if not settings.OIDC_CLIENT_SECRET:
        method = "none"
    elif "client_secret_basic" not in supported and "client_secret_post" in supported:
        method = "client_secret_post"
    return Client(
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET or None, token_endpoint_auth_method=method, scope=SCOPES,
        redirect_uri=redirect_uri, code_challenge_method="S256",
    )  # fmt: skip


def _load_metadata() -> Metadata:
    """Return the discovery document, cached for an hour; only a valid one is cached."""
    configured = settings.OIDC_ISSUER
    with _lock:
        known = _metadata.get(configured)
    if known and known[0] > time.monotonic():
        return known[1]
    with _client() as client:
        document = get_json(client, configured.rstrip("/") + "/.well-known/openid-configuration")
    metadata = _parse(document)
    with _lock:
        _metadata[configured] = (time.monotonic() + CACHE_SECONDS, metadata)
    return metadata


def _parse(document: Mapping[str, Any]) -> Metadata:
    # Only a slash at the end may differ from the setting; tokens must have the provider's own spelling.
    if str(document["issuer"]).rstrip("/") != settings.OIDC_ISSUER.rstrip("/"):
        raise InvalidAnswer("wrong_issuer_in_metadata")
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    endpoints = {name: document.get(name) for name in names}
    for name, url in endpoints.items():
        if url is None and name == "userinfo_endpoint":
            continue
        scheme = urlsplit(str(url)).scheme
        if scheme != "https" and not (scheme == "http" and settings.OIDC_ISSUER.startswith("http:")):
            raise InvalidAnswer("insecure_endpoint")
    return Metadata(
        issuer=document["issuer"],
        **endpoints,  # type: ignore[arg-type]
        auth_methods=list(document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])),
        algorithms=list(document.get("id_token_signing_alg_values_supported", ALGORITHMS)),
        names_issuer=document.get("authorization_response_iss_parameter_supported") is True,
    )


def _verified(
    raw: str, metadata: Metadata, client: Client, *, nonce: str, access_token: str | None
) -> Mapping[str, Any]:
    """Return the claims of the ID token ``raw`` if its signature and all claims are right."""
    header = jws.extract_compact(raw.encode()).headers()
    if header.get("alg") not in ALGORITHMS or header["alg"] not in metadata.algorithms:
        raise InvalidAnswer("algorithm_refused")
    keys = _load_keys(metadata, client, header.get("kid"))
    token = jwt.decode(raw, keys, algorithms=[header["alg"]])
    claims = CodeIDToken(
        token.claims,
        token.header,
        options={
            "iss": {"essential": True, "value": metadata.issuer},
            "aud": {"essential": True, "value": settings.OIDC_CLIENT_ID},
        },
        params={"nonce": nonce, "client_id": settings.OIDC_CLIENT_ID, "access_token": access_token},
    )
    claims.validate(leeway=LEEWAY)
    return claims


def _load_keys(metadata: Metadata, client: Client, kid: str | None) -> KeySet:
    """Return the provider's keys. Fetch them again if none has the ID ``kid``: the provider may have replaced them."""
    now = time.monotonic()
    with _lock:
        fetched, keys = _keys.get(metadata.jwks_uri, (-CACHE_SECONDS, KeySet([])))
    is_known = kid is None or any(key.kid == kid for key in keys.keys)
    age = now - fetched
    if age < REFETCH_SECONDS or (is_known and age < CACHE_SECONDS):
        return keys
    listed = get_json(client, metadata.jwks_uri)["keys"]
    usable = [key for key in listed if key.get("use", "sig") == "sig" and key.get("kty") in ("RSA", "EC", "OKP")]
    keys = KeySet.import_key_set({"keys": usable})
    with _lock:
        _keys[metadata.jwks_uri] = (now, keys)
    return keys
