"""The front and the web process: no client keeps another from being answered."""

import contextlib
import http.client
import json
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import psutil
import pytest
import requests

from ..waiting import wait_until
from .stack import Stack

HALF_SENT = 500
SLOW_READERS = 50
FLOOD = 8
NOTE = {"title": "large", "body": "x" * 90_000}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, migrated_database: Path) -> Iterator[Stack]:
    """Running processes for all tests here that end none of them."""
    stack = Stack(tmp_path_factory.mktemp("site"), database=migrated_database)
    try:
        stack.start("web", WEB_BODY_SECONDS="20", WEB_SEND_SECONDS="20")
        stack.start("events")
        stack.start("front", FRONT_HEADER_SECONDS="5", WEB_BODY_SECONDS="20", WEB_SEND_SECONDS="20")
        yield stack
    finally:
        stack.close()


@pytest.fixture(scope="module")
def token(site: Stack) -> str:
    """The access token of a user with 40 large notes."""
    access = access_token(site)
    for _ in range(40):
        answer = requests.post(f"{site.front_url}/api/v1/notes/", json=NOTE, headers=_bearer(access), timeout=30)
        assert answer.status_code == 201, answer.text
    return access


def access_token(stack: Stack) -> str:
    """Create the demo users and return an access token of one of them."""
    stack.manage("demo")
    script = (
        "from datetime import timedelta; from rest_framework_simplejwt.tokens import AccessToken; "
        "AccessToken.lifetime = timedelta(hours=1); "
        "from accounts import tokens; from accounts.models import User; "
        "user = User.objects.first(); print(tokens.start_session(user=user, ip='127.0.0.1', user_agent='x')[1])"
    )
    return stack.manage("shell", "--no-imports", "-c", script).strip().splitlines()[-1]


