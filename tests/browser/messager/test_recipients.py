"""Messages to several recipients."""

from subprocess import Popen

import pytest
from playwright.sync_api import expect

from accounts.models import User
from messaging.models import Message
from tests.factories import UserFactory

from ..conftest import Browse, Watch
from .steps import conversation, log, messages_in, online, screenshot, select_recipient, send

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_to_several_people_is_in_each_conversation(events: Popen, browse: Browse, people: list[User]) -> None:
    ada, bob, eve = (browse("/messager/", user=user) for user in people)
    for name in ("bob", "eve"):
        expect(online(ada, name)).to_be_visible()
    online(ada, "bob").click()
    ada.get_by_role("button", name="Message several people").click()
    for name in ("bob", "eve"):
        select_recipient(ada, name)
    expect(ada.get_by_text("2 recipients")).to_be_visible()
    ada.get_by_label("Message", exact=True).fill("To the two of you")
    ada.get_by_role("button", name="Send").last.click()
    expect(ada.get_by_text("Sent to bob, eve.")).to_be_visible()
    expect(log(ada)).to_contain_text("to 2 people: bob, eve")
    for page in (bob, eve):
        conversation(page, "ada").click()
        expect(log(page)).to_contain_text("to 2 people")
        expect(messages_in(page)).to_have_text(["To the two of you"])
    expect(log(ada).get_by_title("Read", exact=True)).to_be_visible()
    conversation(ada, "eve").click()
    expect(ada.get_by_role("heading", name="eve")).to_be_visible()
    expect(log(ada).locator(".text")).to_have_text(["To the two of you"])
    assert Message.objects.count() == 1


def test_recipients_are_selected_by_keyboard_and_code(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User, people: list[User]
) -> None:
    watch.allow("status of 404")
    send(ada, bob, "Hello")
    page = browse("/messager/", user=ada)
    expect(conversation(page, "bob")).to_be_visible()
    page.get_by_role("button", name="Message several people").press("Enter")
    dialog = page.get_by_role("dialog", name="Message several people")
    expect(dialog.get_by_label("To", exact=True)).to_be_focused()
    page.keyboard.type("zzzzzz")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("No user has the code ZZZZZZ.")
    dialog.get_by_label("To", exact=True).fill(people[2].usercode.lower())
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("checkbox", name="eve")).to_be_checked()
    dialog.get_by_role("checkbox", name="bob").focus()
    page.keyboard.press("Space")
    expect(dialog.get_by_role("checkbox", name="bob")).to_be_focused()
    expect(dialog.get_by_role("status")).to_have_text("2 recipients")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_role("alert")).to_have_text("Enter a message.")
    expect(dialog.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("<b>Both</b>")
    dialog.get_by_role("button", name="Send").press("Enter")
    expect(conversation(page, "eve")).to_contain_text("<b>Both</b>")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Message several people").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_a_message_to_several_people_written_offline_is_sent_after_reconnecting(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User, people: list[User]
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    send(ada, bob, "Hello")
    send(ada, people[2], "Hello")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    page.context.set_offline(True)
    page.get_by_role("button", name="Message several people").click()
    for name in ("bob", "eve"):
        select_recipient(page, name)
    page.get_by_label("Message", exact=True).fill("in the tunnel")
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(log(page)).to_contain_text("in the tunnel")
    assert Message.objects.count() == 2
    page.context.set_offline(False)
    expect(page.get_by_text("Sent to bob, eve.")).to_be_visible(timeout=20_000)
    expect(messages_in(page)).to_have_text(["Hello", "in the tunnel"])
    assert Message.objects.count() == 3


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_dialog_fits_the_window(
    events: Popen, browse: Browse, ada: User, bob: User, width: int, dark: bool
) -> None:
    send(ada, bob, "Hello")
    for n in range(12):
        send(ada, UserFactory(username=f"guest{n}"), "Hello")
    page = browse("/messager/", user=ada, width=width, height=740, dark=dark)
    page.get_by_role("button", name="Message several people").click()
    for name in ("bob", "guest7"):
        select_recipient(page, name)
    page.get_by_label("Message", exact=True).fill("Lunch at one?")
    expect(page.get_by_role("dialog").get_by_role("button", name="Send")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    screenshot(page, f"several-{width}-{'dark' if dark else 'light'}")
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(conversation(page, "guest7")).to_contain_text("Lunch at one?")
    conversation(page, "bob").click()
    expect(log(page)).to_contain_text("to 2 people")
    screenshot(page, f"several-{width}-{'dark' if dark else 'light'}-sent")
