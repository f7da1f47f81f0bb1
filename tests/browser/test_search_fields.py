"""What is typed into the search field of a page is searched for, whatever is loaded meanwhile."""

import re
from typing import NamedTuple

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from tests.factories import UserFactory

from .conftest import Browse
from .held import hold
from .test_contacts import make_people

pytestmark = pytest.mark.django_db(transaction=True)


class SearchField(NamedTuple):
    """A page with a search field: the script that reads it, and a request whose answer draws around the field."""

    path: str
    script: str
    request: str


FIELDS = [
    SearchField("/notes/", "**/notes/app.js", "**/api/v1/labels/**"),
    SearchField("/messager/", "**/messaging/app.js", "**/api/v1/conversations/"),
    SearchField("/contacts/", "**/contacts/people.js", "**/api/v1/contacts/uploads/**"),
    SearchField("/trends/", "**/trends/page.js", "**/api/v1/trends/?*"),
]
each_page = pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.path.strip("/"))


@pytest.fixture
def ada(transactional_db: None) -> User:
    ada = UserFactory(username="ada")
    make_people(ada, 1)  # without contacts their page has no search field
    return ada


def pause(page: Page) -> None:
    """Stop the page's clock, so that a search does not start while it is typed."""
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))


@each_page
def test_text_that_is_typed_before_the_script_is_loaded_is_searched_for(
    browse: Browse, ada: User, field: SearchField
) -> None:
    page = browse(None, user=ada)
    release = hold(page, field.script)
    page.goto(field.path, wait_until="commit")
    page.locator("#search").fill("milk")
    release()
    expect(page).to_have_url(re.compile(r"\?(q|search)=milk"))
    expect(page.locator("#search")).to_have_value("milk")


@each_page
def test_an_answer_that_arrives_while_a_word_is_typed_keeps_its_letters(
    browse: Browse, ada: User, field: SearchField
) -> None:
    page = browse(None, user=ada)
    page.clock.install()
    release = hold(page, field.request)
    page.goto(field.path)
    pause(page)
    page.locator("#search").press_sequentially("milk")
    with page.expect_response(field.request):
        release()
    # The page has handled that answer before this one.
    page.evaluate("fetch('/healthz/').then((response) => response.text())")
    expect(page.locator("#search")).to_have_value("milk")
    page.clock.resume()
    expect(page).to_have_url(re.compile(r"\?(q|search)=milk"))
    expect(page.locator("#search")).to_have_value("milk")


def test_a_contact_filter_keeps_the_search_that_is_being_typed(browse: Browse, ada: User) -> None:
    page = browse(None, user=ada)
    page.clock.install()
    page.goto("/contacts/")
    pause(page)
    page.locator("#search").press_sequentially("milk")
    page.get_by_role("button", name="Name", exact=True).dispatch_event("click")
    page.clock.resume()
    expect(page).to_have_url(re.compile(r"search=milk.*ordering=name|ordering=name.*search=milk"))


def test_a_contact_filter_that_is_chosen_before_the_script_is_loaded_is_used(browse: Browse, ada: User) -> None:
    page = browse(None, user=ada, width=1280)
    release = hold(page, "**/contacts/people.js")
    page.goto("/contacts/?ordering=name", wait_until="commit")
    page.locator("[name=has_phone]").select_option("false")
    release()
    expect(page).to_have_url(re.compile(r"/contacts/\?ordering=name&has_phone=false$"))
    expect(page.get_by_text("No contacts match these filters.")).to_be_visible()
    expect(page.locator("[name=has_phone]")).to_have_value("false")
