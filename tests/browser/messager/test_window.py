"""The chat page in windows of all sizes, and with the keyboard only."""

import gzip
from subprocess import Popen
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import User

from ..accessibility import violations
from ..conftest import Browse
from .steps import conversation, log, screenshot, send

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_text_field_grows_with_its_text(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    send(ada, bob, *(f"Line {number}" for number in range(30)))
    page = browse(f"/messager/#{bob.usercode}", user=ada, width=390, height=740)
    field = page.get_by_label("Your message to bob")
    expect(log(page).get_by_text("Line 29")).to_be_in_viewport()
    one_line = field.bounding_box()["height"]
    field.fill("A paragraph without a break that is longer than the field is wide. " * 2)
    assert field.bounding_box()["height"] > one_line * 1.5
    assert field.evaluate("field => field.scrollHeight <= field.clientHeight")
    field.fill("word " * 500)
    assert field.bounding_box()["height"] < 250
    expect(log(page).get_by_text("Line 29")).to_be_in_viewport()
    field.fill("")
    assert field.bounding_box()["height"] == one_line


def test_a_message_is_written_with_the_keyboard_only(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    send(bob, ada, "Hello")
    page = browse("/messager/", user=ada)
    expect(conversation(page, "bob")).to_be_visible()
    conversation(page, "Everyone online").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your message to bob")).to_be_focused()
    page.keyboard.type("two")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("lines")
    page.keyboard.press("Enter")
    expect(log(page)).to_contain_text("two\nlines", use_inner_text=True)
    page.keyboard.press("Escape")
    expect(page.get_by_text("Choose a conversation")).to_be_visible()
    expect(conversation(page, "bob")).to_be_focused()


def test_a_phone_with_the_keyboard_shown_has_one_slim_header(
    events: Popen, browse: Browse, ada: User, bob: User
) -> None:
    send(bob, ada, "Hello")
    page = browse(f"/messager/#{bob.usercode}", user=ada, width=360, height=420, has_touch=True, is_mobile=True)
    expect(log(page)).to_contain_text("Hello")
    headers = page.locator("header:visible")
    expect(headers).to_have_count(1)
    assert page.locator("#log-box").bounding_box()["y"] <= 56
    expect(page.get_by_role("button", name="Back to conversations")).to_be_in_viewport()
    expect(page.get_by_label("Your message to bob")).to_be_in_viewport()
    screenshot(page, "keyboard")
    page.get_by_role("button", name="Back to conversations").click()
    expect(page.get_by_role("link", name="Trends")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_fits_the_window(events: Popen, browse: Browse, people: list[User], width: int, dark: bool) -> None:
    ada, bob, eve = people
    send(bob, ada, "Hello Ada, are you coming to the rehearsal tonight?", "We begin at seven.")
    send(ada, bob, "Yes!", "I bring the score, and the cake: " + "a very long line, " * 12)
    send(eve, ada, "w" * 300)
    page = browse("/messager/", user=ada, width=width, height=740, dark=dark)
    expect(conversation(page, "bob")).to_be_visible()
    kind = f"{width}-{'dark' if dark else 'light'}"
    screenshot(page, f"{kind}-list")
    assert violations(page) == []
    conversation(page, "bob").click()
    expect(log(page)).to_contain_text("I bring the score")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.evaluate("document.documentElement.scrollHeight - window.innerHeight") <= 0
    expect(page.get_by_label("Your message to bob")).to_be_in_viewport()
    screenshot(page, f"{kind}-thread")
    assert violations(page) == []
    if width < 768:
        page.get_by_role("button", name="Back to conversations").click()
        expect(conversation(page, "eve")).to_be_visible()


def test_the_page_is_small(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    send(bob, ada, *(f"Message {n}" for n in range(50)))
    page = browse(None, user=ada)
    responses: list[Any] = []
    page.on("response", lambda response: responses.append(response))
    page.goto(f"/messager/#{bob.usercode}")
    expect(log(page)).to_contain_text("Message 49")
    # The server compresses static files; the API's few bytes count as they are. The stream has no end.
    files = [each for each in responses if each.status == 200 and "/e/" not in each.url]
    total = sum(len(gzip.compress(each.body())) for each in files if "event-stream" not in each.headers["content-type"])
    paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"{total / 1000:.0f} kB, first paint {paint:.0f} ms")
    assert total < 120_000
