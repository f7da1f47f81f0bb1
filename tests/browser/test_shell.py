"""What every page has: navigation, theme, search by Ctrl-K, one event stream for all tabs; and the home page."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect

from accounts.models import User
from contacts.models import Contact, FileMetadata
from messaging.services import sending
from notes.services import memberships, reminders
from tests.factories import PASSWORD, UserFactory
from tests.notes.factories import make_note
from tests.trends.factories import TrendFactory

from .accessibility import violations
from .conftest import sign_out, wait_for_stream
from .held import hold
from .test_landing import overflow

pytestmark = pytest.mark.django_db(transaction=True)

LINKS = ["Home", "Notes", "Messages", "Contacts", "Trends"]
PATHS = ["/", "/messager/", "/contacts/", "/trends/", "/account/", "/no/such/page/"]


@pytest.fixture
def ada(transactional_db: None) -> User:
    return UserFactory(username="ada", first_name="Ada")


def site_links(page: Page) -> list[str]:
    return page.get_by_role("navigation", name="Site").get_by_role("link").all_inner_texts()


def test_every_page_has_the_same_navigation(browse: Callable[..., Page], watch: Any, ada: User) -> None:
    watch.allow("status of 404")
    page = browse(None, user=ada, width=360)
    for path in PATHS:
        page.goto(path)
        assert [text.strip() for text in site_links(page)] == LINKS, path
        expect(page.get_by_role("button", name="Account menu")).to_be_visible()
        assert overflow(page) <= 0, path


def test_staff_see_the_link_to_the_admin(browse: Callable[..., Page], transactional_db: None) -> None:
    page = browse("/", user=UserFactory(is_staff=True, is_superuser=True))
    assert site_links(page) == [*LINKS, "Admin"]


def sign_in(page: Page) -> None:
    page.get_by_label("E-mail address or username").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def test_a_visitor_signs_in_and_comes_back_also_after_the_session_has_ended(
    browse: Callable[..., Page], watch: Any, events: Any, ada: User
) -> None:
    watch.allow("status of 401|ERR_")
    page = browse("/trends/?search=solar")
    page.get_by_role("link", name="Sign in").click()
    sign_in(page)
    expect(page).to_have_url(re.compile(r"/trends/\?search=solar$"))
    page.goto("/contacts/?search=ana")
    other = page.context.new_page()
    other.goto("/account/")
    sign_out(other, watch)
    page.get_by_text("You are signed out.").locator("..").get_by_role("button", name="Sign in").click()
    sign_in(page)
    expect(page).to_have_url(re.compile(r"/contacts/\?search=ana$"))


def test_a_page_whose_stream_is_not_open_yet_says_that_its_session_has_ended(
    browse: Callable[..., Page], watch: Any, events: Any, ada: User
) -> None:
    watch.allow("status of 401|ERR_")
    page = browse(None, user=ada)
    open_stream = hold(page, "**/api/v1/events/**")
    page.goto("/trends/")
    other = page.context.new_page()
    other.goto("/account/")
    sign_out(other, watch)
    open_stream()
    expect(page.get_by_text("You are signed out.")).to_be_visible()


def background(page: Page) -> int:
    """Return the brightness of the page, from 0 to 765."""
    shown = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, re.findall(r"\d+", shown)))


def test_the_chosen_theme_applies_to_all_tabs_and_before_the_first_paint(
    browse: Callable[..., Page], ada: User
) -> None:
    page = browse("/account/", user=ada, dark=True)
    other = page.context.new_page()
    other.goto("/trends/")
    assert background(other) < 200
    page.get_by_role("button", name="Account menu").click()
    page.get_by_text("Light", exact=True).click()
    assert background(page) > 600
    expect(other.locator("html")).to_have_attribute("data-theme", "light")
    # The shell's modules are blocked: only the script in <head> can apply the theme.
    page.route("**/shell*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto("/")
    assert background(page) > 600


def choose(page: Page, text: str, result: str | re.Pattern) -> None:
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search everything").fill(text)
    expect(page.get_by_role("option", name=result).first).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile(r"\d result"))).to_be_visible()


def test_ctrl_k_finds_everything(browse: Callable[..., Page], ada: User, bob: User) -> None:
    note = make_note(ada, title="Solar panels for the roof")
    sending.send_message(sender=bob, body="hello", usercodes=[ada.usercode])
    upload = FileMetadata.objects.create(owner=ada, name="people.xlsx", size=1, key="k", total_rows=1, accepted=1)
    Contact.objects.create(
        owner=ada, upload=upload, row=2, name="Sol Campbell", email_address="s@example.org", email_key="s@example.org",
        accepted_at=timezone.now(),
    )  # fmt: skip
    TrendFactory(macrotrend="Solar roads")
    page = browse("/", user=ada)
    choose(page, "sol", "Sol Campbell")
    expect(page.get_by_role("option", name="Solar panels")).to_be_visible()
    expect(page.get_by_role("option", name="Solar roads")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    choose(page, "bob", re.compile("^bob"))
    page.keyboard.press("Escape")
    choose(page, "account", "Account")
    page.keyboard.press("Escape")
    choose(page, "panels", "Solar panels")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/notes/{note.pk}/$"))


def test_the_home_page_shows_what_needs_attention(browse: Callable[..., Page], ada: User, bob: User) -> None:
    pinned, due = make_note(ada, title="Passport number"), make_note(ada, title="Call the bank")
    memberships.update_memberships(by=ada, note_ids=[pinned.pk], pinned=True)
    reminders.set_reminder(by=ada, note_id=due.pk, remind_at=timezone.now() + timedelta(days=1))
    sending.send_message(sender=bob, body="Lunch?", usercodes=[ada.usercode])
    TrendFactory(macrotrend="Solar roads")
    for width, dark in ((1280, False), (360, True)):
        page = browse("/", user=ada, width=width, dark=dark)
        expect(page.get_by_role("heading", name="Hello, Ada")).to_be_visible()
        for text in ("Passport number", "Call the bank", "Tomorrow", "Lunch?", "Solar roads", "No uploads yet."):
            expect(page.get_by_role("main").get_by_text(text)).to_be_visible()
        expect(page.locator("[aria-busy]")).to_have_count(0)
        assert overflow(page) <= 0
        assert violations(page) == []


class TestLiveEvents:
    @pytest.fixture
    def tabs(self, browse: Callable[..., Page], events: Any, ada: User) -> tuple[Page, Page, list[str]]:
        """Two tabs of one browser, and the streams that they have requested."""
        first, streams = browse(None, user=ada), []
        context: BrowserContext = first.context
        context.on("request", lambda each: streams.append(each.url) if "/api/v1/events/" in each.url else None)
        second = context.new_page()
        for page in (first, second):
            page.goto("/trends/")
            wait_for_stream(page)
        return first, second, streams

    def test_two_tabs_share_one_stream_and_the_second_takes_over(
        self, tabs: tuple[Page, Page, list[str]], ada: User, bob: User
    ) -> None:
        first, second, streams = tabs
        sending.send_message(sender=bob, body="one", usercodes=[ada.usercode])
        for page in (first, second):
            expect(page.locator("#unread")).to_have_text("1 unread")
        assert len(streams) == 1
        first.close()
        sending.send_message(sender=bob, body="two", usercodes=[ada.usercode])
        expect(second.locator("#unread")).to_have_text("2 unread")
        assert len(streams) == 2
        assert "last_event_id=" in streams[1]
