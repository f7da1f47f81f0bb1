"""The chat page, from several browsers at once, with a real events process and a real worker."""

import os
import re
import signal
from pathlib import Path

import pytest
import requests
from django.test import Client
from playwright.sync_api import expect

from accounts.models import UserSession
from accounts.services import sessions
from config import presence
from config.events import publish
from messaging import services
from messaging.models import Message, MessageRecipient
from messaging.shapes import message_shape
from tests.conftest import ROOT, free_port
from tests.factories import PASSWORD, UserFactory
from tests.waiting import wait_until

from .conftest import BACKEND

pytestmark = pytest.mark.django_db(transaction=True)
PICTURES = Path(ROOT) / "reports" / "browser"


@pytest.fixture
def start_events(site, settings, watch, start_process):
    """Starts an events process on the port that the site names; may be called again once that one is dead."""
    port = free_port()
    settings.EVENTS_URL = f"http://127.0.0.1:{port}"
    policy = settings.CONTENT_SECURITY_POLICY
    directives = {**policy["DIRECTIVES"], "connect-src": [*policy["DIRECTIVES"]["connect-src"], settings.EVENTS_URL]}
    settings.CONTENT_SECURITY_POLICY = {**policy, "DIRECTIVES": directives}
    watch.hosts.add(f"127.0.0.1:{port}")

    def start():
        process = start_process("-m", "config.processes", "events", EVENTS_PORT=str(port), PUBLIC_URL=site)
        wait_until(lambda: _ready(settings.EVENTS_URL), what="a ready events process")
        return process

    return start


def _ready(url):
    try:
        return requests.get(f"{url}/readyz/", timeout=2).ok
    except requests.RequestException:
        return False


@pytest.fixture
def events(start_events):
    return start_events()


@pytest.fixture
def people():
    return [UserFactory(username=name) for name in ("ada", "bob", "eve")]


@pytest.fixture
def ada(people):
    return people[0]


@pytest.fixture
def bob(people):
    return people[1]


def picture(page, name):
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"messager-{name}.png")


def online(page, name):
    return page.get_by_role("region", name=re.compile("Online now")).get_by_role("button", name=name)


def conversation(page, name):
    return page.get_by_role("list", name="Conversations").get_by_role("button", name=re.compile(rf"^{name}\b"))


def write(page, text):
    page.get_by_label(re.compile("^Your message to")).fill(text)
    page.keyboard.press("Enter")


def log(page):
    return page.get_by_role("log")


def texts(page):
    return log(page).locator(".text").all_inner_texts()


def say(sender, to, *bodies):
    return [services.send_message(sender=sender, body=body, usercodes=[to.usercode])[0] for body in bodies]


def test_three_people_in_three_browsers(events, worker, browse, people):
    ada, bob, eve = (browse("/messager/", user=user) for user in people)
    for page, others in ((ada, ("bob", "eve")), (bob, ("ada", "eve")), (eve, ("ada", "bob"))):
        for other in others:
            expect(online(page, other)).to_be_visible()

    conversation(ada, "Everyone online").click()
    write(ada, "Good morning, everybody")
    expect(log(ada)).to_contain_text("to 2 people")
    for page in (bob, eve):
        expect(conversation(page, "ada")).to_contain_text("Good morning, everybody")
        expect(conversation(page, "ada")).to_contain_text("1 unread message")
        conversation(page, "Everyone online").click()
        expect(log(page)).to_contain_text("Good morning, everybody")
        expect(conversation(page, "ada")).not_to_contain_text("unread")

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
    picture(ada, "ada")
    picture(bob, "bob")

    again = browse(None, user=people[1])
    bob.context.close()
    again.goto("/messager/")
    conversation(again, "ada").click()
    expect(log(again)).to_contain_text("Thank you")
    assert texts(again) == ["Good morning, everybody", "Only for you", "Thank you"]


def test_the_sign_in_survives_the_browser(events, browse, browser, site, watch, people):
    page = browse("/messager/")
    assert "/login/" in page.url
    page.get_by_label(re.compile("e-mail|username", re.IGNORECASE)).first.fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Conversations").wait_for()
    kept = page.context.storage_state()
    assert all(cookie["expires"] > 0 for cookie in kept["cookies"] if cookie["name"] == "sessionid")
    page.context.close()
    page = browse("/messager/", storage_state=kept)
    page.get_by_role("heading", name="Conversations").wait_for()


