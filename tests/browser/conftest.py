"""Fixtures for tests with a real browser and a real server.

``page`` is one window. ``browse`` opens further windows, each with its own cookies, for several users at once:
``browse(user=ada, width=360, dark=True)``. A test fails if one of its windows reports an error in the console, a
violation of the Content-Security-Policy, or a request to another host. ``watch.allow("status of 400")`` permits an
expected error. Screenshots of failed tests are stored in ``reports/browser``.
"""

import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.test import Client
from playwright.sync_api import Browser, Page, expect, sync_playwright

from accounts.backends import BACKEND
from accounts.models import User
from tests.conftest import free_port
from tests.factories import UserFactory
from tests.places import CHROMIUM, HEADLESS_SHELL, browser_program
from tests.waiting import wait_until

PROGRAM = browser_program(*HEADLESS_SHELL, *CHROMIUM)
ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # A request to another host fails immediately and is reported, instead of waiting for a name server.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
TIMEOUT = 60_000  # milliseconds; a busy machine needs longer than Playwright's defaults
expect.set_options(timeout=TIMEOUT)
PICTURES = Path(__file__).resolve().parents[2] / "reports" / "browser"
Browse = Callable[..., Page]  # the fixture of that name


class Watch:
    """Collects the errors in the windows of one test."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = set(hosts)
        self.errors: list[str] = []
        self._allowed: list[str] = []
        self.has_ended = False

    def allow(self, pattern: str) -> None:
        """Ignore errors that match the regular expression ``pattern``."""
        self._allowed.append(pattern)

    def follow(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.errors.append(f"{page.url}: {error}"))
        page.on("console", lambda message: self._console(page, message.type, message.text))
        page.on("request", lambda request: self._request(page, request.url))

    def _console(self, page: Page, kind: str, text: str) -> None:
        if not self.has_ended and (kind == "error" or "Content Security Policy" in text):
            self.errors.append(f"{page.url}: {text}")

    def _request(self, page: Page, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc not in self.hosts:
            self.errors.append(f"{page.url}: request to another host: {url}")

    def unexpected(self) -> list[str]:
        return [each for each in self.errors if not any(re.search(pattern, each) for pattern in self._allowed)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


def arguments() -> list[str]:
    """The command line of Chromium."""
    return ARGUMENTS + (["--no-sandbox"] if os.geteuid() == 0 else [])


@contextmanager
def chromium(*further: str) -> Iterator[Browser]:
    """Start headless Chromium, with further arguments. The tests are skipped if it is not installed."""
    if PROGRAM is None:
        pytest.skip("Chromium was not found. Install it, or set CHROMIUM to its path.")
    # While the browser is open, Playwright's event loop runs in this thread, and Django would refuse the queries of a
    # test as queries of a coroutine. The browser lives for one file, and so does the exception from that check.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=[*arguments(), *further])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, started once for each file."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def site(live_server: Any, settings: Any) -> str:
    """The URL of a running site, which is also its PUBLIC_URL."""
    settings.PUBLIC_URL = live_server.url
    settings.EVENTS_URL = ""  # no events process: pages do not open a stream (``start_events`` starts one)
    return live_server.url


@pytest.fixture
def watch(site: str) -> Iterator[Watch]:
    """The errors in the windows; a test fails at its end if there are any."""
    watch = Watch(urlsplit(site).netloc)
    yield watch
    assert watch.unexpected() == []


@pytest.fixture
def browse(request: pytest.FixtureRequest, browser: Browser, site: str, watch: Watch) -> Iterator[Callable[..., Page]]:
    """A function that opens a window: ``browse(path="/", user=None, width=1280, height=800, dark=False)``.

    ``user`` is signed in before the page opens. ``path=None`` leaves the window empty. Other keywords are passed to
    Playwright's ``new_context``.
    """
    windows: list[Page] = []

    def open_window(
        path: str | None = "/",
        *,
        user: User | None = None,
        width: int = 1280,
        height: int = 800,
        dark: bool = False,
        **options: Any,
    ) -> Page:
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            base_url=site, viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        context.set_default_timeout(TIMEOUT)
        if user is not None:
            client = Client()
            client.force_login(user, backend=BACKEND)
            context.add_cookies([{"name": name, "value": m.value, "url": site} for name, m in client.cookies.items()])
        page = context.new_page()
        watch.follow(page)
        context.on("page", watch.follow)
        windows.append(page)
        if path is not None:
            page.goto(path)
        return page

    yield open_window
    for number, page in enumerate(windows):
        if request.node.stash.get(FAILED, False) and not page.is_closed():
            name = re.sub(r"\W+", "-", request.node.name)
            page.screenshot(path=PICTURES / f"{name}-{number}.png")
        page.context.close()
    # A request that is still handled could lock rows that the next fixture deletes, or write rows of the next test.
    wait_until(lambda: not _open_connections(), what="the end of all requests")


def _open_connections() -> list[threading.Thread]:
    """The threads of the live server, one for each connection."""
    return [thread for thread in threading.enumerate() if "process_request_thread" in thread.name]


def sign_out(page: Page, watch: Watch) -> None:
    """Sign out in the menu of a page. What the page has requested besides may be refused."""
    watch.allow("status of 401")
    page.get_by_role("button", name="Account menu").click()
    page.locator("#account-menu").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()


def wait_for_stream(page: Page) -> None:
    """Wait until the page receives events."""
    script = "import('/static/atrium/live.js').then(({ live }) => live.open)"
    wait_until(lambda: page.evaluate(script), what="an open event stream")


@pytest.fixture
def ada(transactional_db: None) -> User:
    return UserFactory(username="ada")


@pytest.fixture
def bob(transactional_db: None) -> User:
    return UserFactory(username="bob")


@pytest.fixture
def page(browse: Browse) -> Page:
    """A window on the front page, without sign-in."""
    return browse("/")


@pytest.fixture
def start_events(
    site: str, settings: Any, watch: Watch, start_process: Callable[..., Popen]
) -> Iterator[Callable[[], Popen]]:
    """Start an events process on the port in the site's settings; can be called again after that process has ended."""
    port = free_port()
    settings.EVENTS_URL = f"http://127.0.0.1:{port}"
    policy = settings.CONTENT_SECURITY_POLICY
    directives = {**policy["DIRECTIVES"], "connect-src": [*policy["DIRECTIVES"]["connect-src"], settings.EVENTS_URL]}
    settings.CONTENT_SECURITY_POLICY = {**policy, "DIRECTIVES": directives}
    watch.hosts.add(f"127.0.0.1:{port}")

    def start() -> Popen:
        process = start_process("-m", "config.ops.processes", "events", EVENTS_PORT=str(port), PUBLIC_URL=site)
        wait_until(lambda: _ready(settings.EVENTS_URL), what="a ready events process")
        return process

    yield start
    watch.has_ended = True  # a stream that is still open breaks when the process is stopped


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz/", timeout=2).ok
    except requests.RequestException:
        return False


@pytest.fixture
def events(start_events: Callable[[], Popen]) -> Popen:
    return start_events()
