"""The front page: fits every window, leads to everything, and the calls it shows really work."""

import shutil
import subprocess

import pytest

from accounts.models import User
from tests.factories import UserFactory


def sideways(page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_fits_the_window(browse, width, dark):
    page = browse("/", width=width, height=740, dark=dark)
    assert page.get_by_role("heading", level=1).is_visible()
    assert page.get_by_role("navigation", name="Site").get_by_role("link", name="Messages").is_visible()
    assert sideways(page) <= 0
    shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, shown.removeprefix("rgb(").rstrip(")").split(","))) < 200) == dark


def test_the_longest_username_fits_a_phone(browse, transactional_db):
    page = browse("/", user=UserFactory(username="w" * 30), width=360)
    assert sideways(page) <= 0
    assert page.get_by_role("button", name="Sign out").is_visible()


def test_every_link_answers(page, site):
    links = {link.get_attribute("href") for link in page.get_by_role("link").all()}
    assert {"/messager/", "/trends/", "/swagger/", "/redoc/", "/schema/", "/admin/", "/readyz/", "/register/"} <= links
    for link in links:
        answer = page.request.get(f"{site}{link}")
        # Without a worker beside it readiness is rightly refused, in its own words.
        assert answer.ok or (link == "/readyz/" and answer.json()["checks"]["postgres"] == "ok"), (link, answer.status)


def test_somebody_signed_in_is_greeted_and_can_sign_out(browse, transactional_db):
    ada = UserFactory(username="ada")
    page = browse("/", user=ada)
    assert page.get_by_text("You are signed in as ada").is_visible()
    assert page.get_by_text(ada.usercode).is_visible()
    assert page.get_by_role("link", name="Admin", exact=True).count() == 1  # the card; the bar keeps it for staff
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("link", name="Sign in").wait_for()
    assert page.get_by_text("You are signed in").count() == 0


def test_the_keyboard_reaches_the_content_first(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")


def test_a_call_is_copied(browse):
    page = browse("/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("curl ")


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here to make the calls with")
def test_the_first_three_calls_work_as_shown(page, site):
    register, log_in, create = [block.text_content() for block in page.locator(".code pre").all()]

    def run(script: str) -> str:
        return subprocess.run(["sh", "-euc", script], capture_output=True, text=True, timeout=60, check=True).stdout

    assert '"ada@example.org"' in run(register)
    # The link in the mail is followed by the tests of accounts; here its effect is enough.
    User.objects.filter(email="ada@example.org").update(email_verified_at="2026-01-01T00:00Z")
    note = run(f"{log_in}\n{create}")
    assert '"Groceries"' in note
    assert '"Olives"' in note


def test_a_wrong_address_leads_a_person_back(browse, watch):
    watch.allow("status of 404")
    page = browse("/no/such/page/", width=360)
    assert page.get_by_role("heading", name="There is nothing at this address").is_visible()
    assert sideways(page) <= 0
    page.get_by_role("link", name="To the front page").click()
    page.get_by_role("heading", level=1, name="under one roof").wait_for()
