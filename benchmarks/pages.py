"""Bytes over the wire and first contentful paint of each page, in Chromium with an empty cache and on the next visit.

The pages are loaded in turn in each round, from the product as ``bin/up`` runs it, with the data of ``manage.py demo``
and 5,000 notes.
"""

import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from django.core.management import call_command
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from accounts.backends import BACKEND
from accounts.models import User
from notes.models import Membership, Note, Role
from tests.browser.conftest import ARGUMENTS
from tests.places import CHROMIUM, browser_program
from trends.models import Trend

from . import product
from .harness import Bench

ROUNDS, QUICK_ROUNDS = 9, 3
QUIET = 0.5  # seconds without a request: the page is complete
PATIENCE = 60.0  # seconds
NOTES = 5_000
CARD = """
requestAnimationFrame(function look() {
  if (document.querySelector(".cards > *")) window.firstCard = performance.now();
  else requestAnimationFrame(look);
});
"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


@dataclass
class Load:
    """One load of a page: bytes with headers, number of requests, and, in milliseconds, its first contentful paint and
    the first card of a note.
    """

    size: int = 0
    requests: int = 0
    paint: float = 0.0
    card: float | None = None
    pending: set[Request] = field(default_factory=set)
    last: float = field(default_factory=time.monotonic)

    def follow(self, page: Page) -> None:
        page.on("request", self._started)
        page.on("requestfinished", self._finished)
        page.on("requestfailed", self._ended)

    def _started(self, request: Request) -> None:
        if "/e/" not in request.url:  # the stream of events stays open
            self.pending.add(request)
        self.last = time.monotonic()

    def _finished(self, request: Request) -> None:
        sizes = request.sizes()
        self.size += sizes["responseBodySize"] + sizes["responseHeadersSize"]
        self.requests += 1
        self._ended(request)

    def _ended(self, request: Request) -> None:
        self.pending.discard(request)
        self.last = time.monotonic()


def run(bench: Bench) -> None:
    program = browser_program(*CHROMIUM)
    if program is None:
        bench.say("Chromium was not found. Install it, or set CHROMIUM to its path.")
        return
    with (
        tempfile.TemporaryDirectory(prefix="pages-") as folder,
        product.running(Path(folder) / "atrium") as ours,
    ):
        cookies = _demo_session()
        trend = Trend.objects.order_by("-total_count_of_publications").values_list("pk", flat=True)[0]
        pages = {
            "landing": ("/", False),
            "home": ("/", True),
            "notes": ("/notes/", True),
            "chat": ("/messager/", True),
            "contacts": ("/contacts/", True),
            "trends": ("/trends/", True),
            "a trend": (f"/trends/{trend}/", True),
            "account": ("/account/", True),
            "admin dashboard": ("/admin/", True),
        }
        first: dict[str, list[Load]] = {name: [] for name in pages}
        again: dict[str, list[Load]] = {name: [] for name in pages}
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=[*ARGUMENTS, "--no-sandbox"])
            for turn in range(1 + (QUICK_ROUNDS if bench.quick else ROUNDS)):
                for name, (path, is_signed_in) in pages.items():
                    context = _new_context(browser, ours.url, cookies if is_signed_in else {})
                    visits = [_load(context, f"{ours.url}{path}") for _ in range(2)]
                    context.close()
                    if turn:  # the first round fills the caches of the server
                        first[name].append(visits[0])
                        again[name].append(visits[1])
            browser.close()
    bench.table(
        f"Pages over HTTP/1.1 without TLS   (medians of {len(first['landing'])} loads)",
        (
            "page", "requests", "kB", "first paint ms", "min-max", "first card ms",
            "next visit: kB", "paint", "min-max", "card",
        ),
        [
            (
                name, f"{statistics.median(load.requests for load in first[name]):.0f}",
                *_figures(first[name]), *_figures(again[name]),
            )
            for name in pages
        ],
    )  # fmt: skip


def _figures(loads: list[Load]) -> tuple[str, str, str, str]:
    """Return the cells of a page's row: kB, first paint, its span, and the first card."""
    paints = [load.paint for load in loads]
    cards = [load.card for load in loads if load.card is not None]
    return (
        f"{statistics.median(load.size for load in loads) / 1000:.1f}",
        f"{statistics.median(paints):.0f}",
        f"{min(paints):.0f}-{max(paints):.0f}",
        f"{statistics.median(cards):.0f}" if cards else "",
    )


def _demo_session() -> dict[str, str]:
    """Create the demo data, give its administrator 5,000 notes, and return her cookies."""
    call_command("demo")
    ann, client = User.objects.get(username="ann"), Client()
    written = Note.objects.bulk_create(
        Note(owner=ann, title=f"Note {n}", body="Call the plumber about the pipe. " * (n % 6)) for n in range(NOTES)
    )
    Membership.objects.bulk_create(Membership(user=ann, note=note, role=Role.OWNER) for note in written)
    client.force_login(ann, backend=BACKEND)
    return {name: morsel.value for name, morsel in client.cookies.items()}


def _new_context(browser: Browser, url: str, cookies: dict[str, str]) -> BrowserContext:
    """Open a browser window with an empty cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_cookies([{"name": name, "value": value, "url": url} for name, value in cookies.items()])
    return context


def _load(context: BrowserContext, url: str) -> Load:
    """Load a page in a new tab; raises RuntimeError if it is not shown."""
    page, load = context.new_page(), Load()
    page.add_init_script(CARD)
    load.follow(page)
    response = page.goto(url, wait_until="load")
    if response is None or not response.ok or response.request.redirected_from:
        raise RuntimeError(f"GET {url} answered {response and response.status}")
    deadline = time.monotonic() + PATIENCE
    while load.pending or time.monotonic() - load.last < QUIET or page.evaluate(PAINT) is None:
        page.wait_for_timeout(50)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{url} is not complete after {PATIENCE:.0f} s: {[each.url for each in load.pending]}")
    load.paint, load.card = page.evaluate(PAINT), page.evaluate("window.firstCard ?? null")
    page.close()
    return load
