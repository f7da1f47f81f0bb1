"""A real browser against a real server.

``page`` is a window on the site. ``browse`` opens more of them, each with cookies of its own, for several people at
once: ``browse(user=ada, width=360, dark=True)``. A test fails on whatever its windows complained of: an error in the
console, a breach of the Content-Security-Policy, a request to another host. What is meant to go wrong is said
beforehand: ``watch.allow("status of 400")``. The windows of a failed test are kept as pictures in ``reports/browser``.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # Whatever a page asks of another host fails at once, and is reported, instead of waiting for a name server.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
]
PICTURES = Path(__file__).resolve().parents[2] / "reports" / "browser"
BACKEND = "accounts.backends.EmailOrUsernameBackend"


class Watch:
    """Collects what the windows of one test complain of."""

    def __init__(self, *hosts: str) -> None:
        self.hosts = set(hosts)
        self.complaints: list[str] = []
        self._allowed: list[str] = []

    def allow(self, pattern: str) -> None:
        """Let complaints pass in which the regular expression ``pattern`` is found."""
        self._allowed.append(pattern)

    def follow(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"{page.url}: {error}"))
        page.on("console", lambda said: self._console(page, said.type, said.text))
        page.on("request", lambda request: self._request(page, request.url))

    def _console(self, page: Page, kind: str, text: str) -> None:
        if kind == "error" or "Content Security Policy" in text:
            self.complaints.append(f"{page.url}: {text}")

    def _request(self, page: Page, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc not in self.hosts:
            self.complaints.append(f"{page.url}: asks another host: {url}")

    def unexpected(self) -> list[str]:
        return [each for each in self.complaints if not any(re.search(pattern, each) for pattern in self._allowed)]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[FAILED] = report.failed
    return report


FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, started once a file. Skips, saying so, where there is none."""
    if CHROMIUM is None:
        pytest.skip("no browser here: install chromium, or name one in CHROMIUM")
    arguments = ARGUMENTS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    # While the browser is open Playwright's event loop runs in this very thread, where Django would take a test's own
    # queries for queries made by a coroutine. So the browser lives as long as one file, and the check rests as long.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def site(live_server, settings) -> str:
    """The address of a running site, by which it also calls itself in links."""
    settings.PUBLIC_URL = live_server.url
    return live_server.url


@pytest.fixture
def watch(site) -> Iterator[Watch]:
    """What the windows complain of; a test fails on it at its end."""
    watch = Watch(urlsplit(site).netloc)
    yield watch
    assert watch.unexpected() == []


@pytest.fixture
def browse(request, browser, site, watch) -> Iterator[Callable[..., Page]]:
    """Opens a window of its own cookies: ``browse(path="/", user=None, width=1280, height=800, dark=False)``.

    ``user`` is signed in beforehand, ``path=None`` leaves the window empty. Other keywords go to Playwright's
    ``new_context``.
    """
    windows: list[Page] = []

    def open_window(path="/", *, user=None, width=1280, height=800, dark=False, **options) -> Page:
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            base_url=site, viewport={"width": width, "height": height}, color_scheme=scheme, **options
        )
        context.set_default_timeout(15_000)
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


@pytest.fixture
def page(browse) -> Page:
    """One window on the front page of the site, nobody signed in."""
    return browse("/")
