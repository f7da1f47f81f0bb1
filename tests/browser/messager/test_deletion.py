"""Deleting messages and blocking people, each with Undo; deletions that the event stream did not deliver."""

import os
import re
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from subprocess import Popen

import pytest
from django.db.models.functions import Now
from django.test import Client
from playwright.sync_api import Browser, Locator, Page, expect

from accounts.models import Block, User
from config.realtime.events import publish
from messaging.models import Message
from messaging.representation import message_data
from messaging.services.deletion import delete_message
from tests.factories import UserFactory
from tests.waiting import wait_until

from ..conftest import BACKEND, PROGRAM, Browse, Watch, arguments
from .steps import conversation, hold_responses, log, messages_in, online, screenshot, send, texts, write

DELETE = "Delete this message for everyone"
UNDO = "Undo deleting this message"

pytestmark = pytest.mark.django_db(transaction=True)


def delete_last(page: Page, text: str) -> None:
    """Delete the user's own message ``text`` and wait until it can be undone."""
    log(page).get_by_text(text).hover()
    item(page, text).get_by_role("button", name=DELETE).click()
    expect(page.get_by_role("button", name=UNDO).last).to_be_focused()


def item(page: Page, text: str) -> Locator:
    return log(page).get_by_role("listitem").filter(has_text=text)


def end_undo_time(page: Page) -> None:
    page.clock.fast_forward(7000)


def is_deleted(message: Message) -> bool:
    message.refresh_from_db()
    return message.deleted_at is not None


@pytest.fixture
def open_chat(browse: Browse, events: Popen) -> Browse:
    """A function that opens the chat of ``user`` with ``peer``, with a clock that the test can put forward."""

    def open_window(user: User, peer: User) -> Page:
        page = browse(None, user=user)
        page.clock.install()
        page.goto(f"/messager/#{peer.usercode}")
        page.get_by_label(f"Your message to {peer.username}").wait_for()
        return page

    return open_window


def test_a_deletion_and_a_block_reach_the_other_person(open_chat: Browse, browse: Browse, ada: User, bob: User) -> None:
    hers = open_chat(ada, bob)
    his = open_chat(bob, ada)
    write(hers, "Oops")
    expect(log(his)).to_contain_text("Oops")
    delete_last(hers, "Oops")
    end_undo_time(hers)
    expect(log(his)).to_contain_text("Message deleted")
    expect(hers.get_by_role("button", name=UNDO)).to_have_count(0)
    his.get_by_role("button", name="Block").click()
    end_undo_time(his)
    expect(his.get_by_role("button", name="Unblock")).to_be_focused()
    expect(online(hers, "bob")).to_have_count(0, timeout=15_000)
    write(hers, "Are you there?")
    expect(log(hers).get_by_title("Sent")).to_have_count(1)
    assert "Are you there?" not in texts(his)


def test_a_deletion_is_undone_by_keyboard(open_chat: Browse, ada: User, bob: User) -> None:
    [message] = send(ada, bob, "Oops")
    page = open_chat(ada, bob)
    delete = page.get_by_role("button", name=DELETE)
    expect(delete).to_be_attached()
    page.keyboard.press("Shift+Tab")
    expect(delete).to_be_focused()
    page.keyboard.press("Enter")
    undo = page.get_by_role("button", name=UNDO)
    expect(undo).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("Message deleted. You can undo it for 7 seconds.")
    expect(conversation(page, "bob")).to_contain_text("Message deleted")
    screenshot(page, "undo")
    expect(messages_in(page)).to_have_text([])
    page.keyboard.press("Enter")
    expect(delete).to_be_focused()
    expect(conversation(page, "bob")).to_contain_text("Oops")
    end_undo_time(page)
    expect(messages_in(page)).to_have_text(["Oops"])
    assert not is_deleted(message)


def test_escape_leaves_undo_and_the_end_of_its_time_keeps_the_focus(open_chat: Browse, ada: User, bob: User) -> None:
    send(ada, bob, "one", "two")
    page = open_chat(ada, bob)
    delete_last(page, "one")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Your message to bob")).to_be_focused()
    expect(page.get_by_role("button", name=UNDO)).to_be_visible()
    delete_last(page, "two")
    end_undo_time(page)
    expect(page.get_by_role("button", name=UNDO)).to_have_count(0)
    expect(item(page, "Message deleted").last).to_be_focused()


def test_one_of_two_deletions_is_undone(open_chat: Browse, ada: User, bob: User) -> None:
    one, two = send(ada, bob, "one", "two")
    page = open_chat(ada, bob)
    delete_last(page, "one")
    delete_last(page, "two")
    page.get_by_role("button", name=UNDO).first.click()
    expect(messages_in(page)).to_have_text(["one"])
    end_undo_time(page)
    wait_until(lambda: page.evaluate("true") and is_deleted(two), what="the second deletion")
    assert not is_deleted(one)


