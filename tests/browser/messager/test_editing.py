"""Editing one's own message, and edits by others: as they happen and after a gap in the events."""

from collections.abc import Callable
from datetime import timedelta
from subprocess import Popen

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Locator, Page, expect

from accounts.models import User
from config.realtime.events import publish
from messaging.models import Message
from messaging.services.editing import edit_message

from ..conftest import Browse, Watch
from .steps import conversation, log, screenshot, write

pytestmark = pytest.mark.django_db(transaction=True)


def item(page: Page, text: str) -> Locator:
    return log(page).get_by_role("listitem").filter(has_text=text)


@pytest.fixture
def open_chat(browse: Browse, events: Popen) -> Callable[[User, User], Page]:
    def open_window(user: User, peer: User) -> Page:
        page = browse(None, user=user)
        page.goto(f"/messager/#{peer.usercode}")
        page.get_by_label(f"Your message to {peer.username}").wait_for()
        return page

    return open_window


def test_an_edit_reaches_the_other_person_and_the_draft_comes_back(
    open_chat: Callable[[User, User], Page], ada: User, bob: User
) -> None:
    hers, his = open_chat(ada, bob), open_chat(bob, ada)
    write(hers, "Lunch at one?")
    expect(log(his)).to_contain_text("Lunch at one?")
    field = hers.locator("#body")
    field.fill("a draft")
    item(hers, "Lunch at one?").hover()
    item(hers, "Lunch at one?").get_by_role("button", name="Edit this message").click()
    expect(hers.get_by_text("Editing your message", exact=True)).to_be_visible()
    expect(field).to_have_value("Lunch at one?")
    expect(field).to_be_focused()
    screenshot(hers, "editing")
    field.fill("Lunch at two?")
    field.press("Enter")
    for page in (hers, his):
        expect(item(page, "Lunch at two?")).to_contain_text("edited")
        expect(log(page)).not_to_contain_text("Lunch at one?")
    expect(conversation(his, "ada")).to_contain_text("Lunch at two?")
    expect(field).to_have_value("a draft")
    expect(hers.get_by_text("Editing your message", exact=True)).to_be_hidden()


def test_the_keyboard_edits_the_last_message_and_escape_cancels(
    open_chat: Callable[[User, User], Page], ada: User, bob: User
) -> None:
    page = open_chat(ada, bob)
    write(page, "Before")
    item(page, "Before").get_by_text("Sent").wait_for()
    field = page.locator("#body")
    field.press("ArrowUp")
    expect(field).to_have_value("Before")
    field.press("Escape")
    expect(field).to_have_value("")
    expect(log(page)).to_contain_text("Before")
    expect(page.locator("#thread")).to_be_visible()


def test_a_late_edit_is_refused_and_the_text_is_kept(
    open_chat: Callable[[User, User], Page], watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("409")
    page = open_chat(ada, bob)
    write(page, "Before")
    item(page, "Before").get_by_text("Sent").wait_for()
    field = page.locator("#body")
    field.press("ArrowUp")
    Message.objects.update(created_at=Now() - timedelta(minutes=16))
    field.fill("After")
    field.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("Not saved: A message can only be edited within 15 minutes")
    expect(field).to_have_value("After")
    expect(log(page)).to_contain_text("Before")


def test_an_edit_during_a_gap_in_the_events_is_shown_as_an_edit(
    open_chat: Callable[[User, User], Page], ada: User, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    his, hers = open_chat(bob, ada), open_chat(ada, bob)
    write(hers, "Before")
    expect(log(his)).to_contain_text("Before")
    with monkeypatch.context() as patched:
        patched.setattr("config.realtime.events.publish", lambda *_, **__: None)
        edit_message(message=Message.objects.get(), by=ada, body="After")
    publish([bob.pk], "resync", {})
    expect(item(his, "After")).to_contain_text("edited")
    expect(log(his)).not_to_contain_text("Message deleted")
