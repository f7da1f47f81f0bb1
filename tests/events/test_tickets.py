"""Tickets, long polls and the other addresses of the events process."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
import time_machine
from django.conf import settings as django_settings
from django.core import signing
from django.utils import timezone

from accounts import personal_tokens, tokens
from accounts.models import PersonalToken, User
from config.realtime import tickets

from ..conftest import Client
from ..messaging.people import Person
from ..waiting import wait_until
from .conftest import Listen, streams, ticket

EVENTS = "/api/v1/events/"


def test_a_ticket_opens_one_stream(bob: Person, listen: Listen) -> None:
    url = ticket(bob)
    assert requests.get(url, stream=True, timeout=5).status_code == 200
    answer = requests.get(url, stream=True, timeout=5)
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["code"] == "invalid_ticket"


def test_a_ticket_expires(bob: Person) -> None:
    with time_machine.travel(timezone.now() - timedelta(seconds=tickets.SECONDS + 2)):
        url = ticket(Person(bob.user, Client().as_user(bob.user)))
    assert requests.get(url, timeout=5).status_code == 401


def test_a_ticket_of_an_ended_session_is_refused(events_url: str, api: Client, user: User) -> None:
    _, access, refresh = tokens.start_session(user=user)
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    url = ticket(Person(user, client))
    assert client.post("/api/v1/auth/logout/", {"refresh": refresh}, format="json").status_code == 204
    answer = requests.get(url, stream=True, timeout=5)
    assert answer.status_code == 401
    wait_until(lambda: streams(events_url) == 0, what="no stream: it is removed after the answer")
    assert requests.get(ticket(Person(user, Client().as_user(user)), wait=0), timeout=5).status_code == 200


def test_a_query_with_many_parameters_is_refused_as_an_invalid_ticket(events_url: str) -> None:
    assert requests.get(f"{events_url}/e/?{'a=1&' * 500}", timeout=5).status_code == 401


@pytest.mark.parametrize("query", ["ticket=atr_0123", "a=1&token=%61tr_0123&ticket=x"])
def test_a_token_in_the_url_is_refused(events_url: str, query: str) -> None:
    answer = requests.get(f"{events_url}/e/?{query}", timeout=5)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "token_in_url")


@pytest.mark.parametrize("text", ["", "x", "a:b:c", "%00", "é", "x" * 5000])
def test_an_invalid_ticket_is_refused(events_url: str, text: str) -> None:
    assert requests.get(f"{events_url}/e/", params={"ticket": text}, timeout=5).status_code == 401


def test_a_text_signed_for_another_purpose_is_refused(events_url: str) -> None:
    answer = requests.get(f"{events_url}/e/", params={"ticket": signing.dumps([1, "", "", None, "", "n"])}, timeout=5)
    assert answer.status_code == 401


def test_a_stream_requires_a_signed_in_user(events_url: str, api: Client) -> None:
    assert api.get(EVENTS).status_code == 401


def test_without_an_events_process_the_answer_is_503(signed_in: Client, settings: Any) -> None:
    settings.EVENTS_URL = ""
    answer = signed_in.get(EVENTS)
    assert answer.status_code == 503
    assert answer["Retry-After"]


def test_a_long_poll_is_answered_when_an_event_comes(ada: Person, bob: Person) -> None:
    first = requests.get(ticket(bob, wait=0), timeout=5).json()
    assert first["events"] == []
    ada.send("Hello", bob)
    second = requests.get(ticket(bob, wait=25, last_event_id=first["last_event_id"]), timeout=5).json()
    assert [(each["type"], each["data"]["body"]) for each in second["events"]] == [("message", "Hello")]
    assert second["last_event_id"] == second["events"][0]["id"]
    third = requests.get(ticket(bob, wait=0, last_event_id=second["last_event_id"]), timeout=5).json()
    assert third == {"events": [], "last_event_id": second["last_event_id"]}


def test_a_waiting_long_poll_is_answered_at_once(ada: Person, bob: Person, events_url: str) -> None:
    url = ticket(bob, wait=25)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(requests.get, url, timeout=30)
        wait_until(lambda: streams(events_url) == 1)
        ada.send("Hello again", bob)
        answer = waiting.result(10).json()
    assert [each["data"]["body"] for each in answer["events"]] == ["Hello again"]


def test_a_long_poll_with_an_unknown_position_gets_a_resync(bob: Person) -> None:
    answer = requests.get(ticket(bob, wait=25, last_event_id="1-1-gone"), timeout=5).json()
    assert [each["type"] for each in answer["events"]] == ["resync"]


@pytest.mark.parametrize("wait", ["x", "-1", "1" * 30])
def test_an_invalid_wait_is_refused(bob: Person, wait: str) -> None:
    assert bob.client.get(EVENTS, {"wait": wait}).status_code == 400


# --- Other origins ----------------------------------------------------------------------------------------------------


def test_only_pages_of_this_site_may_read_a_stream(bob: Person, listen: Listen) -> None:
    ours = listen(bob, Origin="http://testserver")
    assert ours.response.headers["Access-Control-Allow-Origin"] == "http://testserver"
    theirs = listen(bob, Origin="http://evil.example")
    assert "Access-Control-Allow-Origin" not in theirs.response.headers


def test_the_redirect_names_no_host_if_the_front_process_serves_the_streams(signed_in: Client, settings: Any) -> None:
    settings.EVENTS_URL = settings.PUBLIC_URL
    assert signed_in.get(EVENTS)["Location"].startswith("/e/?ticket=")


def test_a_preflight_allows_every_header_that_the_api_allows(events_url: str) -> None:
    headers = {"Origin": "http://testserver", "Access-Control-Request-Method": "GET"}
    answer = requests.options(f"{events_url}/e/", headers=headers, timeout=5)
    assert answer.headers["Access-Control-Allow-Headers"].split(", ") == django_settings.CORS_ALLOW_HEADERS


def test_the_addresses_of_the_events_process(events_url: str) -> None:
    assert django_settings.PUBLIC_URL == "http://testserver"
    assert requests.get(f"{events_url}/healthz/", timeout=5).json()["status"] == "ok"
    assert requests.get(f"{events_url}/anything", timeout=5).status_code == 404
    assert requests.post(f"{events_url}/e/", timeout=5).status_code == 405
    assert requests.options(f"{events_url}/e/", headers={"Origin": "http://testserver"}, timeout=5).status_code == 204


def with_token(user: User, *scopes: str, **fields: Any) -> tuple[Person, PersonalToken]:
    """A person who uses a personal access token, and the row of the token."""
    raw = personal_tokens.new_token()
    row = PersonalToken.objects.create(
        user=user, scopes=list(scopes), prefix="atr_", token_hash=personal_tokens.hash_token(raw), **fields
    )
    client = Client()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {raw}")
    return Person(user, client), row


def test_a_stream_of_a_token_carries_only_what_its_scopes_read(ada: Person, bob: Person, listen: Listen) -> None:
    notes_only = listen(with_token(bob.user, "notes:read")[0])
    messages_too = listen(with_token(bob.user, "notes:read", "messages:write")[0])
    ada.send("hello", bob)
    note = ada.client.post("/api/v1/notes/", {"title": "a"}).json()
    ada.client.post(f"/api/v1/notes/{note['id']}/collaborators/", {"usercode": bob.code, "role": "viewer"})
    messages_too.wait_for(lambda: messages_too.of("message") and messages_too.of("note"))
    notes_only.wait_for(lambda: notes_only.of("note"))
    assert {event.kind for event in notes_only.events} <= {"ready", "note", "resync"}


def test_a_stream_closes_when_its_token_is_revoked(bob: Person, listen: Listen) -> None:
    person, row = with_token(bob.user, "messages:read")
    stream = listen(person)
    assert bob.client.delete(f"/api/v1/auth/tokens/{row.pk}/").status_code == 204
    assert stream.ended.wait(60)


def test_a_stream_closes_when_its_token_expires(bob: Person, listen: Listen) -> None:
    person, _ = with_token(bob.user, "messages:read", expires_at=timezone.now() + timedelta(seconds=2))
    assert listen(person).ended.wait(60)
