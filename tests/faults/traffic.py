"""Clients that work on a site while its hosts fail, and what they saw.

A client repeats a request that got no answer or 503, with its ``Idempotency-Key``, as docs/api-guide.md describes. It
waits for a quarter of a second instead of ``Retry-After``, so that the times are those of the site.
"""

import collections
import itertools
import json
import threading
import time
import uuid
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import requests

from ..conftest import Inbox
from ..waiting import wait_until
from .site import Site
from .test_messaging import Follower, Person

PEOPLE = """
import json
from datetime import timedelta
from rest_framework_simplejwt.tokens import AccessToken
AccessToken.lifetime = timedelta(hours=3)
from accounts import tokens
from accounts.models import User
people = User.objects.bulk_create(
    User(username=f"p{n}", email=f"p{n}@example.org", password="!", usercode=f"PPP{n:03}") for n in range(5)
)
print(json.dumps([[each.usercode, tokens.start_session(user=each)[1]] for each in people]))
"""
RECIPIENTS = """
INSERT INTO accounts_user (username, email, usercode, password, first_name, last_name, is_active, is_staff,
                           is_superuser, date_joined, email_verified_at)
SELECT 'r' || n, 'r' || n || '@example.org', 'R' || lpad(n::text, 5, '0'), '!', '', '', true, false, false, now(),
       now() FROM generate_series(0, 2999) n
"""
RETRY_SECONDS = 0.25
PATIENCE = 150  # seconds until a client gives up, which fails the drill
ROWS = 20  # of an imported sheet
REQUESTS = 150  # that must succeed in each half of a step
MOMENT = 1.0  # seconds before a fault in which a mail or an event can still be delayed by it


@dataclass(frozen=True)
class Attempt:
    """One request: when its client first wanted it, when it was sent, when it ended, and how ("ok" or the failure)."""

    asked: float
    began: float
    ended: float
    result: str


@dataclass(frozen=True)
class Report:
    """What clients saw in a step; times in seconds.

    ``unserved``: nobody got an answer. ``wait``: one client waited, with its repeats. ``event`` and ``mail``: how late
    the latest one was. ``recovery``: until everything had worked once, while the host was still away.
    """

    unserved: float
    wait: float
    failed: collections.Counter[str]
    event: float
    mail: float
    recovery: float

    def row(self, step: str) -> str:
        """Return a row of the table in docs/scaling.md."""
        times = (f"{each:.1f}" for each in (self.unserved, self.wait, self.event, self.mail, self.recovery))
        failed = ", ".join(f"{count} × {result}" for result, count in sorted(self.failed.items()))
        return " | ".join(["", step, *times, failed, ""]).strip()


class Client(threading.Thread, ABC):
    """Does one kind of work again and again until ``stopping``. ``acknowledged``: what was accepted, and when."""

    pause = 0.3  # seconds between two pieces of work
    repeats = True

    def __init__(self, person: Person) -> None:
        super().__init__(daemon=True)
        self.person = person
        self.attempts: list[Attempt] = []
        self.acknowledged: dict[str, float] = {}
        self.error: BaseException | None = None
        self.stopping = threading.Event()

    def run(self) -> None:
        try:
            for n in itertools.count():
                if self.stopping.wait(self.pause):
                    return
                self.work(n)
        except BaseException as error:  # ``Traffic.check`` raises it
            self.error = error

    @abstractmethod
    def work(self, n: int) -> None:
        """Do the piece of work with the number ``n``."""

    def ended_since(self, instant: float) -> list[Attempt]:
        newest_first = reversed(list(self.attempts))
        return list(itertools.takewhile(lambda attempt: attempt.ended > instant, newest_first))

    def ask(self, method: str, path: str, **options: Any) -> requests.Response | None:
        """Send a request until it succeeds; None if it failed and this client must not repeat it."""
        headers = {**self.person.headers, "Idempotency-Key": str(uuid.uuid4())}
        asked = time.monotonic()
        while time.monotonic() < asked + PATIENCE:
            began = time.monotonic()
            response = None
            try:
                response = requests.request(
                    method, f"{self.person.stack.url}/api/v1/{path}", headers=headers, timeout=60, **options
                )
                result = "ok" if response.ok else str(response.status_code)
            except requests.RequestException as error:
                result = type(error).__name__
            self.attempts.append(Attempt(asked, began, time.monotonic(), result))
            if response is not None:
                if response.ok:
                    return response
                # After a loss of Redis nobody is online until the events processes have noticed it.
                assert "nobody_online" in response.text or (
                    response.status_code == 503 and int(response.headers["Retry-After"]) > 0
                ), f"{method} {path}: {response.status_code} {response.text}"
            if not self.repeats:
                return None
            time.sleep(RETRY_SECONDS)
        raise AssertionError(f"{method} {path} did not succeed within {PATIENCE} s")


class Reader(Client):
    pause = 0.1

    def work(self, n: int) -> None:
        self.ask("GET", ("notes/", "messages/", "contacts/", "trends/")[n % 4])


class Writer(Client):
    """Sends messages to everybody else, every fifth one as a broadcast. ``sent``: body -> (id, who has it)."""

    def __init__(self, person: Person, people: list[Person]) -> None:
        super().__init__(person)
        self.others = [each.usercode for each in people if each is not person]
        self.sent: dict[str, tuple[int, set[str]]] = {}

    def work(self, n: int) -> None:
        body = f"{self.person.usercode} {n}"
        target: dict[str, Any] = {"recipients": self.others} if n % 5 else {"broadcast": True}
        message = self.ask("POST", "messages/", json={"body": body, **target}).json()
        concerned = {self.person.usercode, *(each["usercode"] for each in message["recipients"])}
        self.sent[body] = message["id"], concerned
        self.acknowledged[body] = time.monotonic()


