"""Every process and server killed under the traffic of people who write to each other.

What was acknowledged is in every recipient's history, once; and the streams hear of it without a hand laid on anything.
"""

import http.client
import itertools
import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from ..events.streams import Event, Listener
from ..waiting import wait_until
from .house import House

pytestmark = pytest.mark.timeout(240)

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
    def __init__(self, house: House, usercode: str, access: str) -> None:
        self.house, self.usercode = house, usercode
        self.headers = {"Authorization": f"Bearer {access}"}

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        headers = {**self.headers, **options.pop("headers", {})}
        return requests.request(method, f"{self.house.url}/api/v1/{path}", headers=headers, timeout=20, **options)

    def send(self, body: str, **target: Any) -> dict[str, Any]:
        """Send as a good client does: with one key, again and again until there is an answer; returns the message."""
        key = str(uuid.uuid4())
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = self.ask("POST", "messages/", json={"body": body, **target}, headers={"Idempotency-Key": key})
            except requests.RequestException:
                time.sleep(0.1)
                continue
            if answer.status_code == 201:
                return answer.json()
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
            time.sleep(0.1)
        raise AssertionError(f"{body} was not taken")

    def history(self, after: int = 0) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while True:
            answer = self.ask("GET", "messages/", params={"after": after, "page_size": 200})
            assert answer.status_code == 200, answer.text
            page = answer.json()["results"]
            if not page:
                return messages
            messages += page
            after = page[-1]["id"]

    def bodies(self) -> list[str]:
        return [message["body"] for message in self.history()]

    def beat(self) -> None:
        assert self.ask("POST", "presence/").status_code == 200

    def listen(self, last_event_id: str = "") -> Listener:
        answer = self.ask("GET", "events/", params={"last_event_id": last_event_id}, allow_redirects=False)
        assert answer.status_code == 307, answer.text
        return Listener(answer.headers["Location"])


def move_in(house: House, count: int) -> list[Person]:
    said = house.manage("shell", "--no-imports", "--command", TOKENS.replace("COUNT", f'"{count}"'))
    return [Person(house, code, access) for code, access in json.loads(said.strip().splitlines()[-1])]


class Follower:
    """A good client of the events: comes back with the id it saw last, and fetches what it missed where told to."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.streamed: list[int] = []  # messages the stream has brought since the last resync
        self.known: set[int] = set()
        self.twice: set[int] = set()
        self.streams = self.resyncs = 0
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._follow, daemon=True)
        self.thread.start()
        wait_until(lambda: self.streams, what="a first stream")

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
            taken = 0
            while not self.stop.is_set() and (taken < len(stream.events) or not stream.ended.wait(0.02)):
                for event in stream.events[taken:]:
                    self._take(event)
                    taken, last_id = taken + 1, event.id
            stream.close()

    def _take(self, event: Event) -> None:
        if event.kind == "resync":
            self.resyncs += 1
            self.streamed.clear()
            self._fetch()
        elif event.kind == "message":
            if event.data["id"] in self.streamed:
                self.twice.add(event.data["id"])
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


def write_while(people: list[Person], disturb: Callable[[], None]) -> dict[int, set[str]]:
    """All write to all others, and now and then to everybody online, while ``disturb`` does its worst.

    Returns what was acknowledged: each message's id, and the usercodes of its sender and recipients.
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
        except BaseException as error:  # the thread's end is seen below
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


def everything_arrived_once(people: list[Person], acknowledged: dict[int, set[str]]) -> None:
    for person in people:
        history = [message["id"] for message in person.history()]
        assert len(history) == len(set(history)), "nothing twice"
        assert set(history) == {pk for pk, concerned in acknowledged.items() if person.usercode in concerned}


