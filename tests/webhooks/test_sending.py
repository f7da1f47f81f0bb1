"""One attempt: what the receiver gets, and every way in which it can answer badly."""

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from standardwebhooks import WebhookVerificationError

from config.webhooks import addresses, sending, signing
from config.webhooks.sending import Message

from ..places import ROOT
from .conftest import Receiver, verify


def message(url: str, *salts: str) -> Message:
    return Message(url, "msg_1", b'{"type":"ping"}', salts or ("salt",))


@contextmanager
def raw_server(serve: Callable[[socket.socket], object]) -> Iterator[str]:
    """A server that reads a request and then calls ``serve`` with the connection; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def run() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.recv(65536)
                    serve(connection)
            except OSError:
                pass

        threading.Thread(target=run, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def test_a_message_is_signed_as_standard_webhooks_says(receiver: Receiver) -> None:
    outcome = sending.send(message(f"{receiver.url}?a=b"))
    assert (outcome.status, outcome.error) == (204, "")
    (request,) = receiver.requests
    verify(request, signing.secret("salt"))
    assert request.headers["content-type"] == "application/json"
    assert request.headers["webhook-id"] == "msg_1"
    with pytest.raises(WebhookVerificationError):
        verify(request, signing.secret("another"))
    request.body += b" "
    with pytest.raises(WebhookVerificationError):
        verify(request, signing.secret("salt"))


def test_the_verification_of_the_guide_accepts_our_signatures_and_no_others(receiver: Receiver) -> None:
    chapter = (ROOT / "docs" / "api-guide.md").read_text().partition("\n## 7. Webhooks")[2]
    program: dict[str, Any] = {}
    exec(re.search(r"^```python\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)[1], program)  # noqa: S102  our own page
    sending.send(message(receiver.url, "new", "old"))
    (request,) = receiver.requests
    for salt in ("new", "old"):
        program["verify"](signing.secret(salt), request.headers, request.body)
    late = {**request.headers, "webhook-timestamp": str(int(request.headers["webhook-timestamp"]) - 301)}
    for secret, headers, body in (
        (signing.secret("another"), request.headers, request.body),
        (signing.secret("new"), request.headers, request.body + b" "),
        (signing.secret("new"), {**request.headers, "webhook-id": "msg_2"}, request.body),
        (signing.secret("new"), late, request.body),
    ):
        with pytest.raises(ValueError, match=r"signature is wrong|too old"):
            program["verify"](secret, headers, body)


def test_during_a_change_both_secrets_sign(receiver: Receiver) -> None:
    sending.send(message(receiver.url, "new", "old"))
    verify(receiver.requests[0], signing.secret("new"))
    verify(receiver.requests[0], signing.secret("old"))


def test_another_secret_key_gives_other_secrets(settings: Any) -> None:
    before = signing.secret("salt")
    settings.SECRET_KEY = "another secret key of this site"
    assert signing.secret("salt") != before


@pytest.mark.parametrize("status", [400, 404, 410, 429, 500, 503])
def test_any_other_status_is_a_failure(receiver: Receiver, status: int) -> None:
    receiver.answer = status
    outcome = sending.send(message(receiver.url))
    assert (outcome.status, outcome.error) == (status, f"The receiver answered {status}.")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(receiver: Receiver, start_receiver: Callable[..., Receiver], status: int) -> None:
    other = start_receiver()
    receiver.answer, receiver.headers = status, {"Location": other.url}
    outcome = sending.send(message(receiver.url))
    assert (outcome.status, other.requests) == (status, [])
    assert "Redirects are not followed" in outcome.error


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"\x16\x03\x01", b"HTTP/1.1 200 " + b"a" * 70_000],
)
def test_an_answer_that_is_not_http_is_a_failure(answer: bytes) -> None:
    with raw_server(lambda connection: connection.sendall(answer)) as url:
        outcome = sending.send(message(url))
    assert outcome.status is None
    assert outcome.error


def test_a_closed_port_is_a_failure(receiver: Receiver) -> None:
    receiver.server.shutdown()
    receiver.server.server_close()
    assert sending.send(message(receiver.url)).error == "The connection was refused."


def test_a_name_that_does_not_exist_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def resolve(host: str, port: int) -> list[addresses.Address]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(addresses, "resolve", resolve)
    assert sending.send(message("https://nowhere.example/")).error == "The host name could not be resolved."


def test_no_more_than_64_kb_are_read() -> None:
    sent = 0

    def serve(connection: socket.socket) -> None:
        nonlocal sent
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(b"a" * 4096)

    with raw_server(serve) as url:
        assert sending.send(message(url)).status == 200
    assert sent < 8_000_000, "the receiver could send without end"


@pytest.mark.thorough
@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"])
def test_a_receiver_that_sends_a_byte_now_and_then_is_left_after_the_time_limit(
    monkeypatch: pytest.MonkeyPatch, first: bytes
) -> None:
    """Every byte starts the timeout of a socket again, so only a limit for the whole attempt ends this."""
    monkeypatch.setattr(sending, "SECONDS", 1)
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        connection.sendall(first)
        while not ended.wait(0.1):
            connection.sendall(b"a")

    with raw_server(serve) as url:
        started = time.monotonic()
        outcome = sending.send(message(url))
        ended.set()
    assert "within 1 seconds" in outcome.error
    assert time.monotonic() - started < 5


class TestTLS:
    """With a certificate for hooks.example.org that this test's authority has signed."""

    @pytest.fixture
    def tls_receiver(self, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
        make_certificate(tmp_path / "key.pem", tmp_path / "certificate.pem", "hooks.example.org")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
        self.names: list[str | None] = []
        context.sni_callback = lambda _socket, name, _context: self.names.append(name)
        receiver.server.socket = context.wrap_socket(receiver.server.socket, server_side=True)
        monkeypatch.setattr(addresses, "resolve", lambda host, port: [ip_address("127.0.0.1")])
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        sending._tls.cache_clear()
        yield receiver
        sending._tls.cache_clear()

    def test_the_name_is_verified_although_the_address_is_pinned(self, tls_receiver: Receiver) -> None:
        url = f"https://hooks.example.org:{tls_receiver.port}/hook"
        assert sending.send(message(url)).status == 204
        assert self.names == ["hooks.example.org"]
        assert tls_receiver.requests[0].headers["host"] == f"hooks.example.org:{tls_receiver.port}"

    def test_a_certificate_for_another_name_is_refused(self, tls_receiver: Receiver) -> None:
        outcome = sending.send(message(f"https://other.example.org:{tls_receiver.port}/hook"))
        assert outcome.error.startswith("The certificate is invalid")
        assert tls_receiver.requests == []

    def test_an_unknown_authority_is_refused(
        self, tls_receiver: Receiver, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        make_certificate(tmp_path / "k.pem", tmp_path / "c.pem", "hooks.example.org")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c.pem"))
        sending._tls.cache_clear()
        outcome = sending.send(message(f"https://hooks.example.org:{tls_receiver.port}/hook"))
        assert outcome.error.startswith("The certificate is invalid")


def make_certificate(key_file: Path, certificate_file: Path, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