def test_history_loads_in_pages_as_one_scrolls_up(events, browse, ada, bob):
    say(ada, bob, *(f"message {n}" for n in range(130)))
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(log(page)).to_contain_text("message 129")
    assert len(texts(page)) == 50
    box = page.locator("#log-box")
    for expected in (100, 130):
        box.evaluate("box => box.scrollTop = 0")
        expect(log(page).locator(".text")).to_have_count(expected)
    assert texts(page) == [f"message {n}" for n in range(130)]
    assert box.evaluate("box => box.scrollTop") > 500, "the place was kept"
    box.evaluate("box => box.scrollTop = 0")
    expect(page.get_by_text("This is where it begins.")).to_be_visible()
    say(ada, bob, "newest")
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


def test_a_long_history_scrolls_in_its_own_box(events, browse, ada, bob):
    say(bob, ada, *("A line of some length, to fill the window. " * 5 for _ in range(40)))
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    expect(log(page).get_by_role("listitem").last).to_be_visible()
    assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")


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


def test_html_in_a_message_is_shown_as_text(events, browse, ada, bob):
    say(ada, bob, *XSS)
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    expect(log(page).locator(".text")).to_have_count(len(XSS))
    assert texts(page) == XSS
    assert log(page).locator("script, img, svg[onload], iframe, a, style, form").count() == 0
    assert page.title().endswith("Messages · Atrium")
    expect(conversation(page, "ada")).to_contain_text("&lt;script&gt;")
    picture(page, "html-as-text")


def test_what_is_written_offline_is_sent_once_afterwards(events, browse, watch, ada, bob):
    watch.allow("ERR_INTERNET_DISCONNECTED")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    write(page, "before")
    expect(log(page).get_by_title("Sent")).to_have_count(1)
    page.context.set_offline(True)
    write(page, "in the tunnel")
    write(page, "still in it")
    expect(page.locator("#banner")).to_contain_text("No connection")
    picture(page, "offline")
    page.context.set_offline(False)
    expect(log(page).get_by_title("Sent")).to_have_count(3)
    expect(page.locator("#banner")).to_be_hidden()
    assert [m.body for m in Message.objects.order_by("pk")] == ["before", "in the tunnel", "still in it"]


def test_an_answer_that_is_lost_makes_no_second_message(events, browse, watch, ada, bob):
    watch.allow("ERR_FAILED|ERR_CONNECTION")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    lost = []

    def lose_the_first_answer(route):
        if lost or route.request.method != "POST":
            return route.continue_()
        route.fetch()  # the server does its work
        lost.append(route.request.headers["idempotency-key"])
        return route.abort()

    page.route("**/api/v1/messages/", lose_the_first_answer)
    write(page, "once")
    expect(log(page).get_by_title("Sent")).to_have_count(1)
    assert lost
    assert texts(page) == ["once"]
    assert Message.objects.count() == 1


def test_what_was_not_sent_survives_a_reload(events, browse, watch, ada, bob):
    watch.allow("ERR_FAILED|ERR_CONNECTION")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    page.route("**/api/v1/messages/", lambda route: route.abort())
    write(page, "hold on")
    expect(log(page)).to_contain_text("hold on")
    page.unroute_all()
    page.reload()
    expect(log(page).get_by_title("Sent")).to_have_count(1)
    assert texts(page) == ["hold on"]
    assert Message.objects.count() == 1


def test_a_broadcast_to_nobody_says_so_and_can_be_sent_later(events, browse, watch, ada, bob):
    watch.allow("status of 409")
    page = browse("/messager/#everyone", user=ada)
    page.get_by_label("Your message to everyone online").wait_for()
    write(page, "Anybody?")
    expect(log(page).get_by_role("alert")).to_contain_text("Nobody else is online.")
    picture(page, "nobody")
    other = browse("/messager/", user=bob)
    expect(online(page, "bob")).to_be_visible()
    page.get_by_role("button", name="Send again").click()
    expect(log(page)).to_contain_text("to 1 person")
    other.close()


def test_what_is_written_signed_out_is_sent_after_signing_in(events, browse, watch, ada, bob):
    watch.allow("status of 401")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    page.context.clear_cookies()
    write(page, "Still here?")
    expect(page.locator("#banner")).to_contain_text("You are signed out.")
    picture(page, "signed-out")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address or username").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(conversation(page, "bob")).to_contain_text("Still here?")
    assert Message.objects.get().body == "Still here?"