def test_a_held_deletion_is_sent_when_the_page_is_left(open_chat: Browse, ada: User, bob: User) -> None:
    [message] = send(ada, bob, "Oops")
    page = open_chat(ada, bob)
    delete_last(page, "Oops")
    page.goto("/")
    wait_until(lambda: page.evaluate("true") and is_deleted(message), what="the deletion")


def test_a_deletion_of_a_closed_browser_is_sent_by_the_next_page(
    events: Popen, browser: Browser, site: str, tmp_path: Path, ada: User, bob: User
) -> None:
    [message] = send(ada, bob, "Oops")
    client = Client()
    client.force_login(ada, backend=BACKEND)
    cookies = [{"name": name, "value": each.value, "url": site} for name, each in client.cookies.items()]

    def start_browser() -> Page:
        options = {"executable_path": PROGRAM, "args": arguments(), "base_url": site}
        context = browser.browser_type.launch_persistent_context(tmp_path, **options)
        context.add_cookies(cookies)
        return context.pages[0]

    page = start_browser()
    page.route(re.compile(r"/messages/\d+/$"), lambda route: route.abort())  # too late for the last request
    page.goto(f"/messager/#{bob.usercode}")
    delete_last(page, "Oops")
    page.context.close()
    assert not is_deleted(message)
    page = start_browser()
    page.goto("/")
    wait_until(lambda: page.evaluate("true") and is_deleted(message), what="the deletion")
    wait_until(lambda: page.evaluate("localStorage.length") == 0, what="an empty list of actions")
    page.context.close()