def _bearer(access: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {access}"}


def connect(url: str, content: bytes, *, receive_buffer: int = 0) -> socket.socket:
    """Open a connection and send ``content``; do not read."""
    parts = urlsplit(url)
    connection = socket.socket()
    if receive_buffer:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.settimeout(30)
    connection.connect((parts.hostname, parts.port))
    connection.sendall(content)
    return connection


def half_sent(url: str, method: str = "POST", path: str = "/api/v1/auth/login/") -> socket.socket:
    """Open a connection that sends the head of a request, one byte of its body, and nothing more."""
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", "Content-Length: 400")
    return connect(url, "\r\n".join([*lines, "", "{"]).encode())


def seconds(url: str, access: str = "") -> float:
    """Return how long a request took; it must succeed."""
    started = time.monotonic()
    answer = requests.get(url, headers=_bearer(access) if access else {}, timeout=30)
    assert answer.status_code == 200, answer.text
    return time.monotonic() - started


@pytest.fixture
def opened() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("url", ["url", "front_url"])
def test_half_sent_bodies_delay_nobody_and_are_answered_with_408(
    site: Stack, opened: contextlib.ExitStack, url: str
) -> None:
    address = getattr(site, url)
    alone = statistics.median(seconds(f"{address}/healthz/") for _ in range(10))
    sockets = [opened.enter_context(half_sent(address)) for _ in range(HALF_SENT)]
    sockets += [opened.enter_context(half_sent(address, "GET", "/healthz/")) for _ in range(10)]
    taken = [seconds(f"{address}/healthz/") for _ in range(20)]
    assert_nobody_waited(taken, alone)
    for connection in (sockets[0], sockets[-1]):
        connection.settimeout(120)
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert (response.status, json.loads(response.read())["errors"][0]["code"]) == (408, "timeout")
        assert connection.recv(1) == b"", "the connection is closed"


def test_a_head_that_stays_incomplete_is_ended(site: Stack, opened: contextlib.ExitStack) -> None:
    connection = opened.enter_context(connect(site.front_url, b"GET /healthz/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"))
    connection.settimeout(120)
    assert connection.recv(100) == b""


def test_a_client_that_reads_nothing_is_disconnected(site: Stack, token: str, opened: contextlib.ExitStack) -> None:
    head = f"GET /api/v1/notes/?page_size=50 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    # Three answers, because the buffers of the system accept the first without a reader.
    connection = opened.enter_context(connect(site.front_url, 3 * head.encode(), receive_buffer=4096))
    port = connection.getsockname()[1]
    wait_until(lambda: port in open_clients(site), what="the front process to accept the connection")
    # The limit of an idle connection, which is no reason to end this one, is 75 s.
    wait_until(lambda: port not in open_clients(site), timeout=70, what="the end of the connection")


def open_clients(stack: Stack) -> set[int]:
    """Return the ports of the clients that are connected to the front process."""
    connections = psutil.Process(stack.processes[-1].pid).net_connections("tcp")
    return {each.raddr.port for each in connections if each.laddr.port == stack.front_port and each.raddr}


@pytest.mark.parametrize("url", ["url", "front_url"])
def test_slow_readers_and_a_flood_of_large_pages_delay_nobody(
    site: Stack, token: str, opened: contextlib.ExitStack, url: str
) -> None:
    address = getattr(site, url)
    profile = f"{address}/api/v1/auth/profile/"
    alone = statistics.median(seconds(profile, token) for _ in range(10))
    head = f"GET /api/v1/notes/?page_size=50 HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
    for _ in range(SLOW_READERS):
        # Several answers, because the buffers of the system accept the first without a reader.
        opened.enter_context(connect(address, 3 * head.encode(), receive_buffer=4096))
    for _ in range(HALF_SENT):
        opened.enter_context(half_sent(address))
    # The user of the slow readers waits for a turn among their other requests, not for the readers.
    own = [seconds(profile, token) for _ in range(20)]
    with flood(lambda: seconds(f"{address}/api/v1/notes/?page_size=50", token)):
        others = [seconds(f"{address}/healthz/") for _ in range(20)]
        pages = [seconds(f"{address}/api/v1/trends/") for _ in range(20)]
    for taken in (own, others, pages):
        assert_nobody_waited(taken, alone)


def assert_nobody_waited(taken: list[float], alone: float) -> None:
    """Check the seconds that requests took beside slow clients against those of one ``alone``.

    Waiting for a slow client takes until its time limit of 20 s. One slow answer can come from a busy machine.
    """
    assert sorted(taken)[-2] < 1 + 20 * alone
    assert max(taken) < 10


@contextlib.contextmanager
def flood(call: Callable[[], object]) -> Iterator[None]:
    """Call ``call`` again and again in FLOOD threads while the block runs."""
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            call()

    threads = [threading.Thread(target=work, daemon=True) for _ in range(FLOOD)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


def test_a_large_body_is_stored_on_disk_and_passed_on_when_it_is_complete(site: Stack, token: str) -> None:
    content = b"PK" + bytes(30_000_000)
    before = memory(site)
    answer = requests.post(
        f"{site.front_url}/api/v1/notes/import/", files={"file": content}, headers=_bearer(token), timeout=120
    )
    assert answer.status_code in (202, 400), answer.text
    assert memory(site) < before + 200_000_000
    left = [path for path in Path(site.folder, "tmp").iterdir() if not path.name.startswith("metrics-")]
    assert left == []  # the counters of the web processes are there, too


def memory(stack: Stack) -> int:
    processes = [psutil.Process(process.pid) for process in stack.processes]
    return sum(each.memory_info().rss for process in processes for each in (process, *process.children(recursive=True)))


def test_the_client_address_cannot_be_forged(site: Stack) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X_Forwarded_For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}
    requests.get(f"{site.front_url}/robots.txt", headers=forged, timeout=30)
    wait_until(lambda: "/robots.txt" in site.log("web"), what="the log line")
    assert "ip=127.0.0.1" in site.log("web")
    assert "203.0.113.9" not in site.log("web")


def test_a_forged_scheme_does_not_make_a_connection_secure(site: Stack) -> None:
    answer = requests.get(f"{site.front_url}/schema/", headers={"X-Forwarded-Proto": "https"}, timeout=60)
    assert "https://127.0.0.1" not in answer.text
    assert "Server" not in answer.headers


def test_streams_use_the_same_address_and_are_not_buffered(site: Stack, token: str) -> None:
    answer = requests.get(f"{site.front_url}/e/?ticket=none", timeout=30)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (401, "invalid_ticket")
    redirect = requests.get(
        f"{site.front_url}/api/v1/events/", headers=_bearer(token), timeout=30, allow_redirects=False
    )
    ticket = urlsplit(redirect.headers["Location"]).query
    with requests.get(f"{site.front_url}/e/?{ticket}", stream=True, timeout=30) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert next(stream.iter_content(20)).startswith(b"retry:")


def test_a_page_of_an_allowed_origin_reads_events_and_follows_the_redirect(stack: Stack) -> None:
    public_url = f"http://localhost:{stack.front_port}"  # as with bin/up; the client uses 127.0.0.1
    settings = {"PUBLIC_URL": public_url, "EVENTS_URL": public_url, "CORS_ALLOWED_ORIGINS": "https://app.example.org"}
    for role in ("web", "events", "front"):
        stack.start(role, **settings)
    headers = {**_bearer(access_token(stack)), "Last-Event-ID": "1-0-1"}
    url = f"{stack.front_url}/api/v1/events/"

    redirect = get_as_page(url, "https://app.example.org", headers)
    target = urljoin(url, redirect.headers["Location"])
    assert (redirect.status_code, urlsplit(target).netloc) == (307, urlsplit(url).netloc), "else Origin becomes null"
    with get_as_page(target, "https://app.example.org", headers) as stream:
        assert stream.status_code == 200
        assert next(stream.iter_content(20)).startswith(b"retry:")

    for address in (url, target):
        other = {**headers, "Origin": "https://evil.example"}
        answer = requests.get(address, headers=other, timeout=30, allow_redirects=False)
        assert "Access-Control-Allow-Origin" not in answer.headers


def get_as_page(url: str, origin: str, headers: dict[str, str]) -> requests.Response:
    """Send a preflight and a GET as a browser does for a page of ``origin``; both must let the page read the answer."""
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": ",".join(headers).lower()}
    preflight = requests.options(url, headers={"Origin": origin, **asked}, timeout=30)
    allowed = preflight.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert preflight.ok and {name.lower() for name in headers} <= set(allowed)
    answer = requests.get(url, headers={**headers, "Origin": origin}, timeout=30, stream=True, allow_redirects=False)
    assert preflight.headers["Access-Control-Allow-Origin"] == answer.headers["Access-Control-Allow-Origin"] == origin
    return answer


def test_an_error_of_the_api_is_returned_while_the_web_process_is_down(stack: Stack) -> None:
    stack.environment()
    process = stack.start("web")
    stack.start("front")
    stack.kill(process)
    answer = requests.get(f"{stack.front_url}/healthz/", timeout=60)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (503, "service_unavailable")
    assert answer.headers["Retry-After"] == "5"
