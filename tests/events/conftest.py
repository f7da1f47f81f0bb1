"""A real events process, and clients that keep a stream open."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from ..conftest import ROOT, Client, free_port
from ..factories import UserFactory
from ..messaging.people import Person
from ..waiting import wait_until
from .streams import Listener


@pytest.fixture(scope="package")
def events_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an events process on the test's own Redis; it needs no database, and one serves all tests."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("events") / "log"
    environment = {**os.environ, "EVENTS_PORT": str(port), "PUBLIC_URL": "http://testserver"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.processes", "events"],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def ready() -> bool:
        assert process.poll() is None, "the events process ended by itself"
        try:
            return requests.get(f"{url}/readyz/", timeout=2).ok
        except requests.RequestException:
            return False

    wait_until(ready, what="a ready events process")
    yield url
    process.terminate()
    assert process.wait(15) == 0, log.read_text()
    assert "Traceback" not in log.read_text()


@pytest.fixture
def events_url(events_process: str, transactional_db: None, settings: Any) -> str:
    """The address of the events process, which the web process knows."""
    settings.EVENTS_URL = events_process
    return events_process


@pytest.fixture
def person(events_url: str) -> Callable[[str], Person]:
    """``person("ada")`` makes somebody of that name, and signs them in."""

    def make(username: str) -> Person:
        user = UserFactory(username=username)
        return Person(user, Client().as_user(user))

    return make


@pytest.fixture
def ada(person: Callable) -> Person:
    return person("ada")


@pytest.fixture
def bob(person: Callable) -> Person:
    return person("bob")


@pytest.fixture
def eve(person: Callable) -> Person:
    return person("eve")


@pytest.fixture
def listen(events_url: str) -> Iterator[Callable[..., Listener]]:
    """``listen(ada)`` opens a stream as the contract says: by the redirect, with the header where one is given."""
    opened: list[Listener] = []

    def open_stream(person: Person, *, last_event_id: str = "", **headers: str) -> Listener:
        listener = Listener(ticket(person, last_event_id=last_event_id), **headers)
        opened.append(listener)
        return listener

    yield open_stream
    for listener in opened:
        listener.close()


def ticket(person: Person, *, last_event_id: str = "", **query: Any) -> str:
    """Where the web process sends ``person`` on to."""
    extra = {"HTTP_LAST_EVENT_ID": last_event_id} if last_event_id else {}
    answer = person.client.get("/api/v1/events/", query, **extra)
    assert answer.status_code == 307, answer.content
    return answer["Location"]


def streams(events_url: str) -> int:
    """How many streams the process has open."""
    return health(events_url)["streams"]


def health(events_url: str) -> dict[str, Any]:
    return requests.get(f"{events_url}/healthz/", timeout=5).json()