def test_another_tab_undoes_a_deletion_or_sends_it_if_its_own_tab_is_gone(
    open_chat: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_FAILED")
    one, two = send(ada, bob, "one", "two")
    first = open_chat(ada, bob)
    first.route(re.compile(r"/messages/\d+/$"), lambda route: route.abort())
    second = first.context.new_page()
    second.clock.install()
    second.goto(f"/messager/#{bob.usercode}")
    expect(log(second).locator(".text")).to_have_text(["one", "two"])
    delete_last(first, "one")
    second.get_by_role("button", name=UNDO).click()
    expect(log(first).locator(".text")).to_have_text(["one", "two"])
    delete_last(first, "two")
    expect(second.get_by_role("button", name=UNDO)).to_be_visible()
    first.close()
    second.clock.fast_forward(9000)
    wait_until(lambda: second.evaluate("true") and is_deleted(two), what="the deletion")
    assert not is_deleted(one)


def test_a_deletion_without_a_connection_is_pending_and_sent_later(
    open_chat: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    one, two = send(ada, bob, "one", "two")
    page = open_chat(ada, bob)
    page.context.set_offline(True)
    delete_last(page, "one")
    delete_last(page, "two")
    end_undo_time(page)
    pending = item(page, "Will be deleted when you are online again")
    expect(pending).to_have_count(2)
    pending.first.get_by_role("button", name=UNDO).click()
    expect(messages_in(page)).to_have_text(["one"])
    page.context.set_offline(False)
    wait_until(lambda: page.evaluate("true") and is_deleted(two), what="the deletion")
    expect(pending).to_have_count(0)
    assert not is_deleted(one)


def test_a_deletion_of_a_page_left_offline_is_sent_at_the_next_visit(
    open_chat: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    [message] = send(ada, bob, "Oops")
    page = open_chat(ada, bob)
    page.context.set_offline(True)
    delete_last(page, "Oops")
    page.goto("about:blank")
    page.context.set_offline(False)
    page.goto(f"/messager/#{bob.usercode}")
    wait_until(lambda: page.evaluate("true") and is_deleted(message), what="the deletion")
    expect(log(page)).to_contain_text("Message deleted")


def test_a_deletion_near_the_time_limit_is_sent_in_time(open_chat: Browse, ada: User, bob: User) -> None:
    [message] = send(ada, bob, "Oops")
    page = open_chat(ada, bob)
    delete = page.get_by_role("button", name=DELETE)
    expect(delete).to_be_attached()
    page.clock.fast_forward(894_000)  # for the page the message is 14 minutes and 54 seconds old
    delete.dispatch_event("click")
    page.clock.fast_forward(3000)  # leaves three of the six seconds for the request
    expect(page.get_by_role("button", name=UNDO)).to_have_count(0)
    wait_until(lambda: page.evaluate("true") and is_deleted(message), what="the deletion")


def test_a_refused_deletion_shows_the_message_again(open_chat: Browse, watch: Watch, ada: User, bob: User) -> None:
    watch.allow("status of 409")
    [message] = send(ada, bob, "Oops")
    page = open_chat(ada, bob)
    delete_last(page, "Oops")
    Message.objects.update(created_at=Now() - timedelta(minutes=16))
    end_undo_time(page)
    expect(page.locator("#toasts")).to_contain_text("Not deleted: A message can only be deleted within 15 minutes")
    expect(messages_in(page)).to_have_text(["Oops"])
    assert not is_deleted(message)


def test_a_block_can_be_undone_and_removed(open_chat: Browse, ada: User, bob: User) -> None:
    page = open_chat(ada, bob)
    block = page.get_by_role("button", name="Block", exact=True)
    block.click()
    undo = page.get_by_role("button", name="Undo blocking")
    expect(undo).to_be_focused()
    expect(page.locator("#announcer")).to_have_text("You blocked bob. You can undo it for 7 seconds.")
    screenshot(page, "undo-block")
    page.keyboard.press("Enter")
    expect(block).to_be_focused()
    end_undo_time(page)
    expect(block).to_be_visible()
    assert not Block.objects.exists()
    block.click()
    expect(undo).to_be_focused()
    end_undo_time(page)
    unblock = page.get_by_role("button", name="Unblock")
    expect(unblock).to_be_focused()
    wait_until(lambda: page.evaluate("true") and Block.objects.exists(), what="the block")
    unblock.click()
    expect(block).to_be_visible()
    assert not Block.objects.exists()


def test_a_refused_block_is_taken_back(open_chat: Browse, watch: Watch, ada: User, bob: User) -> None:
    watch.allow("status of 40[04]")
    page = open_chat(ada, bob)
    page.get_by_role("button", name="Block", exact=True).click()
    page.get_by_role("button", name="Undo blocking").wait_for()
    bob.delete()
    end_undo_time(page)
    expect(page.locator("#toasts")).to_contain_text("bob is not blocked")
    expect(page.get_by_role("button", name="Block", exact=True)).to_be_focused()


def test_deletions_missed_by_the_stream_are_shown_after_a_resync(
    events: Popen, browse: Browse, ada: User, bob: User
) -> None:
    [first, _] = send(ada, bob, "Oops", "This stays")
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(log(page)).to_contain_text("Oops")
    page.goto("about:blank")
    eve = UserFactory(username="eve2")
    [unread] = send(eve, bob, "Not read")
    page.goto(f"/messager/#{ada.usercode}")
    expect(conversation(page, "eve2")).to_contain_text("1 unread message")
    # Their events are lost, as after a long gap.
    for message in (first, unread):
        Message.objects.filter(pk=message.pk).update(body="", deleted_at=Now())
        message.receipts.update(deleted=True)
    publish([bob.pk], "resync", {})
    expect(log(page)).to_contain_text("Message deleted")
    expect(conversation(page, "eve2")).to_contain_text("Message deleted")
    expect(conversation(page, "eve2")).not_to_contain_text("unread")
    expect(messages_in(page)).to_have_text(["This stays"])


def test_deletions_before_the_first_connection_of_the_stream_are_shown(
    browse: Browse, watch: Watch, start_events: Callable[[], Popen], ada: User, bob: User
) -> None:
    watch.allow("ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|EventSource|status of 50")
    process = start_events()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    [message] = send(ada, bob, "Oops")
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(log(page)).to_contain_text("Oops")
    delete_message(message=message, by=ada)
    start_events()
    expect(log(page)).to_contain_text("Message deleted", timeout=20_000)


def test_a_late_event_does_not_restore_a_deleted_message(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    page.get_by_label("Your message to ada").wait_for()
    [message] = send(ada, bob, "Oops")
    expect(log(page)).to_contain_text("Oops")
    late = message_data(message, with_times=False)
    delete_message(message=message, by=ada)
    expect(log(page)).to_contain_text("Message deleted")
    publish([bob.pk], "message", late)
    send(ada, bob, "The next message")
    expect(log(page)).to_contain_text("The next message")
    expect(messages_in(page)).to_have_text(["The next message"])


def test_a_late_page_does_not_restore_a_deleted_message(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    [message] = send(ada, bob, "Oops")
    page = browse("/messager/", user=bob)
    requests = hold_responses(page, "**/api/v1/messages/?with=*")
    conversation(page, "ada").click()
    wait_until(lambda: page.evaluate("true") and requests, what="the request for the thread")
    delete_message(message=message, by=ada)
    expect(conversation(page, "ada")).to_contain_text("Message deleted")
    for route, answer in requests:
        route.fulfill(response=answer)
    expect(log(page)).to_contain_text("Message deleted")
    expect(messages_in(page)).to_have_text([])


def test_a_failed_read_request_does_not_restore_a_deleted_message(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_FAILED")
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    page.get_by_label("Your message to ada").wait_for()
    marks = hold_responses(page, "**/api/v1/messages/read/")
    [message] = send(ada, bob, "Oops")
    wait_until(lambda: page.evaluate("true") and marks, what="the request that marks it as read")
    delete_message(message=message, by=ada)
    expect(log(page)).to_contain_text("Message deleted")
    for route, _ in marks:
        route.abort()
    send(ada, bob, "The next message")
    expect(log(page)).to_contain_text("The next message")
    expect(messages_in(page)).to_have_text(["The next message"])
