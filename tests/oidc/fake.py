"""A small OpenID Connect provider that can be dishonest, slow or broken; tests say how."""

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT_ID, CLIENT_SECRET = "atrium", "client-secret-for-tests"


class FakeProvider:
    """Answers honestly by default.

    ``claims`` and ``header`` change the ID token (None removes a member), ``metadata`` the discovery document.
    ``answers`` maps a path to a function ``(handler) -> bool`` that answers instead. ``requests`` counts by path.
    """

    def __init__(self) -> None:
        self.key = self.new_key("first")
        self.published = [self.key]
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.header: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.answers: dict[str, Any] = {}
        self.requests: list[str] = []
        self.raw_token: Any = None  # (claims) -> str, instead of a signed token
        self._codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self)

            def do_POST(self) -> None:
                provider.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()  # stops within 20 ms

    @staticmethod
    def new_key(kid: str) -> ECKey:
        return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}, private=True)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def authorize(self, location: str, **extra: str) -> str:
        """Do what the browser and the person do at the provider; returns the path and query of the callback."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        assert location.startswith(f"{self.url}/authorize?")
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        code = f"code-{len(self._codes)}"
        self._codes[code] = query
        callback = urlsplit(query["redirect_uri"])
        return f"{callback.path}?{urlencode({'code': code, 'state': query['state'], **extra})}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = urlsplit(handler.path).path
        self.requests.append(path)
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        if path in self.answers and self.answers[path](handler):
            return
        match path:
            case "/.well-known/openid-configuration":
                document = {
                    "issuer": self.url,
                    "authorization_endpoint": f"{self.url}/authorize",
                    "token_endpoint": f"{self.url}/token",
                    "jwks_uri": f"{self.url}/jwks",
                    "userinfo_endpoint": f"{self.url}/userinfo",
                    "id_token_signing_alg_values_supported": ["ES256"],
                }
                send(handler, 200, {**document, **self.metadata})
            case "/jwks":
                send(handler, 200, {"keys": [key.as_dict(private=False) for key in self.published]})
            case "/token":
                self.token(handler, {name: values[0] for name, values in parse_qs(body).items()})
            case "/userinfo":
                send(handler, 200, self.userinfo)
            case _:
                send(handler, 404, {})

    def token(self, handler: BaseHTTPRequestHandler, form: dict[str, str]) -> None:
        asked = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        login = "Basic " + base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if handler.headers.get("Authorization") != login:
            return send(handler, 401, {"error": "invalid_client"})
        if asked is None or asked["code_challenge"] != challenge or asked["redirect_uri"] != form["redirect_uri"]:
            return send(handler, 400, {"error": "invalid_grant"})
        now = int(time.time())
        claims = {
            "iss": self.url, "sub": "subject-1", "aud": CLIENT_ID, "iat": now, "exp": now + 300, "auth_time": now,
            "nonce": asked["nonce"], "email": "ada@example.org", "email_verified": True, **self.claims,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": "ES256", "kid": self.key.kid, **self.header}
        raw = self.raw_token(claims) if self.raw_token else jwt.encode(header, claims, self.key)
        send(handler, 200, {"access_token": "access", "token_type": "Bearer", "id_token": raw})


def send(handler: BaseHTTPRequestHandler, status: int, body: Any, kind: str = "application/json") -> bool:
    """Answer with ``body``, as JSON unless it is bytes; returns True."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
    return True
