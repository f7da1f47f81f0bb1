from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
import time_machine
from django.conf import settings
from django.core import signing
from django.utils import timezone

from accounts import tokens
from config import tickets

from ..conftest import Client
from ..messaging.people import Person
from ..waiting import wait_until
from .conftest import streams, ticket

EVENTS = "/api/v1/events/"


def test_a_ticket_opens_one_stream(bob, listen):
    url = ticket(bob)
    assert requests.get(url, stream=True, timeout=5).status_code == 200
    answer = requests.get(url, stream=True, timeout=5)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "invalid_ticket"


def test_a_ticket_expires(bob):
    with time_machine.travel(timezone.now() - timedelta(seconds=tickets.SECONDS + 2)):
        url = ticket(Person(bob.user, Client().as_user(bob.user)))
    assert requests.get(url, timeout=5).status_code == 401


def test_a_ticket_of_a_session_that_has_ended_opens_nothing(events_url, api, user):
    _, access, refresh = tokens.start_session(user=user)
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    url = ticket(Person(user, client))
    assert client.post("/api/v1/auth/logout/", {"refresh": refresh}, format="json").status_code == 204
    answer = requests.get(url, stream=True, timeout=5)
    assert answer.status_code == 401
    assert streams(events_url) == 0
    assert requests.get(ticket(Person(user, Client().as_user(user)), wait=0), timeout=5).status_code == 200


def test_a_query_of_many_fields_is_a_bad_ticket_at_most(events_url):
    assert requests.get(f"{events_url}/e/?{'a=1&' * 500}", timeout=5).status_code == 401


@pytest.mark.parametrize("text", ["", "x", "a:b:c", "%00", "é", "x" * 5000])
def test_a_made_up_ticket_opens_nothing(events_url, text):
    assert requests.get(f"{events_url}/e/", params={"ticket": text}, timeout=5).status_code == 401


def test_a_ticket_of_the_same_key_for_something_else_opens_nothing(events_url):
    answer = requests.get(f"{events_url}/e/", params={"ticket": signing.dumps([1, "", "", None, "", "n"])}, timeout=5)
    assert answer.status_code == 401


def test_a_stream_takes_a_sign_in(events_url, api):
    assert api.get(EVENTS).status_code == 401


def test_where_no_events_process_is_set_up_it_says_so(signed_in, settings):
    settings.EVENTS_URL = ""
    answer = signed_in.get(EVENTS)
    assert answer.status_code == 503
    assert answer["Retry-After"]


def test_a_long_poll_is_answered_when_something_happens(ada, bob):
    first = requests.get(ticket(bob, wait=0), timeout=5).json()
    assert first["events"] == []
    ada.send("Hello", bob)
    second = requests.get(ticket(bob, wait=25, last_event_id=first["last_event_id"]), timeout=5).json()
    assert [(each["type"], each["data"]["body"]) for each in second["events"]] == [("message", "Hello")]
    assert second["last_event_id"] == second["events"][0]["id"]
    third = requests.get(ticket(bob, wait=0, last_event_id=second["last_event_id"]), timeout=5).json()
    assert third == {"events": [], "last_event_id": second["last_event_id"]}


def test_a_long_poll_wakes_up(ada, bob, events_url):
    url = ticket(bob, wait=25)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(requests.get, url, timeout=30)
        wait_until(lambda: streams(events_url) == 1)
        ada.send("Wake up", bob)
        answer = waiting.result(10).json()
    assert [each["data"]["body"] for each in answer["events"]] == ["Wake up"]


def test_a_long_poll_with_a_lost_position_is_told_to_fetch(bob):
    answer = requests.get(ticket(bob, wait=25, last_event_id="1-1-gone"), timeout=5).json()
    assert [each["type"] for each in answer["events"]] == ["resync"]


@pytest.mark.parametrize("wait", ["x", "-1", "1" * 30])
def test_a_wait_that_is_no_number_is_refused(bob, wait):
    assert bob.client.get(EVENTS, {"wait": wait}).status_code == 400


# --- Other origins ----------------------------------------------------------------------------------------------------


def test_pages_of_this_site_may_read_the_stream_and_others_may_not(bob, listen):
    ours = listen(bob, Origin="http://testserver")
    assert ours.response.headers["Access-Control-Allow-Origin"] == "http://testserver"
    theirs = listen(bob, Origin="http://evil.example")
    assert "Access-Control-Allow-Origin" not in theirs.response.headers


def test_the_events_process_knows_its_few_addresses(events_url):
    assert settings.PUBLIC_URL == "http://testserver"
    assert requests.get(f"{events_url}/healthz/", timeout=5).json()["status"] == "ok"
    assert requests.get(f"{events_url}/anything", timeout=5).status_code == 404
    assert requests.post(f"{events_url}/e/", timeout=5).status_code == 405
    assert requests.options(f"{events_url}/e/", headers={"Origin": "http://testserver"}, timeout=5).status_code == 204
