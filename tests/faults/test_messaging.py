"""Every process and server is killed while people write to each other.

Afterwards every acknowledged message is in each recipient's history once, and the streams receive it without manual
action.
"""

import http.client
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin

import pytest
import requests

from ..events.streams import Event, Listener
from ..waiting import wait_until
from .stack import Reachable, Stack

TOKENS = """
import json
from accounts import tokens
from accounts.models import User
people = User.objects.bulk_create(
    User(username=f"p{n}", email=f"p{n}@example.org", password="!", usercode=f"PPP{n:03}") for n in range(int(COUNT))
)
print(json.dumps([[each.usercode, tokens.start_session(user=each)[1]] for each in people]))
"""


class Person:
    def __init__(self, stack: Reachable, usercode: str, access: str) -> None:
        self.stack, self.usercode = stack, usercode
        self.headers = {"Authorization": f"Bearer {access}"}

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return requests.request(method, f"{self.stack.url}/api/v1/{path}", headers=headers, timeout=20, **options)

    def send(self, body: str, **target: Any) -> dict[str, Any]:
        """Send with one key and retry until there is a response, like a correct client; returns the message."""
        key = str(uuid.uuid4())
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                response = self.ask(
                    "POST", "messages/", json={"body": body, **target}, headers={"Idempotency-Key": key}
                )
            except requests.RequestException:
                time.sleep(0.1)
                continue
            if response.status_code == 201:
                return response.json()
            assert response.status_code == 503, response.text
            assert int(response.headers["Retry-After"]) > 0
            time.sleep(0.1)
        raise AssertionError(f"{body} was not accepted")

    def history(self, after: int = 0) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while True:
            response = self.ask("GET", "messages/", params={"after": after, "page_size": 200})
            assert response.status_code == 200, response.text
            page = response.json()["results"]
            if not page:
                return messages
            messages += page
            after = page[-1]["id"]

    def bodies(self) -> list[str]:
        return [message["body"] for message in self.history()]

    def heartbeat(self) -> None:
        assert self.ask("POST", "presence/").status_code == 200

    def listen(self, last_event_id: str = "") -> Listener:
        response = self.ask("GET", "events/", params={"last_event_id": last_event_id}, allow_redirects=False)
        assert response.status_code == 307, response.text
        return Listener(urljoin(self.stack.url, response.headers["Location"]))


def create_people(stack: Reachable, count: int) -> list[Person]:
    output = stack.manage("shell", "--no-imports", "--command", TOKENS.replace("COUNT", f'"{count}"'))
    return [Person(stack, code, access) for code, access in json.loads(output.strip().splitlines()[-1])]


