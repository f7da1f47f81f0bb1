"""Messages that are taken back, and people who are blocked."""

import pytest
from playwright.sync_api import expect

from config.events import publish
from messaging import services
from messaging.shapes import message_shape
from tests.waiting import wait_until

from .steps import conversation, held, log, online, say, texts, write

pytestmark = pytest.mark.django_db(transaction=True)


def test_taking_back_and_blocking(events, browse, ada, bob):
    hers = browse(f"/messager/#{bob.usercode}", user=ada)
    his = browse(f"/messager/#{ada.usercode}", user=bob)
    his.get_by_label("Your message to ada").wait_for()
    hers.get_by_label("Your message to bob").wait_for()
    write(hers, "Oops")
    expect(log(his)).to_contain_text("Oops")
    log(hers).get_by_text("Oops").hover()
    hers.get_by_role("button", name="Delete this message for everybody").click()
    expect(log(hers)).to_contain_text("Message deleted")
    expect(log(his)).to_contain_text("Message deleted")
    his.get_by_role("button", name="Block").click()
    expect(his.get_by_role("button", name="Unblock")).to_be_visible()
    expect(online(hers, "bob")).to_have_count(0, timeout=15_000)
    write(hers, "Are you there?")
    expect(log(hers).get_by_title("Sent")).to_have_count(1)
    assert "Are you there?" not in texts(his)


def test_a_message_is_taken_back_by_keyboard(events, browse, ada, bob):
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    write(page, "Oops")
    delete = page.get_by_role("button", name="Delete this message for everybody")
    expect(delete).to_be_attached()
    page.keyboard.press("Shift+Tab")
    expect(delete).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(log(page)).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(log(page)).to_contain_text("Message deleted")


def test_a_late_event_does_not_bring_back_what_was_taken_back(events, browse, ada, bob):
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    page.get_by_label("Your message to ada").wait_for()
    [message] = say(ada, bob, "Oops")
    expect(log(page)).to_contain_text("Oops")
    late = message_shape(message, [])
    services.delete_message(message=message, by=ada)
    expect(log(page)).to_contain_text("Message deleted")
    publish([bob.pk], "message", late)
    say(ada, bob, "What came after it")
    expect(log(page)).to_contain_text("What came after it")
    assert texts(page) == ["What came after it"]


def test_a_late_page_does_not_bring_back_what_was_taken_back(events, browse, ada, bob):
    [message] = say(ada, bob, "Oops")
    page = browse("/messager/", user=bob)
    requests = held(page, "**/api/v1/messages/?with=*")
    conversation(page, "ada").click()
    wait_until(lambda: page.evaluate("true") and requests, what="the page asking for the thread")
    services.delete_message(message=message, by=ada)
    expect(conversation(page, "ada")).to_contain_text("Message deleted")
    for route, answer in requests:
        route.fulfill(response=answer)
    expect(log(page)).to_contain_text("Message deleted")
    assert texts(page) == []


def test_a_mark_that_failed_does_not_bring_back_what_was_taken_back(events, browse, watch, ada, bob):
    watch.allow("ERR_FAILED")
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    page.get_by_label("Your message to ada").wait_for()
    marks = held(page, "**/api/v1/messages/read/")
    [message] = say(ada, bob, "Oops")
    wait_until(lambda: page.evaluate("true") and marks, what="the page marking it as read")
    services.delete_message(message=message, by=ada)
    expect(log(page)).to_contain_text("Message deleted")
    for route, _ in marks:
        route.abort()
    say(ada, bob, "What came after it")
    expect(log(page)).to_contain_text("What came after it")
    assert texts(page) == ["What came after it"]