def test_every_process_and_server_killed_under_traffic(house):
    processes = {role: house.start(role) for role in ("web", "events", "worker", "beat")}
    people = move_in(house, 3)
    followers = [Follower(person) for person in people]
    resumed: list[list[int]] = []

    def streams():
        return sum(follower.streams for follower in followers)

    def disturb():
        for role in ("events", "worker", "valkey", "postgres", "web", "worker", "events"):
            time.sleep(0.5)  # traffic, not waiting
            before = streams()
            if role in processes:
                house.kill(processes[role])
                processes[role] = house.start(role)
            else:
                house.servers.kill(role)
                time.sleep(0.5)
                house.servers.revive(role)
            if role in ("events", "valkey"):
                wait_until(lambda n=before: streams() >= n + 3, what="every client back on its stream")
            if role == "events":
                resumed.append([follower.resyncs for follower in followers])

    try:
        acknowledged = write_while(people, disturb)
        assert len(acknowledged) >= 120
        assert any(len(concerned) == 3 for concerned in acknowledged.values())
        unfinished = "SELECT 1 FROM messaging_broadcastbatch WHERE done_at IS NULL"
        wait_until(lambda: not house.sql(unfinished), timeout=60, what="every broadcast fanned out")
        everything_arrived_once(people, acknowledged)
        bodies = house.sql("SELECT count(*), count(DISTINCT body) FROM messaging_message")
        assert bodies == [(len(acknowledged), len(acknowledged))], (
            "nothing sent twice, nothing that was not acknowledged"
        )
        for follower in followers:
            mine = {pk for pk, concerned in acknowledged.items() if follower.person.usercode in concerned}
            wait_until(lambda known=follower.known, all_=mine: known == all_, what="every message known to the client")
            assert not follower.twice
        assert resumed[0] == [0, 0, 0], "while Redis lives, streams are resumed whole"
    finally:
        for follower in followers:
            follower.close()


def test_a_worker_killed_in_a_broadcast_leaves_it_to_the_next(house):
    house.start("web")
    people = move_in(house, 4)
    for person in people:
        person.beat()
    # The fan-out stands still in its transaction until the worker is dead.
    gate = house.connect()
    with gate.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE messaging_messagerecipient IN EXCLUSIVE MODE")
    people[0].send("to everybody", broadcast=True)
    worker = house.start("worker")
    house.start("beat")
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%%messagerecipient%%'"
    wait_until(lambda: house.sql(waiting), timeout=60, what="a worker in the midst of the fan-out")
    house.kill(worker)
    gate.close()
    house.start("worker")
    wait_until(lambda: house.sql("SELECT 1 FROM messaging_broadcastbatch WHERE done_at IS NOT NULL"), timeout=60)
    assert house.sql("SELECT count(*), count(DISTINCT recipient_id) FROM messaging_messagerecipient") == [(3, 3)]
    for person in people:
        assert person.bodies() == ["to everybody"]


def test_streams_catch_up_after_redis_and_the_events_process_were_killed(house):
    house.start("web")
    events = house.start("events")
    house.start("worker")
    house.start("beat")
    ada, bob = move_in(house, 2)
    wait_until(lambda: listening(bob), what="a first stream")
    stream = bob.listen()
    ada.send("one", recipients=[bob.usercode])
    stream.wait_for(stream.bodies)

    # The events process dies: what comes meanwhile is there when the client is back.
    house.kill(events)
    assert stream.ended.wait(10)
    ada.send("two", recipients=[bob.usercode])
    house.start("events")
    wait_until(lambda: listening(bob), what="a stream after the restart")
    stream = bob.listen(stream.last_id)
    stream.wait_for(lambda: stream.bodies() == ["two"])

    # Redis dies, with what was written while it was away: the stream ends, and its successor says what to do.
    house.servers.kill("valkey")
    ada.send("three", recipients=[bob.usercode])
    assert stream.ended.wait(15)
    assert bob.ask("GET", "events/", allow_redirects=False).status_code == 503
    house.servers.revive("valkey")
    wait_until(lambda: listening(bob), what="a stream after Redis is back")
    stream = bob.listen(stream.last_id)
    assert stream.events[0].kind == "resync" or stream.bodies() == ["three"]
    assert bob.bodies() == ["one", "two", "three"]
    # The sweep brings what could not be told then, and what comes now is told at once.
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
