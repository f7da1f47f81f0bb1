"""Desktop notifications of new messages."""

from subprocess import Popen
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from messaging.services.deletion import delete_message
from tests.waiting import wait_until

from ..conftest import Browse, wait_for_stream
from .steps import conversation, send

pytestmark = pytest.mark.django_db(transaction=True)

# Headless Chromium shows no notifications, and all of its tabs are visible.
BROWSER = """
  window.away = false;
  window.asked = 0;
  window.shown = [];
  Object.defineProperty(Document.prototype, "visibilityState", { get: () => (window.away ? "hidden" : "visible") });
  window.Notification = class extends EventTarget {
    static permission = "default";
    static async requestPermission() {
      window.asked++;
      return (Notification.permission = "granted");
    }
    constructor(title, { body }) {
      super();
      this.text = `${title}: ${body}`;
      window.shown.push(this);
    }
    close() {
      window.shown = window.shown.filter((each) => each !== this);
    }
  };
"""


def set_away(page: Page, away: bool) -> None:
    page.evaluate("away => { window.away = away; document.dispatchEvent(new Event('visibilitychange')); }", away)


def shown(page: Page) -> Any:
    return page.evaluate("shown.map((each) => each.text)")


def test_notifications_are_off_until_a_click_and_only_for_tabs_that_nobody_sees(
    events: Popen, browse: Browse, ada: User, bob: User
) -> None:
    page = browse(None, user=ada)
    page.context.add_init_script(BROWSER)
    page.goto("/messager/")
    bell = page.get_by_role("button", name="Desktop notifications")
    expect(bell).to_have_attribute("aria-pressed", "false")
    set_away(page, True)
    send(bob, ada, "switched off")
    expect(conversation(page, "bob")).to_contain_text("switched off")
    assert page.evaluate("asked") == 0
    set_away(page, False)
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("asked") == 1

    send(bob, ada, "visible")
    expect(conversation(page, "bob")).to_contain_text("visible")
    set_away(page, True)
    other = page.context.new_page()
    other.goto("/messager/")
    expect(conversation(other, "bob")).to_be_visible()
    wait_for_stream(other)
    send(bob, ada, "visible in another tab")
    for each in (other, page):
        expect(conversation(each, "bob")).to_contain_text("visible in another tab")
    other.close()
    deleted, _ = send(bob, ada, "deleted", "seen by nobody")
    wait_until(lambda: "bob: seen by nobody" in shown(page), what="the notification")
    delete_message(message=deleted, by=bob)
    wait_until(lambda: shown(page) == ["bob: seen by nobody"], what="one notification")

    page.evaluate("shown[0].dispatchEvent(new Event('click'))")
    expect(page.get_by_role("heading", name="bob")).to_be_visible()
    assert shown(page) == []
    send(bob, ada, "read on return")
    wait_until(lambda: shown(page) == ["bob: read on return"], what="the notification")
    set_away(page, False)
    assert shown(page) == []
    bell.click()
    expect(bell).to_have_attribute("aria-pressed", "false")
