"""The front page: fits every window, leads to everything, and the calls it shows really work."""

import pytest

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


def test_a_wrong_address_leads_a_person_back(browse, watch):
    watch.allow("status of 404")
    page = browse("/no/such/page/", width=360)
    assert page.get_by_role("heading", name="There is nothing at this address").is_visible()
    assert sideways(page) <= 0
    page.get_by_role("link", name="To the front page").click()
    page.get_by_role("heading", level=1, name="under one roof").wait_for()
