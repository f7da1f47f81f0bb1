"""The typed client with a running product, in Node and in Chromium, also while processes are killed."""

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from ..places import ROOT
from ..waiting import wait_until
from .node import node_modules
from .package import PACKAGE, examples, run
from .site import Site

LIVE = ROOT / "clients" / "typescript" / "test" / "live"
VENDORED = ROOT / "config" / "static" / "atrium" / "client.js"
ROLES = ("web", "events", "redis")


@pytest.fixture(scope="module")
def pages(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Another origin with the client, the drill and the example."""
    folder = tmp_path_factory.mktemp("pages")
    for file in (VENDORED, LIVE / "drill.mjs", *(ROOT / "docs" / "examples").glob("*.*")):
        shutil.copy(file, folder)
    (folder / "empty.html").write_text("<!doctype html><title>Empty</title><link rel=icon href=data:,>")
    with site.serve_pages(folder):
        yield site.origin


def node(file: Path, **environment: Any) -> subprocess.Popen:
    """Start Node's test runner for one file."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("Node.js is not installed")
    encoded = {name: json.dumps(value) for name, value in environment.items()}
    return subprocess.Popen(
        [program, "--test", str(file)], env={**os.environ, **encoded}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def result(process: subprocess.Popen) -> str:
    output, _ = process.communicate(timeout=400)
    assert process.returncode == 0, output[-8000:]
    return output


def drill_of(site: Site, name: str, seconds: int) -> dict[str, Any]:
    writer, reader, *_ = site.accounts
    return {"url": site.front_url, "writer": writer, "reader": reader, "seconds": seconds, "name": name}


def kill_in_turn(site: Site, alive: Callable[[], Any], rounds: int) -> None:
    """Kill each role ``rounds`` times, one after the other."""
    for role in ROLES * rounds:
        time.sleep(0.7)  # let traffic pass between two kills
        if not alive():
            return
        site.restart(role)


def test_every_part_of_the_client_works(site: Site) -> None:
    account, friend, *_ = site.accounts
    result(node(LIVE / "walk.test.mjs", ATRIUM_SITE={"url": site.front_url, "account": account, "friend": friend}))


def test_nothing_is_lost_or_done_twice_while_processes_are_killed(site: Site) -> None:
    process = node(LIVE / "drill.test.mjs", ATRIUM_DRILL=drill_of(site, "short", 10))
    kill_in_turn(site, lambda: process.poll() is None, 1)
    print(result(process))


def test_the_examples_run(project: Path, site: Site) -> None:
    account = site.accounts[0]
    code = examples(browser=False)
    for shown, actual in {
        '"https://atrium.example.org"': json.dumps(site.front_url),
        '"ada"': json.dumps(account["login"]),
        '"a fine long secret"': json.dumps(account["password"]),
    }.items():
        assert shown in code
        code = code.replace(shown, actual)
    (project / "run.ts").write_text(code)
    esbuild = node_modules(PACKAGE) / ".bin" / "esbuild"
    run(project, esbuild, "run.ts", "--format=esm", "--target=es2022", "--outfile=run.mjs")
    output = run(project, "node", "run.mjs")
    for expected in ("Dinner 1", "This field may not be blank.", "100 %", "queued", "open", "To myself", "closed"):
        assert expected in output, output


@pytest.fixture
def page(browser: Browser, pages: str) -> Iterator[Page]:
    with contextlib.closing(browser.new_context()) as context:
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.goto(f"{pages}/empty.html")
        yield page


DRILL = """async (given) => {
  const { createClient } = await import("/client.js");
  const { drill } = await import("/drill.mjs");
  window.outcome = null;
  drill({ createClient, ...given }).then(
    (report) => (window.outcome = { report }),
    (error) => (window.outcome = { error: String(error?.stack ?? error) }),
  );
}"""


def outcome_in(page: Page, timeout: float) -> dict[str, Any]:
    outcome = wait_until(lambda: page.evaluate("window.outcome"), timeout=timeout, what="the end of the drill")
    assert "error" not in outcome, outcome["error"]
    print(outcome["report"])
    return outcome["report"]


@pytest.mark.slow
def test_a_long_drill_in_node_and_chromium_at_once(site: Site, page: Page) -> None:
    process = node(LIVE / "drill.test.mjs", ATRIUM_DRILL=drill_of(site, "long", 90))
    page.evaluate(DRILL, drill_of(site, "longbrowser", 90))
    kill_in_turn(site, lambda: process.poll() is None, 8)
    print(result(process))
    assert outcome_in(page, 200)["messages"] > 20


def test_the_sample_front_end_works_from_another_origin(site: Site, pages: str, page: Page) -> None:
    account, friend, *_ = site.accounts
    theirs = ApiOf(site, friend)
    shared = theirs.call("POST", "notes/", {"title": "Trip", "body": "Train at nine"})
    theirs.call("POST", f"notes/{shared['id']}/collaborators/", {"usercode": account["usercode"], "role": "editor"})
    ApiOf(site, account).call("POST", f"notes/{shared['id']}/pin/")  # pinned notes are first
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{pages}/notes.html?site={site.front_url}")

    page.get_by_label("Username").fill(account["login"])
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("Wrong username or password.")
    page.get_by_label("Password").fill(account["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("status")).to_have_text("Live")
    note = page.locator("article").filter(has=page.locator("[name=body]")).first
    expect(note.get_by_label("Title")).to_have_value("Trip")

    # A change of somebody else is shown at once.
    theirs.call("PATCH", f"notes/{shared['id']}/", {"body": "Train at ten"})
    expect(note.get_by_label("Text")).to_have_value("Train at ten")
    # An edit is stored.
    note.get_by_label("Text").fill("Bus at ten")
    note.get_by_role("button", name="Save").click()
    address = f"notes/{shared['id']}/"
    wait_until(lambda: theirs.call("GET", address)["body"] == "Bus at ten", what="the stored edit")
    # An edit of a version that is no longer current does not overwrite the other one.
    note.get_by_label("Text").fill("Ship at ten")
    theirs.call("PATCH", f"notes/{shared['id']}/", {"body": "Plane at ten"})
    note.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_have_text("Somebody else changed this note. Here is their version.")
    expect(note.get_by_label("Text")).to_have_value("Plane at ten")

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Username")).to_be_visible()
    expect(page.locator("article")).to_have_count(0)
    assert errors == []


def test_tabs_share_one_refresh_in_chromium(site: Site, browser: Browser, pages: str) -> None:
    """Three tabs whose access token has expired send one refresh, and all their calls succeed.

    A browser shows the others a moment later what one tab stores, so the client holds its lock a little longer.
    """
    account = site.accounts[0]
    given = {"url": site.front_url, "username": account["login"], "password": account["password"]}
    with contextlib.closing(browser.new_context()) as context:
        tabs = [context.new_page() for _ in range(3)]
        refreshes: list[str] = []
        context.on(
            "request", lambda request: refreshes.append(request.url) if "/token/refresh/" in request.url else None
        )
        for tab in tabs:
            tab.goto(f"{pages}/empty.html")
            tab.evaluate(
                """async ({ url }) => {
                  const { createClient } = await import("/client.js");
                  window.atrium = createClient({ url, credentials: { storage: localStorage } });
                }""",
                given,
            )
        tabs[0].evaluate("({ username, password }) => atrium.signIn({ username, password })", given)
        tabs[0].evaluate("""() => {
          const key = Object.keys(localStorage).find((each) => each.startsWith("atrium:"));
          localStorage.setItem(key, JSON.stringify({ ...JSON.parse(localStorage.getItem(key)), expiresAt: 0 }));
        }""")
        for tab in tabs:
            tab.wait_for_function(
                """() => Object.keys(localStorage).some(
                  (key) => key.startsWith("atrium:") && JSON.parse(localStorage.getItem(key)).expiresAt === 0)"""
            )
        for tab in tabs:
            tab.evaluate("() => { window.calls = Promise.all([1, 2, 3].map(() => atrium.get('/auth/profile/'))); }")
        for tab in tabs:
            assert tab.evaluate("async () => (await calls).map((each) => each.username)") == [account["login"]] * 3
        assert len(refreshes) == 1
        # Signing out in one tab signs out all of them.
        tabs[1].evaluate(
            "() => { window.ended = new Promise((r) => atrium.onSessionChange((s) => s === null && r(true))); }"
        )
        tabs[2].evaluate("() => atrium.signOut()")
        assert tabs[1].evaluate("() => ended")


class ApiOf:
    """Calls of one account, without the typed client."""

    def __init__(self, site: Site, account: dict[str, Any]) -> None:
        self.url, self.headers = f"{site.front_url}/api/v1/", {}
        body = {"username": account["login"], "password": account["password"]}
        self.headers = {"Authorization": f"Bearer {self.call('POST', 'auth/login/', body)['access']}"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        answer = requests.request(method, self.url + path, json=body, headers=self.headers, timeout=30)
        assert answer.ok, answer.text
        return answer.json()