class NoteWriter(Client):
    def work(self, n: int) -> None:
        self.ask("POST", "notes/", json={"title": f"note {n}"})
        self.acknowledged[f"note {n}"] = time.monotonic()


class Importer(Client):
    pause = 2.0

    def work(self, n: int) -> None:
        text = "Name,Phone Number,Email Address\n" + "".join(
            f"sheet {n},{5_000_000 + n * ROWS + row},c{n}-{row}@example.com\n" for row in range(ROWS)
        )
        self.ask("POST", "contacts/uploads/", files={"file": (f"{n}.csv", text.encode())})
        self.acknowledged[f"sheet {n}"] = time.monotonic()


class Forgetful(Client):
    """Asks for a password reset, with a new address each time. A request without a key must not be repeated."""

    pause = 0.5
    repeats = False

    def work(self, n: int) -> None:
        address = f"r{n}@example.org"
        if self.ask("POST", "auth/reset-password/", json={"email": address}):
            self.acknowledged[address] = time.monotonic()


class TimedInbox(Inbox):
    """An inbox with the instant of each mail's arrival."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: list[tuple[float, str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = await super().handle_DATA(server, session, envelope)
        self.arrivals.append((time.monotonic(), str(self.messages[-1]["To"])))
        return answer


class TimedFollower(Follower):
    """A follower with the instant at which it knew each message."""

    def __init__(self, person: Person) -> None:
        self.arrived: dict[int, float] = {}
        super().__init__(person)

    def _handle(self, event: Any) -> None:
        super()._handle(event)
        for pk in self.known - self.arrived.keys():
            self.arrived[pk] = time.monotonic()


class Traffic:
    """All clients of the drill."""

    def __init__(self, site: Site, inbox: TimedInbox) -> None:
        self.site, self.inbox = site, inbox
        output = site.manage("shell", "--no-imports", "--command", PEOPLE)
        people = [Person(site, code, access) for code, access in json.loads(output.strip().splitlines()[-1])]
        site.sql(RECIPIENTS)
        self.readers_of_events, self.owner = people[:3], people[3]
        self.followers = [TimedFollower(person) for person in self.readers_of_events]
        self.writers = [Writer(person, people) for person in people[:2]]
        self.notes, self.sheets, self.resets = NoteWriter(people[3]), Importer(people[4]), Forgetful(people[4])
        self.clients: list[Client] = [*self.writers, self.notes, self.sheets, self.resets, Reader(people[3])]
        for client in self.clients:
            client.start()

    def check(self) -> None:
        """Raise RuntimeError if a client has failed."""
        for client in self.clients:
            if client.error:
                raise RuntimeError(f"{type(client).__name__} failed") from client.error

    def recovered(self, since: float) -> float | None:
        """Return when everything had worked again after ``since``, or None if something has not worked yet.

        That is one request of each client, one message on each stream and one mail, all asked for after ``since``. None
        until ``REQUESTS`` have succeeded, too.
        """
        self.check()
        good = [[each for each in client.ended_since(since) if each.result == "ok"] for client in self.clients]
        firsts = [min((each.ended for each in found if each.asked > since), default=None) for found in good]
        for follower in self.followers:
            arrived = dict(follower.arrived)
            firsts.append(min((arrived[pk] for pk, at in self.messages_since(since) if pk in arrived), default=None))
        firsts.append(next((at for at, to in list(self.inbox.arrivals) if self._asked_for(to) > since), None))
        if any(first is None for first in firsts):
            return None
        return max(first for first in firsts if first) if sum(map(len, good)) >= REQUESTS else None

    def wait_until_recovered(self, since: float, what: str) -> float:
        """Return when everything had worked again after ``since``."""
        return wait_until(lambda: self.recovered(since), timeout=PATIENCE, what=what) or since

    def messages_since(self, since: float) -> list[tuple[int, float]]:
        """Return id and instant of the messages that were acknowledged after ``since``."""
        return [
            (writer.sent[body][0], at)
            for writer in self.writers
            for body, at in list(writer.acknowledged.items())
            if at > since
        ]

    def stop(self) -> None:
        """Let each client finish what it does."""
        for client in self.clients:
            client.stopping.set()
        for client in self.clients:
            client.join(PATIENCE)

    def close(self) -> None:
        for client in self.clients:
            client.stopping.set()
        for follower in self.followers:
            follower.stop.set()

    def report(self, began: float, recovered: float, ended: float) -> Report:
        """Return what the clients saw between two instants. Call it at the end: a late mail may still come."""
        attempts = [each for client in self.clients for each in client.attempts if began <= each.ended <= ended]
        good = sorted(each.ended for each in attempts if each.result == "ok")
        asked = self.resets.acknowledged
        firsts = {to: at for at, to in reversed(self.inbox.arrivals)}
        mails = [at - asked[to] for to, at in firsts.items() if began <= asked.get(to, 0.0) + MOMENT <= ended]
        events = [
            follower.arrived[pk] - at
            for pk, at in self.messages_since(0.0)
            for follower in self.followers
            if began <= at + MOMENT <= ended and pk in follower.arrived
        ]
        return Report(
            unserved=max(after - before for before, after in itertools.pairwise([began, *good, ended])),
            wait=max(each.ended - each.asked for each in attempts),
            failed=collections.Counter(each.result for each in attempts if each.result != "ok"),
            event=max(events, default=0.0),
            mail=max(mails, default=0.0),
            recovery=recovered - began,
        )

    def _asked_for(self, address: str) -> float:
        return self.resets.acknowledged.get(address, 0.0)
