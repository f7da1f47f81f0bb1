"""What the chat page does without a connection, an answer or a session: nothing written is lost or sent twice."""

import os
import signal

import pytest
from django.test import Client
from playwright.sync_api import expect

from accounts.models import UserSession
from accounts.services import sessions
from messaging.models import Message
from tests.factories import PASSWORD
from tests.waiting import wait_until

from ..conftest import BACKEND
from .steps import conversation, log, online, picture, say, texts, write

pytestmark = pytest.mark.django_db(transaction=True)


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
