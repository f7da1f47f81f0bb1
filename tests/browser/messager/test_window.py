"""The chat page in windows of all sizes, and by the keyboard alone."""

import pytest
from playwright.sync_api import expect

from .steps import conversation, log, picture, say

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_field_grows_with_what_is_written(events, browse, ada, bob):
    say(bob, ada, *(f"Line {number}" for number in range(30)))
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


def test_the_keyboard_is_enough(events, browse, ada, bob):
    say(bob, ada, "Hello")
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


def test_an_unknown_code_is_said_to_be_one(events, browse, watch, ada, bob):
    watch.allow("status of 404")
    page = browse("/messager/", user=ada)
    page.get_by_label("Write to somebody by their code").fill("zzzzzz")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert").filter(has_text="Nobody has the code ZZZZZZ.")).to_be_visible()
    page.get_by_label("Write to somebody by their code").fill(bob.usercode.lower())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="bob")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_fits_the_window(events, browse, people, width, dark):
    ada, bob, eve = people
    say(bob, ada, "Hello Ada, are you coming to the rehearsal tonight?", "We begin at seven.")
    say(ada, bob, "Yes!", "I bring the score, and the cake: " + "a very long line, " * 12)
    say(eve, ada, "w" * 300)
    page = browse("/messager/", user=ada, width=width, height=740, dark=dark)
    expect(conversation(page, "bob")).to_be_visible()
    kind = f"{width}-{'dark' if dark else 'light'}"
    picture(page, f"{kind}-list")
    conversation(page, "bob").click()
    expect(log(page)).to_contain_text("I bring the score")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.evaluate("document.documentElement.scrollHeight - window.innerHeight") <= 0
    expect(page.get_by_label("Your message to bob")).to_be_in_viewport()
    picture(page, f"{kind}-thread")
    if width < 768:
        page.get_by_role("button", name="Back to the conversations").click()
        expect(conversation(page, "eve")).to_be_visible()
