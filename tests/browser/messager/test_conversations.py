"""Conversations on the chat page, in several browsers at once."""

import re
from subprocess import Popen

import pytest
from playwright.sync_api import Browser, expect

from accounts.models import User
from config.realtime import presence
from messaging.models import MessageRecipient
from messaging.services import broadcasts
from tests.factories import PASSWORD
from tests.waiting import wait_until

from ..conftest import Browse, Watch
from .steps import conversation, log, messages_in, online, screenshot, send, texts, write

pytestmark = pytest.mark.django_db(transaction=True)


def test_three_people_in_three_browsers(events: Popen, worker: Popen, browse: Browse, people: list[User]) -> None:
    ada, bob, eve = (browse("/messager/", user=user) for user in people)
    for page, others in ((ada, ("bob", "eve")), (bob, ("ada", "eve")), (eve, ("ada", "bob"))):
        for other in others:
            expect(online(page, other)).to_be_visible()

    conversation(ada, "Everyone online").click()
    write(ada, "Good morning, everybody")
    expect(log(ada)).to_contain_text("to 2 people")
    for page in (bob, eve):
        expect(conversation(page, "ada")).to_contain_text("Good morning, everybody")
        expect(conversation(page, "Everyone online")).to_contain_text("1 unread message")
        expect(conversation(page, "ada")).not_to_contain_text("unread")
        expect(page).to_have_title(re.compile(r"^\(1\)"))
        conversation(page, "Everyone online").click()
        expect(log(page)).to_contain_text("Good morning, everybody")
        expect(conversation(page, "Everyone online")).not_to_contain_text("unread")

    online(ada, "bob").click()
    write(ada, "Only for you")
    expect(log(ada)).to_contain_text("Only for you")
    expect(conversation(bob, "ada")).to_contain_text("Only for you")
    conversation(bob, "ada").click()
    expect(log(bob)).to_contain_text("to everyone")
    expect(log(ada).get_by_title("Read")).to_be_visible()
    write(bob, "Thank you")
    expect(log(ada)).to_contain_text("Thank you")
    assert eve.get_by_text("Only for you").count() == 0
    screenshot(ada, "ada")
    screenshot(bob, "bob")

    again = browse(None, user=people[1])
    bob.context.close()
    again.goto("/messager/")
    conversation(again, "ada").click()
    expect(log(again)).to_contain_text("Thank you")
    expect(messages_in(again)).to_have_text(["Good morning, everybody", "Only for you", "Thank you"])


def test_the_session_survives_a_browser_restart(
    events: Popen, browse: Browse, browser: Browser, site: str, watch: Watch, people: list[User]
) -> None:
    page = browse("/messager/")
    assert "/login/" in page.url
    page.get_by_label(re.compile("e-mail|username", re.IGNORECASE)).first.fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("heading", name="Conversations").wait_for()
    state = page.context.storage_state()
    assert all(cookie["expires"] > 0 for cookie in state["cookies"] if cookie["name"] == "sessionid")
    page.context.close()
    page = browse("/messager/", storage_state=state)
    page.get_by_role("heading", name="Conversations").wait_for()


def test_older_messages_load_while_scrolling_up(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    send(bob, ada, *(f"message {n}" for n in range(130)))
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(log(page)).to_contain_text("message 129")
    expect(messages_in(page)).to_have_count(50)
    box = page.locator("#log-box")
    for expected in (100, 130):
        box.evaluate("box => box.scrollTop = 0")
        expect(messages_in(page)).to_have_count(expected)
    expect(messages_in(page)).to_have_text([f"message {n}" for n in range(130)])
    assert box.evaluate("box => box.scrollTop") > 500, "the scroll position was kept"
    box.evaluate("box => box.scrollTop = 0")
    expect(page.get_by_text("Beginning of the conversation")).to_be_visible()
    send(ada, bob, "newest")
    expect(page.get_by_role("button", name="1 new")).to_be_visible()
    page.get_by_role("button", name="1 new").click()
    expect(log(page).get_by_text("newest")).to_be_in_viewport()


XSS = [
    "<script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<svg/onload=document.title='owned'>",
    "\"><script>document.title='owned'</script>",
    "javascript:document.title='owned'",
    "<a href=\"javascript:document.title='owned'\">x</a>",
    "<iframe srcdoc='<script>parent.document.title=1</script>'></iframe>",
    "{{7*7}} ${7*7} <%= 7*7 %>",
    "</textarea><script>document.title='owned'</script>",
    "<style>body{display:none}</style>",
    "<math><mtext></form><form><mglyph><style></math><img src onerror=document.title='owned'>",
    "\u202etxt.exe\u202c",
    "&lt;script&gt;",
]


def test_a_long_thread_scrolls_inside_its_own_box(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    send(bob, ada, *("A line of some length, to fill the window. " * 5 for _ in range(40)))
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    expect(log(page).get_by_role("listitem").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


def test_html_in_a_message_is_shown_as_text(events: Popen, browse: Browse, ada: User, bob: User) -> None:
    send(ada, bob, *XSS)
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(messages_in(page)).to_have_count(len(XSS))
    assert texts(page) == XSS
    assert log(page).locator("script, img, svg[onload], iframe, a, style, form").count() == 0
    assert page.title().endswith("Messages · Atrium")
    expect(conversation(page, "ada")).to_contain_text("&lt;script&gt;")
    screenshot(page, "html-as-text")


def test_messages_of_deleted_accounts_are_read_only(
    events: Popen, browse: Browse, ada: User, bob: User, people: list[User]
) -> None:
    send(bob, ada, "I am leaving", "Farewell")
    send(people[2], ada, "I stay")
    bob.delete()
    page = browse("/messager/", user=ada, width=390, height=740)
    expect(conversation(page, "Deleted accounts")).to_contain_text("2 unread messages")
    screenshot(page, "deleted-accounts-list")
    conversation(page, "Deleted accounts").click()
    expect(log(page)).to_contain_text("A deleted account")
    expect(messages_in(page)).to_have_text(["I am leaving", "Farewell"])
    expect(page.get_by_role("button", name="Send")).to_be_hidden()
    expect(page.get_by_role("button", name="Block")).to_be_hidden()
    screenshot(page, "deleted-accounts")
    page.get_by_role("button", name="Back to conversations").click()
    expect(conversation(page, "Deleted accounts")).not_to_contain_text("unread")
    expect(conversation(page, "eve")).to_contain_text("1 unread message")
    conversation(page, "eve").click()
    expect(page.get_by_label("Your message to eve")).to_be_visible()


def test_a_broadcast_read_before_its_receipts_exist_does_not_stay_unread(
    events: Popen, browse: Browse, ada: User, bob: User
) -> None:
    page = browse("/messager/", user=bob)
    expect(online(page, "ada")).to_have_count(0)
    wait_until(lambda: bob.pk in presence.online_ids())
    broadcasts.send_broadcast(sender=ada, body="Already here")
    conversation(page, "Everyone online").click()
    expect(log(page)).to_contain_text("Already here")
    assert broadcasts.fan_out_broadcasts() == 1
    wait_until(lambda: MessageRecipient.objects.filter(recipient=bob, read_at__isnull=False).exists())
    expect(conversation(page, "Everyone online")).not_to_contain_text("unread")
