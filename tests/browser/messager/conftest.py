"""The chat page with a real events process, and three people."""

import pytest
import requests

from tests.conftest import free_port
from tests.factories import UserFactory
from tests.waiting import wait_until


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