def test_what_one_wrote_is_not_sent_by_who_signs_in_next(events, browse, watch, site, people):
    ada, bob, eve = people
    watch.allow("status of 401|EventSource")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    page.context.clear_cookies()
    write(page, "From ada alone")
    expect(page.locator("#banner")).to_contain_text("You are signed out.")
    client = Client()
    client.force_login(eve, backend=BACKEND)
    client.get("/messager/")  # which brings the CSRF cookie
    page.context.add_cookies([{"name": each.key, "value": each.value, "url": site} for each in client.cookies.values()])
    sessions.end_sessions(UserSession.objects.filter(user=ada))
    expect(page.locator("main")).to_have_attribute("data-username", "eve", timeout=20_000)
    expect(page.get_by_label("Your message to bob")).to_be_visible()
    assert not Message.objects.exists()


def test_a_session_that_ended_is_not_called_a_lost_connection(events, browse, watch, ada):
    watch.allow("status of 401|EventSource")
    page = browse("/messager/", user=ada)
    expect(page.get_by_text("Nobody else is here at the moment.")).to_be_visible()
    tries = []
    page.on("request", lambda request: tries.append(request.url) if "/api/v1/events/" in request.url else None)
    page.evaluate(
        """() => {
          const banner = document.getElementById("banner");
          window.said = [];
          new MutationObserver(() => said.push(banner.textContent)).observe(banner, { childList: true });
        }"""
    )
    sessions.end_sessions(UserSession.objects.filter(user=ada))
    expect(page.locator("#banner")).to_contain_text("You are signed out.")
    wait_until(lambda: page.evaluate("1") and len(tries) > 3, what="some attempts to listen again")
    assert not [words for words in page.evaluate("said") if "No connection" in words]


def test_the_events_process_may_die(start_events, browse, watch, ada, bob):
    watch.allow("ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|EventSource")
    process = start_events()
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    say(ada, bob, "one")
    expect(log(page)).to_contain_text("one")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    expect(page.locator("#banner")).to_be_visible()
    say(ada, bob, "two")
    start_events()
    expect(log(page)).to_contain_text("two", timeout=20_000)
    expect(page.locator("#banner")).to_be_hidden()
    say(ada, bob, "three")
    expect(log(page)).to_contain_text("three")
    assert texts(page) == ["one", "two", "three"]


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


def choose(page, name):
    page.get_by_role("dialog").get_by_role("checkbox", name=name).check()


def test_a_message_to_several_is_in_each_conversation(events, browse, people):
    ada, bob, eve = (browse("/messager/", user=user) for user in people)
    for name in ("bob", "eve"):
        expect(online(ada, name)).to_be_visible()
    online(ada, "bob").click()
    ada.get_by_role("button", name="Write to several people").click()
    for name in ("bob", "eve"):
        choose(ada, name)
    expect(ada.get_by_text("2 people are chosen.")).to_be_visible()
    ada.get_by_label("Message", exact=True).fill("To the two of you")
    ada.get_by_role("button", name="Send").last.click()
    expect(ada.get_by_text("Sent to bob, eve.")).to_be_visible()
    expect(log(ada)).to_contain_text("to 2 people: bob, eve")
    for page in (bob, eve):
        conversation(page, "ada").click()
        expect(log(page)).to_contain_text("to 2 people")
        assert texts(page) == ["To the two of you"]
    expect(log(ada).get_by_title("Read", exact=True)).to_be_visible()
    conversation(ada, "eve").click()
    expect(ada.get_by_role("heading", name="eve")).to_be_visible()
    expect(log(ada).locator(".text")).to_have_text(["To the two of you"])
    assert Message.objects.count() == 1


