"""Real receivers on the loopback interface, which the settings of these tests allow."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any

import pytest
import standardwebhooks
from django.db.models.functions import Now

from accounts.models import User
from config.webhooks import services
from config.webhooks.models import Kind, Webhook, WebhookDelivery

Answer = int | Callable[["Received"], int]


class Received:
    """A request that a receiver got."""

    def __init__(self, headers: dict[str, str], body: bytes) -> None:
        self.at = time.monotonic()
        self.headers, self.body = headers, body

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> dict[str, Any]:
        return json.loads(self.body)


class Receiver:
    """A server that stores every request; ``answer`` is a status, or a function of the request that returns one."""

    def __init__(self, answer: Answer = 204) -> None:
        self.answer = answer
        self.requests: list[Received] = []
        self.headers: dict[str, str] = {}
        self.reply = b""
        self.active = self.most_active = 0
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._handle(self)

            do_GET = do_POST

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()

    @property
    def port(self) -> int:
        return self.server.server_address[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def ids(self) -> set[str]:
        return {request.id for request in self.requests}

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.active += 1
            self.most_active = max(self.active, self.most_active)
        try:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            request = Received(headers, handler.rfile.read(int(headers.get("content-length", 0))))
            with self._lock:
                self.requests.append(request)
            handler.send_response(self.answer(request) if callable(self.answer) else self.answer)
            for name, value in self.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(self.reply)))
            handler.end_headers()
            handler.wfile.write(self.reply)
        finally:
            with self._lock:
                self.active -= 1


@pytest.fixture(autouse=True)
def allow_loopback(settings: Any) -> None:
    settings.WEBHOOKS_ALLOW_HTTP = True
    settings.WEBHOOKS_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8"), ip_network("::1/128")]


@pytest.fixture
def start_receiver() -> Iterator[Callable[..., Receiver]]:
    running = []

    def start(answer: Answer = 204) -> Receiver:
        running.append(Receiver(answer))
        return running[-1]

    yield start
    for receiver in running:
        receiver.server.shutdown()
        receiver.server.server_close()


@pytest.fixture
def receiver(start_receiver: Callable[..., Receiver]) -> Receiver:
    return start_receiver()


def make_webhook(owner: User, url: str, **fields: Any) -> Webhook:
    webhook, _ = services.create_webhook(owner=owner, url=url, **{"kinds": Kind.values, **fields})
    return webhook


def make_deliveries(webhook: Webhook, number: int) -> None:
    WebhookDelivery.objects.bulk_create(
        WebhookDelivery(webhook=webhook, kind="note", type="note.changed", body=f'{{"data":{{"id":{n}}}}}')
        for n in range(number)
    )


def make_due() -> None:
    """Make waiting deliveries due, also those that a killed worker has leased."""
    WebhookDelivery.objects.unfinished().update(due_at=Now(), leased_until=None)


def verify(request: Received, secret: str) -> None:
    """Check the signature with the library of Standard Webhooks; raises WebhookVerificationError."""
    standardwebhooks.Webhook(secret).verify(request.body.decode(), request.headers)
