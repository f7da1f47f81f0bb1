"""Finding people and messages on the chat page, and all conversations in its list."""

import re
from subprocess import Popen

import pytest
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from messaging.models import MessageRecipient
from messaging.services import broadcasts, presence
from messaging.services.deletion import delete_message
from messaging.services.editing import edit_message
from tests.factories import UserFactory

from ..accessibility import violations
from ..conftest import Browse, Watch
from .steps import conversation, insert_messages, log, screenshot, send, texts

pytestmark = pytest.mark.django_db(transaction=True)


def search_for(page: Page, text: str) -> None:
    page.get_by_role("searchbox", name="Find people and messages").fill(text)


def results(page: Page, kind: str) -> Locator:
    """The buttons of a part of the results: "People" or "Messages"."""
    return page.get_by_role("region", name=kind, exact=True).get_by_role("listitem").get_by_role("button")


def test_a_found_message_opens_its_conversation_there(
    events: Popen, browse: Browse, ada: User, bob: User, people: list[User]
) -> None:
    insert_messages(bob, ada, 400)
    MessageRecipient.objects.update(read_at="2026-01-01T00:00Z", delivered_at="2026-01-01T00:00Z")
    send(ada, people[2], "Shall we say message 120 was wrong?")
    page = browse("/messager/", user=ada)
    search_for(page, "120 MESSAGE")
    expect(results(page, "Messages")).to_have_count(2)
    hers, his = results(page, "Messages").all()
    expect(hers).to_contain_text("eve")
    expect(hers).to_contain_text("You: Shall we say message 120 was wrong?")
    expect(hers.locator("mark")).to_have_text(["message", "120"])
    expect(conversation(page, "bob")).to_be_hidden()
    assert violations(page) == []

    his.click()
    expect(page).to_have_url(re.compile(rf"\?search=120\+MESSAGE#{bob.usercode}/\d+$"))
    found = log(page).get_by_role("listitem").filter(has_text="message 120")
    expect(found).to_be_in_viewport()
    expect(found).to_be_focused()
    screenshot(page, "found")
    shown = texts(page)
    assert "message 119" in shown and "message 121" in shown and "message 399" not in shown
    expect(results(page, "Messages").nth(1)).to_have_attribute("aria-current", "true")

    hers.click()
    expect(page.get_by_role("heading", name="eve")).to_be_visible()
    page.go_back()
    expect(found).to_be_focused()
    page.reload()
    expect(found).to_be_focused()
    page.go_back()
    expect(page.get_by_text("Choose a conversation")).to_be_visible()
    expect(results(page, "Messages")).to_have_count(2)
    page.go_back()
    expect(conversation(page, "bob")).to_be_visible()
    page.go_forward()
    expect(page.get_by_role("searchbox")).to_have_value("120 MESSAGE")

    # The newest messages are one click away, and the conversation in the list opens there again.
    results(page, "Messages").nth(1).click()
    expect(found).to_be_focused()
    page.get_by_role("button", name="Jump to latest").click()
    expect(log(page).get_by_text("message 399")).to_be_in_viewport()


def test_results_follow_edits_and_deletions(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    edited, deleted = send(bob, ada, "Lunch at one?", "Lunch is <b>cancelled</b>")
    page = browse("/messager/?search=lunch", user=ada)
    expect(results(page, "Messages")).to_have_count(2)
    assert page.locator("#found-messages b").count() == 0
    edit_message(message=edited, by=bob, body="Lunch at two?")
    delete_message(message=deleted, by=bob)
    expect(results(page, "Messages")).to_have_count(1)
    expect(results(page, "Messages")).to_contain_text("Lunch at two?")
    search_for(page, "xyz")
    expect(page.get_by_text("No message contains “xyz”.")).to_be_visible()


def test_search_with_the_keyboard_only(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User, people: list[User]
) -> None:
    watch.allow("status of 404")
    send(bob, ada, "Bring the score")
    page = browse(f"/messager/#{people[2].usercode}", user=ada)
    field = page.get_by_role("searchbox")
    page.get_by_role("log").press("/")
    expect(field).to_be_focused()
    page.keyboard.type("score")
    page.keyboard.press("Enter")
    expect(results(page, "Messages").first).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(field).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(log(page).get_by_role("listitem").filter(has_text="Bring the score")).to_be_focused()
    field.focus()
    page.keyboard.press("Escape")
    expect(conversation(page, "bob")).to_be_visible()
    expect(page.get_by_role("heading", name="bob")).to_be_visible()

    # A code: of a known person, of a stranger, of nobody.
    page.keyboard.type(people[2].usercode.lower())
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your message to eve")).to_be_focused()
    expect(field).to_have_value("")
    stranger = UserFactory(username="stranger")
    field.fill(stranger.usercode.lower())
    results(page, "People").get_by_text(f"Find the user with the code {stranger.usercode}").click()
    expect(page.get_by_label("Your message to stranger")).to_be_focused()
    field.fill("zzzzzz")
    field.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="No user has the code ZZZZZZ.")).to_be_visible()
    assert violations(page) == []

    # The link that skips the navigation leaves the conversation open.
    page.get_by_role("link", name="Skip to content").press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page).to_have_url(re.compile(rf"#{stranger.usercode}$"))
    expect(page.get_by_role("heading", name="stranger")).to_be_visible()


def test_all_conversations_are_listed_and_everybody_in_them_is_found_by_name(
    events: Popen, browse: Browse, ada: User
) -> None:
    for n in range(120):
        insert_messages(UserFactory(username=f"guest{n}"), ada, 1)
    page = browse("/messager/", user=ada, width=360, height=740)
    rows = page.get_by_role("list", name="Conversations").get_by_role("listitem")
    expect(rows).to_have_count(51)
    search_for(page, "uest7")
    expect(results(page, "People")).to_have_text([re.compile(f"guest{n}") for n in (7, *range(70, 80))])
    search_for(page, "")
    for count in (101, 121):
        rows.last.scroll_into_view_if_needed()
        expect(rows).to_have_count(count)
    expect(conversation(page, "guest0")).to_be_visible()
    expect(page.get_by_role("button", name="Load older conversations")).to_be_hidden()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_results_fit_the_window(
    events: Popen, browse: Browse, ada: User, bob: User, people: list[User], width: int, dark: bool
) -> None:
    send(bob, ada, "w" * 300 + " rehearsal", "The rehearsal " + "goes on and on " * 30)
    send(ada, people[2], "Rehearsal at seven")
    presence.heartbeat(ada)
    presence.heartbeat(people[2])
    broadcasts.send_broadcast(sender=people[2], body="No rehearsal today")
    broadcasts.fan_out_broadcasts()
    page = browse("/messager/?search=rehearsal", user=ada, width=width, height=740, dark=dark)
    expect(results(page, "Messages")).to_have_count(4)
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert violations(page) == []
    screenshot(page, f"search-{width}-{'dark' if dark else 'light'}")
    results(page, "Messages").first.click()
    expect(page.get_by_role("heading", name="Everyone online")).to_be_visible()
    expect(log(page).get_by_role("listitem").filter(has_text="No rehearsal today")).to_be_focused()
    assert violations(page) == []
    if width < 768:
        page.get_by_role("button", name="Back to conversations").click()
        expect(results(page, "Messages").first).to_be_focused()
