"""A real events process, and clients that keep a stream open."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from ..conftest import ROOT, Client, free_port
from ..messaging.conftest import ada, bob, eve, person
from ..messaging.people import Person
from ..waiting import wait_until
from .streams import Listener

__all__ = ["ada", "bob", "eve", "person"]

Listen = Callable[..., Listener]


@pytest.fixture(scope="package")
def events_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an events process on the tests' Redis. It needs no database; one process serves all tests."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("events") / "log"
    environment = {**os.environ, "EVENTS_PORT": str(port), "PUBLIC_URL": "http://testserver"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.ops.processes", "events"],
            cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def ready() -> bool:
        assert process.poll() is None, "the events process exited"
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
    """The address of the events process, as the web process has it in its settings."""
    settings.EVENTS_URL = events_process
    return events_process


@pytest.fixture
def api(events_url: str) -> Client:
    """A client that is not signed in, of a site with an events process; ``person`` and ``ada`` are clients like it."""
    return Client()


@pytest.fixture
def listen(events_url: str) -> Iterator[Listen]:
    """``listen(ada)`` opens a stream through the redirect of ``GET events/``."""
    opened: list[Listener] = []

    def open_stream(person: Person, *, last_event_id: str = "", **headers: str) -> Listener:
        listener = Listener(ticket(person, last_event_id=last_event_id), **headers)
        opened.append(listener)
        return listener

    yield open_stream
    for listener in opened:
        listener.close()


def ticket(person: Person, *, last_event_id: str = "", **query: Any) -> str:
    """The URL that the web process redirects ``person`` to."""
    extra = {"HTTP_LAST_EVENT_ID": last_event_id} if last_event_id else {}
    answer = person.client.get("/api/v1/events/", query, **extra)
    assert answer.status_code == 307, answer.content
    return answer["Location"]


def streams(events_url: str) -> int:
    """The number of streams that the process has open."""
    return health(events_url)["streams"]


def health(events_url: str) -> dict[str, Any]:
    return requests.get(f"{events_url}/healthz/", timeout=5).json()