class Follower:
    """A correct client of event streams: resumes after the last id, and fetches messages after ``resync``."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.streamed: list[int] = []  # messages received since the last resync
        self.known: set[int] = set()
        self.duplicates: set[int] = set()
        self.streams = self.resyncs = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()
        wait_until(lambda: self.streams, what="the first stream")

    def _follow(self) -> None:
        last_id = ""
        while not self.stop.is_set():
            try:
                stream = self.person.listen(last_id)
            except (AssertionError, OSError, http.client.HTTPException):
                stream = None
            if stream is None or stream.status != 200:
                self.stop.wait(0.1)
                continue
            self.streams += 1
            handled = 0
            while not self.stop.is_set() and (handled < len(stream.events) or not stream.ended.wait(0.02)):
                for event in stream.events[handled:]:
                    self._handle(event)
                    handled, last_id = handled + 1, event.id
            stream.close()

    def _handle(self, event: Event) -> None:
        if event.kind == "resync":
            self.resyncs += 1
            self.streamed.clear()
            self._fetch()
        elif event.kind == "message":
            if event.data["id"] in self.streamed:
                self.duplicates.add(event.data["id"])
            self.streamed.append(event.data["id"])
            self.known.add(event.data["id"])

    def _fetch(self) -> None:
        while not self.stop.is_set():
            try:
                self.known.update(message["id"] for message in self.person.history(max(self.known, default=0)))
                return
            except (AssertionError, requests.RequestException):
                self.stop.wait(0.1)

    def close(self) -> None:
        self.stop.set()
        self.thread.join(30)


def write_during(people: list[Person], disturb: Callable[[], None]) -> dict[int, set[str]]:
    """Have everybody write to all others, and sometimes to everybody online, while ``disturb`` runs.

    Returns the acknowledged messages: id -> usercodes of the sender and the recipients.
    """
    acknowledged: dict[int, set[str]] = {}
    failures: list[BaseException] = []
    disturbed = threading.Event()

    def write(person: Person) -> None:
        others = [other.usercode for other in people if other is not person]
        try:
            for n in itertools.count():
                if n >= 40 and disturbed.is_set():
                    return
                sent = person.send(
                    f"{person.usercode} {n}", **({"recipients": others} if n % 5 else {"broadcast": True})
                )
                acknowledged[sent["id"]] = {person.usercode, *(each["usercode"] for each in sent["recipients"])}
        except BaseException as error:  # raised in the main thread below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    try:
        disturb()
    finally:
        disturbed.set()
        for thread in threads:
            thread.join()
    assert not failures, failures
    return acknowledged


def assert_everything_arrived_once(people: list[Person], acknowledged: dict[int, set[str]]) -> None:
    for person in people:
        history = [message["id"] for message in person.history()]
        assert len(history) == len(set(history)), "no duplicates"
        assert set(history) == {pk for pk, concerned in acknowledged.items() if person.usercode in concerned}


def assert_followers_know_everything_once(followers: list[Follower], acknowledged: dict[int, set[str]]) -> None:
    for follower in followers:
        mine = {pk for pk, concerned in acknowledged.items() if follower.person.usercode in concerned}
        wait_until(lambda known=follower.known, all_=mine: known == all_, what="the client to know every message")
        assert not follower.duplicates


def test_no_message_is_lost_when_processes_and_servers_are_killed(stack: Stack) -> None:
    processes = {role: stack.start(role) for role in ("web", "events", "worker", "beat")}
    people = create_people(stack, 3)
    followers = [Follower(person) for person in people]
    resumed: list[list[int]] = []

    def streams() -> int:
        return sum(follower.streams for follower in followers)

    def disturb() -> None:
        for role in ("events", "worker", "valkey", "postgres", "web", "worker", "events"):
            time.sleep(0.5)  # let traffic pass between two kills
            before = streams()
            if role in processes:
                stack.kill(processes[role])
                processes[role] = stack.start(role)
            else:
                stack.servers.kill(role)
                time.sleep(0.5)
                stack.servers.restart(role)
            if role in ("events", "valkey"):
                wait_until(lambda n=before: streams() >= n + 3, what="every client to reconnect")
            if role == "events":
                resumed.append([follower.resyncs for follower in followers])

    try:
        acknowledged = write_during(people, disturb)
        assert len(acknowledged) >= 120
        assert any(len(concerned) == 3 for concerned in acknowledged.values())
        unfinished = "SELECT 1 FROM messaging_broadcastbatch WHERE done_at IS NULL"
        wait_until(lambda: not stack.sql(unfinished), timeout=60, what="the fan-out of every broadcast")
        assert_everything_arrived_once(people, acknowledged)
        bodies = stack.sql("SELECT count(*), count(DISTINCT body) FROM messaging_message")
        assert bodies == [(len(acknowledged), len(acknowledged))], "every message is stored once and was acknowledged"
        assert_followers_know_everything_once(followers, acknowledged)
        assert resumed[0] == [0, 0, 0], "streams resume without a gap while Redis is up"
    finally:
        for follower in followers:
            follower.close()


@pytest.mark.slow
def test_a_broadcast_survives_a_killed_worker(stack: Stack) -> None:
    stack.start("web")
    people = create_people(stack, 4)
    for person in people:
        person.heartbeat()
    # This lock blocks the fan-out inside its transaction until the worker is dead.
    blocker = stack.connect()
    with blocker.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE messaging_messagerecipient IN EXCLUSIVE MODE")
    people[0].send("to everybody", broadcast=True)
    worker = stack.start("worker")
    stack.start("beat")
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%messagerecipient%%'"
    wait_until(lambda: stack.sql(waiting), timeout=60, what="a worker inside the fan-out")
    stack.kill(worker)
    blocker.close()
    stack.start("worker")
    wait_until(lambda: stack.sql("SELECT 1 FROM messaging_broadcastbatch WHERE done_at IS NOT NULL"), timeout=60)
    assert stack.sql("SELECT count(*), count(DISTINCT recipient_id) FROM messaging_messagerecipient") == [(3, 3)]
    for person in people:
        assert person.bodies() == ["to everybody"]


@pytest.mark.slow
def test_streams_catch_up_after_redis_and_the_events_process_are_killed(stack: Stack) -> None:
    stack.start("web")
    events = stack.start("events")
    stack.start("worker")
    stack.start("beat")
    ada, bob = create_people(stack, 2)
    wait_until(lambda: listening(bob), what="the first stream")
    stream = bob.listen()
    ada.send("one", recipients=[bob.usercode])
    stream.wait_for(stream.bodies)

    # The events process dies. What was sent in the meantime arrives after reconnecting.
    stack.kill(events)
    assert stream.ended.wait(60)
    ada.send("two", recipients=[bob.usercode])
    stack.start("events")
    wait_until(lambda: listening(bob), what="a stream after the restart")
    stream = bob.listen(stream.last_id)
    stream.wait_for(lambda: stream.bodies() == ["two"])

    # Redis dies. The stream ends, and the next one starts with resync or delivers the message.
    stack.servers.kill("valkey")
    ada.send("three", recipients=[bob.usercode])
    assert stream.ended.wait(60)
    assert bob.ask("GET", "events/", allow_redirects=False).status_code == 503
    stack.servers.restart("valkey")
    wait_until(lambda: listening(bob), what="a stream after Redis is back")
    stream = bob.listen(stream.last_id)
    assert stream.events[0].kind == "resync" or stream.bodies() == ["three"]
    assert bob.bodies() == ["one", "two", "three"]
    # The sweep delivers the event that could not be sent, and new events arrive at once.
    ada.send("four", recipients=[bob.usercode])
    stream.wait_for(lambda: stream.bodies()[-1:] == ["four"])
    assert len(stream.bodies()) == len(set(stream.bodies()))


def listening(person: Person) -> bool:
    try:
        listener = person.listen()
    except (AssertionError, OSError):
        return False
    listener.close()
    return listener.status == 200
