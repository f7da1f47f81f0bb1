"""The chat page without a connection, a response or a session: no message is lost or sent twice."""

import os
import signal
from collections.abc import Callable
from subprocess import Popen
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Route, expect

from accounts.models import User, UserSession
from accounts.services import sessions
from messaging.models import Message
from tests.factories import PASSWORD
from tests.waiting import wait_until

from ..conftest import BACKEND, Browse, Watch
from .steps import conversation, insert_messages, log, messages_in, online, screenshot, send, write

pytestmark = pytest.mark.django_db(transaction=True)


def test_messages_written_offline_are_sent_once_after_reconnecting(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    write(page, "before")
    expect(log(page).get_by_title("Sent")).to_have_count(1)
    page.context.set_offline(True)
    write(page, "in the tunnel")
    write(page, "still in it")
    expect(page.locator("#banner")).to_contain_text("No connection")
    screenshot(page, "offline")
    page.context.set_offline(False)
    expect(log(page).get_by_title("Sent")).to_have_count(3)
    expect(page.locator("#banner")).to_be_hidden()
    assert [m.body for m in Message.objects.order_by("pk")] == ["before", "in the tunnel", "still in it"]


def test_a_text_survives_a_reload_and_an_outage_while_it_is_typed(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    his = browse(f"/messager/#{ada.usercode}", user=bob)
    hers = browse(f"/messager/#{bob.usercode}", user=ada)
    field = hers.get_by_label("Your message to bob")
    field.press_sequentially("Half of it")
    hers.reload()
    expect(field).to_have_value("Half of it")
    hers.context.set_offline(True)
    field.press("End")
    field.press_sequentially(", and the rest")
    field.press("Enter")
    expect(hers.locator("#banner")).to_contain_text("No connection")
    expect(field).to_have_value("")
    hers.context.set_offline(False)
    expect(log(his)).to_contain_text("Half of it, and the rest")
    expect(hers.locator("#banner")).to_be_hidden()
    hers.reload()
    expect(log(hers)).to_contain_text("Half of it, and the rest")
    expect(field).to_have_value("")


def test_a_thread_opened_offline_loads_after_reconnecting(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    send(bob, ada, "Are you there?")
    page = browse("/messager/", user=ada)
    expect(conversation(page, "bob")).to_be_visible()
    page.context.set_offline(True)
    conversation(page, "bob").click()
    expect(log(page).get_by_role("alert")).to_contain_text("could not be loaded")
    page.context.set_offline(False)
    expect(messages_in(page)).to_have_text(["Are you there?"])
    expect(log(page).get_by_role("alert")).to_be_hidden()


def test_the_address_of_a_stranger_opened_offline_loads_after_reconnecting(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    page = browse("/messager/", user=ada)
    expect(page.get_by_text("Nobody else is online.")).to_be_visible()
    page.context.set_offline(True)
    page.evaluate(f"location.hash = {bob.usercode!r}")
    page.context.set_offline(False)
    expect(page.get_by_label("Your message to bob")).to_be_visible()


def test_older_messages_load_after_reconnecting(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_INTERNET_DISCONNECTED")
    insert_messages(ada, bob, 60)
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    expect(log(page)).to_contain_text("message 59")
    page.context.set_offline(True)
    log(page).evaluate("box => box.scrollTop = 0")
    expect(log(page).get_by_role("alert")).to_contain_text("could not be loaded")
    page.context.set_offline(False)
    expect(messages_in(page)).to_have_count(60)


def test_a_lost_response_does_not_create_a_second_message(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_FAILED|ERR_CONNECTION")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    lost: list[Any] = []

    def lose_the_first_response(route: Route) -> None:
        if lost or route.request.method != "POST":
            route.continue_()
            return
        route.fetch()  # the server stores the message
        lost.append(route.request.headers["idempotency-key"])
        route.abort()

    page.route("**/api/v1/messages/", lose_the_first_response)
    write(page, "once")
    # The event may show the message before the page notices the lost response.
    wait_until(lambda: page.evaluate("true") and lost, what="the lost response")
    expect(log(page).get_by_title("Sent")).to_have_count(1)
    wait_until(lambda: page.evaluate("localStorage.length") == 0, what="the message to leave the outbox")
    expect(messages_in(page)).to_have_text(["once"])
    assert Message.objects.count() == 1


def test_an_unsent_message_survives_a_reload(events: Popen, browse: Browse, watch: Watch, ada: User, bob: User) -> None:
    watch.allow("ERR_FAILED|ERR_CONNECTION")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    page.route("**/api/v1/messages/", lambda route: route.abort())
    write(page, "hold on")
    expect(log(page)).to_contain_text("hold on")
    page.unroute_all()
    page.reload()
    expect(log(page).get_by_title("Sent")).to_have_count(1)
    expect(messages_in(page)).to_have_text(["hold on"])
    assert Message.objects.count() == 1


def test_a_broadcast_to_nobody_shows_an_error_and_can_be_retried(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("status of 409")
    page = browse("/messager/#everyone", user=ada)
    page.get_by_label("Your message to everyone online").wait_for()
    write(page, "Anybody?")
    expect(log(page).get_by_role("alert")).to_contain_text("Nobody else is online.")
    screenshot(page, "nobody")
    other = browse("/messager/", user=bob)
    expect(online(page, "bob")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    expect(log(page)).to_contain_text("to 1 person")
    other.close()


def test_messages_written_signed_out_are_sent_after_signing_in(
    events: Popen, browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("status of 401")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    page.context.clear_cookies()
    write(page, "Still here?")
    expect(page.locator("#banner")).to_contain_text("You are signed out.")
    screenshot(page, "signed-out")
    page.get_by_role("link", name="Sign in").click()
    page.get_by_label("E-mail address or username").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(conversation(page, "bob")).to_contain_text("Still here?")
    assert Message.objects.get().body == "Still here?"


def test_unsent_messages_are_not_sent_by_the_next_user(
    events: Popen, browse: Browse, watch: Watch, site: str, people: list[User]
) -> None:
    ada, bob, eve = people
    watch.allow("status of 401|EventSource")
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    page.get_by_label("Your message to bob").wait_for()
    page.context.clear_cookies()
    write(page, "From ada alone")
    expect(page.locator("#banner")).to_contain_text("You are signed out.")
    client = Client()
    client.force_login(eve, backend=BACKEND)
    client.get("/messager/")  # sets the CSRF cookie
    page.context.add_cookies([{"name": each.key, "value": each.value, "url": site} for each in client.cookies.values()])
    sessions.end_sessions(UserSession.objects.filter(user=ada))
    expect(page.locator("main")).to_have_attribute("data-username", "eve", timeout=20_000)
    expect(page.get_by_label("Your message to bob")).to_be_visible()
    assert not Message.objects.exists()


def test_an_ended_session_is_not_shown_as_a_lost_connection(
    events: Popen, browse: Browse, watch: Watch, ada: User
) -> None:
    watch.allow("status of 401|EventSource")
    page = browse("/messager/", user=ada)
    expect(page.get_by_text("Nobody else is online.")).to_be_visible()
    attempts = []
    page.on("request", lambda request: attempts.append(request.url) if "/api/v1/events/" in request.url else None)
    page.evaluate(
        """() => {
          const banner = document.getElementById("banner");
          window.texts = [];
          new MutationObserver(() => texts.push(banner.textContent)).observe(banner, { childList: true });
        }"""
    )
    sessions.end_sessions(UserSession.objects.filter(user=ada))
    expect(page.locator("#banner")).to_contain_text("You are signed out.")
    wait_until(lambda: page.evaluate("1") and len(attempts) > 3, what="several attempts to reconnect")
    assert not [text for text in page.evaluate("texts") if "No connection" in text]


def test_the_page_recovers_from_a_killed_events_process(
    start_events: Callable[[], Popen], browse: Browse, watch: Watch, ada: User, bob: User
) -> None:
    watch.allow("ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|EventSource")
    process = start_events()
    page = browse(f"/messager/#{ada.usercode}", user=bob)
    send(ada, bob, "one")
    expect(log(page)).to_contain_text("one")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    expect(page.locator("#banner")).to_be_visible()
    send(ada, bob, "two")
    start_events()
    expect(log(page)).to_contain_text("two", timeout=20_000)
    expect(page.locator("#banner")).to_be_hidden()
    send(ada, bob, "three")
    expect(log(page)).to_contain_text("three")
    expect(messages_in(page)).to_have_text(["one", "two", "three"])
