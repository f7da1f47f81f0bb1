"""Long threads, unread messages and links."""

from subprocess import Popen

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from messaging.models import MessageRecipient
from messaging.services.deletion import delete_message
from tests.waiting import wait_until

from ..conftest import Browse
from .steps import conversation, insert_messages, log, messages_in, screenshot, send, texts

pytestmark = pytest.mark.django_db(transaction=True)


def unread(user: User) -> int:
    return MessageRecipient.objects.unread_by(user).count()


def scroll_to_start(page: Page) -> None:
    """Scroll up until the whole thread is loaded."""
    box = log(page)
    beginning = page.get_by_text("Beginning of the conversation")

    def at_start() -> bool:
        box.evaluate("box => box.scrollTop = 0")
        return beginning.is_visible()

    wait_until(at_start, timeout=120, what="the beginning of the thread")


def test_a_thread_opens_at_the_first_unread_message(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    insert_messages(ada, bob, 20)
    MessageRecipient.objects.unread_by(bob).update(read_at="2026-01-01T00:00Z", delivered_at="2026-01-01T00:00Z")
    insert_messages(ada, bob, 400)
    page = browse("/messager/", user=bob)
    expect(conversation(page, "ada")).to_contain_text("400 unread messages")
    conversation(page, "ada").click()
    divider = log(page).get_by_text("New messages")
    expect(divider).to_be_in_viewport()
    expect(log(page).locator("li.unread + li .text")).to_have_text("message 0")
    screenshot(page, "unread")
    # Only what is visible is marked as read.
    wait_until(lambda: 350 < unread(bob) < 400, what="the visible messages to be marked as read")
    log(page).evaluate("box => box.scrollTop += 1500")
    wait_until(lambda: 250 < unread(bob) < 390, what="more messages to be marked as read")
    page.get_by_role("button", name="new").click()
    expect(log(page).get_by_text("message 399")).to_be_in_viewport()
    wait_until(lambda: unread(bob) == 0, what="all messages to be marked as read")
    expect(conversation(page, "ada")).not_to_contain_text("unread")


def test_the_first_unread_message_can_be_reached_again(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    insert_messages(ada, bob, 100)
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(log(page).get_by_text("New messages")).to_be_in_viewport()
    page.get_by_role("button", name="new").click()
    expect(log(page).get_by_text("message 99")).to_be_in_viewport()
    page.get_by_role("button", name="Jump to first unread").click()
    expect(log(page).get_by_text("New messages")).to_be_in_viewport()


def test_all_messages_after_the_first_unread_are_reached_by_scrolling(
    events: Popen, browse: Browse, ada: User, bob: User
) -> None:
    insert_messages(ada, bob, 330)
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(log(page).get_by_text("New messages")).to_be_in_viewport()
    seen: dict[str, None] = {}

    def at_end() -> bool:
        seen.update(dict.fromkeys(texts(page)))
        log(page).evaluate("box => box.scrollTop += 1000")
        return unread(bob) == 0

    wait_until(at_end, timeout=120, what="the end of the thread")
    seen.update(dict.fromkeys(texts(page)))
    assert list(seen) == [f"message {n}" for n in range(330)]


def test_an_unread_message_that_is_deleted_leaves_the_badge(
    events: Popen, browse: Browse, ada: User, bob: User
) -> None:
    page = browse("/messager/", user=bob)
    [message] = send(ada, bob, "Oops")
    expect(conversation(page, "ada")).to_contain_text("1 unread message")
    delete_message(message=message, by=ada)
    expect(conversation(page, "ada")).to_contain_text("Message deleted")
    expect(conversation(page, "ada")).not_to_contain_text("unread")
    page.reload()
    expect(conversation(page, "ada")).to_contain_text("Message deleted")
    expect(conversation(page, "ada")).not_to_contain_text("unread")


@pytest.mark.slow
def test_typing_in_a_thread_of_2000_messages_takes_under_16_ms_a_key(
    events: Popen, browse: Browse, ada: User, bob: User
) -> None:
    insert_messages(ada, bob, 2000)
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    expect(log(page)).to_contain_text("message 1999")
    scroll_to_start(page)
    assert page.locator("#log li").count() < 300
    field = page.get_by_label("Your message to bob")
    field.click()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})  # processor time: others may use the machine too

    def milliseconds() -> float:
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        return 1000 * sum(metrics[f"{kind}Duration"] for kind in ("Script", "RecalcStyle", "Layout"))

    before = milliseconds()
    text = "a line that is long enough to be wrapped " * 5
    page.keyboard.type(text)
    expect(field).to_have_value(text)
    took = (milliseconds() - before) / len(text)
    print(f"{took:.2f} ms a key")
    assert took < 16


LINKS = {
    "See https://example.org/a?b=1&c=2.": "https://example.org/a?b=1&c=2",
    "(https://en.wikipedia.org/wiki/Stamp_(philately))": "https://en.wikipedia.org/wiki/Stamp_(philately)",
    "HTTP://EXAMPLE.ORG/Path, twice": "http://example.org/Path",
    "https://müller.example/": "https://xn--mller-kva.example/",
}
NOT_LINKS = [
    "javascript:alert(1)",
    "https://user:password@example.org/",
    "https://example.org@evil.example/",
    "https://example.org/\u202egnp.exe",
    "https://",
    "ftp://example.org/",
    "data:text/html,<script>alert(1)</script>",
]


def test_addresses_in_messages_are_links(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    send(ada, bob, *LINKS, *NOT_LINKS)
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(messages_in(page)).to_have_count(len(LINKS) + len(NOT_LINKS))
    assert texts(page) == [*LINKS, *NOT_LINKS]
    links = log(page).get_by_role("link")
    assert [links.nth(n).evaluate("link => link.href") for n in range(links.count())] == list(LINKS.values())
    for attribute, value in (("target", "_blank"), ("rel", "noopener noreferrer nofollow ugc")):
        assert {links.nth(n).get_attribute(attribute) for n in range(links.count())} == {value}
    screenshot(page, "links")
