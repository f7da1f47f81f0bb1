"""Every process and server killed under the traffic of people who write to each other.

What was acknowledged is in every recipient's history, once; and the streams hear of it without a hand laid on anything.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests

from ..events.streams import Listener
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

    def send(self, body: str, **target: Any) -> int:
        """Send as a good client does: with one key, again and again until there is an answer."""
        key = str(uuid.uuid4())
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                answer = self.ask("POST", "messages/", json={"body": body, **target}, headers={"Idempotency-Key": key})
            except requests.RequestException:
                time.sleep(0.1)
                continue
            if answer.status_code == 201:
                return answer.json()["id"]
            assert answer.status_code == 503, answer.text
            assert int(answer.headers["Retry-After"]) > 0
            time.sleep(0.1)
        raise AssertionError(f"{body} was not taken")

    def history(self) -> list[str]:
        bodies, after = [], 0
        while True:
            page = self.ask("GET", "messages/", params={"after": after, "page_size": 200}).json()["results"]
            if not page:
                return bodies
            bodies += [message["body"] for message in page]
            after = page[-1]["id"]

    def beat(self) -> None:
        assert self.ask("POST", "presence/").status_code == 200

    def listen(self, last_event_id: str = "") -> Listener:
        answer = self.ask("GET", "events/", params={"last_event_id": last_event_id}, allow_redirects=False)
        assert answer.status_code == 307, answer.text
        return Listener(answer.headers["Location"])


def move_in(house: House, count: int) -> list[Person]:
    said = house.manage("shell", "--no-imports", "--command", TOKENS.replace("COUNT", f'"{count}"'))
    return [Person(house, code, access) for code, access in json.loads(said.strip().splitlines()[-1])]


def write_while(people: list[Person], disturb: Callable[[], None], each: int = 15) -> list[str]:
    """All write to all others while ``disturb`` does its worst; returns what was acknowledged."""
    acknowledged: list[str] = []
    failures: list[BaseException] = []

    def write(person: Person) -> None:
        others = [other.usercode for other in people if other is not person]
        try:
            for n in range(each):
                body = f"{person.usercode} {n}"
                person.send(body, recipients=others)
                acknowledged.append(body)
        except BaseException as error:  # the thread's end is seen below
            failures.append(error)

    threads = [threading.Thread(target=write, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    disturb()
    for thread in threads:
        thread.join()
    assert not failures, failures
    return acknowledged


def everything_arrived_once(people: list[Person], acknowledged: list[str]) -> None:
    for person in people:
        history = person.history()
        assert len(history) == len(set(history)), "nothing twice"
        assert set(history) == set(acknowledged), "nothing lost, nothing else"


def test_web_postgres_and_redis_killed_under_traffic(house):
    web = house.start("web")
    people = move_in(house, 3)

    def disturb():
        nonlocal web
        for server in ("valkey", "postgres"):
            time.sleep(0.5)  # traffic, not waiting
            house.servers.kill(server)
            time.sleep(0.5)
            house.servers.revive(server)
        time.sleep(0.5)
        house.kill(web)
        web = house.start("web")

    acknowledged = write_while(people, disturb, each=40)
    assert len(acknowledged) == 120
    everything_arrived_once(people, acknowledged)


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
    wait_until(lambda: house.sql("SELECT 1 FROM messaging_broadcast WHERE done_at IS NOT NULL"), timeout=60)
    assert house.sql("SELECT count(*), count(DISTINCT recipient_id) FROM messaging_messagerecipient") == [(3, 3)]
    for person in people:
        assert person.history() == ["to everybody"]


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
    assert bob.history() == ["one", "two", "three"]
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
