"""The landing page fits every window, its links work, and so do the calls that it shows."""

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from accounts.models import PendingRegistration
from accounts.services import registration
from tests.factories import UserFactory


def overflow(page: Page) -> int:
    """Return by how many pixels the page scrolls horizontally."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_fits_the_window(browse: Callable[..., Page], width: int, dark: bool) -> None:
    page = browse("/", width=width, height=740, dark=dark)
    assert page.get_by_role("heading", level=1).is_visible()
    assert page.get_by_role("navigation", name="Site").get_by_role("link", name="Messages").is_visible()
    assert overflow(page) <= 0
    shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, shown.removeprefix("rgb(").rstrip(")").split(","))) < 200) == dark


def test_the_longest_username_fits_a_phone(browse: Callable[..., Page], transactional_db: None) -> None:
    page = browse("/", user=UserFactory(username="w" * 30), width=360)
    assert overflow(page) <= 0
    page.get_by_role("button", name="Account menu").click()
    page.get_by_role("button", name="Sign out").wait_for()
    assert overflow(page) <= 0


def test_every_link_works(page: Page, site: str) -> None:
    links = {link.get_attribute("href") for link in page.get_by_role("link").all()}
    assert {
        "/notes/",
        "/messager/",
        "/contacts/",
        "/trends/",
        "/swagger/",
        "/redoc/",
        "/schema/",
        "/admin/",
        "/readyz/",
        "/register/",
    } <= links
    for link in links - {"#main"}:
        answer = page.request.get(f"{site}{link}")
        # No worker runs in this test, so readiness is 503.
        assert answer.ok or (link == "/readyz/" and answer.json()["checks"]["postgres"] == "ok"), (link, answer.status)


def test_the_first_tab_stop_skips_to_the_content(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")


def test_the_copy_button_copies_a_call(browse: Callable[..., Page]) -> None:
    page = browse("/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("BASE=http")


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_first_three_calls_work_as_shown(page: Page, site: str) -> None:
    register, log_in, create = [block.text_content() for block in page.locator(".code pre").all()]

    def run(script: str) -> str:
        return subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=60, check=True).stdout

    assert '"ada@example.org"' in run(register)
    # The tests of accounts follow the link in the e-mail; here its effect is enough.
    registration.create_account(PendingRegistration.objects.get(email="ada@example.org"))
    address = register.splitlines()[0]
    note = run(f"{address}\n{log_in}\n{create}")
    assert '"Groceries"' in note
    assert '"Olives"' in note


def test_the_404_page_links_to_the_landing_page(browse: Callable[..., Page], watch: Any) -> None:
    watch.allow("status of 404")
    page = browse("/no/such/page/", width=360)
    assert page.get_by_role("heading", name="Page not found").is_visible()
    assert overflow(page) <= 0
    page.get_by_role("link", name="Go to the home page").click()
    page.get_by_role("heading", level=1, name="in one API").wait_for()