def test_several_are_chosen_by_keyboard_and_code(events, browse, watch, ada, bob, people):
    watch.allow("status of 404")
    say(ada, bob, "Hello")
    page = browse("/messager/", user=ada)
    expect(conversation(page, "bob")).to_be_visible()
    page.get_by_role("button", name="Write to several people").press("Enter")
    dialog = page.get_by_role("dialog", name="Write to several people")
    expect(dialog.get_by_label("To", exact=True)).to_be_focused()
    page.keyboard.type("zzzzzz")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Nobody has the code ZZZZZZ.")
    dialog.get_by_label("To", exact=True).fill(people[2].usercode.lower())
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("checkbox", name="eve")).to_be_checked()
    dialog.get_by_role("checkbox", name="bob").focus()
    page.keyboard.press("Space")
    expect(dialog.get_by_role("checkbox", name="bob")).to_be_focused()
    expect(dialog.get_by_role("status")).to_have_text("2 people are chosen.")
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_role("alert")).to_have_text("Write something first.")
    expect(dialog.get_by_label("Message", exact=True)).to_be_focused()
    page.keyboard.type("<b>Both</b>")
    dialog.get_by_role("button", name="Send").press("Enter")
    expect(conversation(page, "eve")).to_contain_text("<b>Both</b>")
    expect(dialog).to_be_hidden()
    page.get_by_role("button", name="Write to several people").click()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_what_is_written_to_several_without_a_connection_is_sent_afterwards(events, browse, watch, ada, bob, people):
    watch.allow("ERR_INTERNET_DISCONNECTED")
    say(ada, bob, "Hello")
    say(ada, people[2], "Hello")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    page.context.set_offline(True)
    page.get_by_role("button", name="Write to several people").click()
    for name in ("bob", "eve"):
        choose(page, name)
    page.get_by_label("Message", exact=True).fill("in the tunnel")
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(log(page)).to_contain_text("in the tunnel")
    assert Message.objects.count() == 2
    page.context.set_offline(False)
    expect(page.get_by_text("Sent to bob, eve.")).to_be_visible(timeout=20_000)
    assert texts(page) == ["Hello", "in the tunnel"]
    assert Message.objects.count() == 3


def test_what_deleted_accounts_wrote_can_be_read_and_not_answered(events, browse, ada, bob, people):
    say(bob, ada, "I am leaving", "Farewell")
    say(people[2], ada, "I stay")
    bob.delete()
    page = browse("/messager/", user=ada, width=390, height=740)
    expect(conversation(page, "Deleted accounts")).to_contain_text("2 unread messages")
    picture(page, "deleted-accounts-list")
    conversation(page, "Deleted accounts").click()
    expect(log(page)).to_contain_text("A deleted account")
    assert texts(page) == ["I am leaving", "Farewell"]
    expect(page.get_by_role("button", name="Send")).to_be_hidden()
    expect(page.get_by_role("button", name="Block")).to_be_hidden()
    picture(page, "deleted-accounts")
    page.get_by_role("button", name="Back to the conversations").click()
    expect(conversation(page, "Deleted accounts")).not_to_contain_text("unread")
    expect(conversation(page, "eve")).to_contain_text("1 unread message")
    conversation(page, "eve").click()
    expect(page.get_by_label("Your message to eve")).to_be_visible()


def test_a_broadcast_read_before_its_rows_are_made_does_not_stay_unread(events, browse, ada, bob):
    page = browse("/messager/", user=bob)
    expect(online(page, "ada")).to_have_count(0)
    wait_until(lambda: bob.pk in presence.online_ids())
    services.send_broadcast(sender=ada, body="Already here")
    conversation(page, "Everyone online").click()
    expect(log(page)).to_contain_text("Already here")
    assert services.fan_out_broadcasts() == 1
    wait_until(lambda: MessageRecipient.objects.filter(recipient=bob, read_at__isnull=False).exists(), timeout=10)
    expect(conversation(page, "Everyone online")).not_to_contain_text("unread")


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


def held(page, address):
    """The requests to ``address`` from now on, each with the server's answer, which the page has yet to get."""
    requests = []
    page.route(address, lambda route: requests.append((route, route.fetch())))
    return requests


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


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_dialog_fits_the_window(events, browse, ada, bob, width, dark):
    say(ada, bob, "Hello")
    for n in range(12):
        say(ada, UserFactory(username=f"guest{n}"), "Hello")
    page = browse("/messager/", user=ada, width=width, height=740, dark=dark)
    page.get_by_role("button", name="Write to several people").click()
    for name in ("bob", "guest7"):
        choose(page, name)
    page.get_by_label("Message", exact=True).fill("Lunch at one?")
    expect(page.get_by_role("dialog").get_by_role("button", name="Send")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    picture(page, f"several-{width}-{'dark' if dark else 'light'}")
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(conversation(page, "guest7")).to_contain_text("Lunch at one?")
    conversation(page, "bob").click()
    expect(log(page)).to_contain_text("to 2 people")
    picture(page, f"several-{width}-{'dark' if dark else 'light'}-sent")


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
