"""A small site: filled through the API, read again after an upgrade, and used all the time."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from ..contacts.workbooks import xlsx
from ..factories import PASSWORD
from ..places import ROOT
from ..waiting import wait_until

CREATE_PEOPLE = f"""
from accounts.models import User
from django.db.models.functions import Now
for name in ("ada", "bob", "root"):
    User.objects.create_user(name, f"{{name}}@example.org", {PASSWORD!r}, email_verified_at=Now(),
                             is_staff=name == "root", is_superuser=name == "root")

User.objects.create_user("eve", "eve@example.org", {PASSWORD!r})

"""
# What is read: by whom, and the path. The traffic changes none of it.
READS = (
    ("ada", "auth/profile/"), ("ada", "labels/"), ("ada", "blocks/"), ("ada", "contacts/"),
    ("ada", "contacts/unprocessed/"), ("ada", "contacts/uploads/"), ("root", "trends/"), ("root", "trends/imports/"),
)  # fmt: skip


class Person:
    """A person who calls the API."""

    def __init__(self, url: str, name: str) -> None:
        self.url = f"{url}/api/v1/"
        answer = requests.post(f"{self.url}auth/login/", json={"username": name, "password": PASSWORD}, timeout=30)
        assert answer.status_code == 200, answer.text
        self.headers = {"Authorization": f"Bearer {answer.json()['access']}"}

    def call(self, method: str, path: str, *, status: int = 200, **options: Any) -> requests.Response:
        answer = requests.request(method, self.url + path, headers=self.headers, timeout=60, **options)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer


def fill(url: str) -> list[tuple[str, str]]:
    """Create rows of all kinds, with files; return who can read which notes and messages."""
    ada, bob, root = (Person(url, name) for name in ("ada", "bob", "root"))
    bob_code = bob.call("GET", "auth/profile/").json()["usercode"]
    ada_code = ada.call("GET", "auth/profile/").json()["usercode"]
    ada.call("PATCH", "auth/profile/", json={"first_name": "Ada", "timezone": "Europe/Rome"})
    label = ada.call("POST", "labels/", status=201, json={"name": "Garden"}).json()["id"]
    note = ada.call("POST", "notes/", status=201, json={"title": "Plan", "body": "Plant\ntrees"}).json()["id"]
    items = [{"text": "Milk", "checked": True}]
    own = ada.call("POST", "notes/", status=201, json={"title": "List", "items": items}).json()["id"]
    ada.call("POST", f"notes/{note}/labels/", json={"label_ids": [label]})
    ada.call("POST", f"notes/{note}/collaborators/", status=201, json={"usercode": bob_code, "role": "editor"})
    hello = ada.call("POST", "messages/", status=201, json={"recipients": [bob_code], "body": "Hello"}).json()["id"]
    hi = bob.call("POST", "messages/", status=201, json={"recipients": [ada_code], "body": "Hi"}).json()["id"]
    bob.call("POST", f"messages/{hello}/read/")
    sheet = xlsx([("Ana", "37491123456", "ana@example.com"), ("Ana", "37491123456", ""), ("Nobody", "x", "y")])
    upload = ada.call("POST", "contacts/uploads/", status=202, files={"file": ("contacts.xlsx", sheet)}).json()["id"]
    trends = (ROOT / "tests/data/trends_sample.csv").read_bytes()
    run = root.call("POST", "trends/imports/", status=202, files={"file": ("trends.csv", trends)}).json()["id"]
    for person, path in ((ada, f"contacts/uploads/{upload}/"), (root, f"trends/imports/{run}/")):
        wait_until(
            lambda person=person, path=path: person.call("GET", path).json()["status"].startswith("completed"),
            what=f"the end of {path}",
        )
    notes = [("ada", f"notes/{note}/"), ("bob", f"notes/{note}/"), ("ada", f"notes/{own}/")]
    return [*notes, ("ada", f"messages/{hello}/"), ("bob", f"messages/{hello}/"), ("ada", f"messages/{hi}/")]


def read(url: str, details: list[tuple[str, str]]) -> dict[str, Any]:
    """Return what the people of the site see, by person and path, and the files."""
    people = {name: Person(url, name) for name in ("ada", "bob", "root")}
    # Links begin with the address of the version.
    seen: dict[str, Any] = {
        f"{name} {path}": json.loads(people[name].call("GET", path).text.replace(url, ""))
        for name, path in (*READS, *details)
    }
    upload = seen["ada contacts/uploads/"]["results"][0]["id"]
    run = seen["root trends/imports/"]["results"][0]["id"]
    seen["sheet"] = people["ada"].call("GET", f"contacts/uploads/{upload}/original/").content
    seen["errors"] = people["ada"].call("GET", f"contacts/uploads/{upload}/errors/").json()
    seen["csv"] = people["root"].call("GET", f"trends/imports/{run}/original/").content
    return seen


def differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """Yield where ``after`` does not contain what ``before`` has. New members are allowed."""
    if isinstance(before, dict) and isinstance(after, dict):
        for name, value in before.items():
            yield from differences(value, after.get(name, "(missing)"), f"{place}/{name}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif before != after:
        yield f"{place}: {str(before)[:200]} became {str(after)[:200]}"


class Traffic:
    """People who use the site without a pause: ``urls`` are the versions that run, by name."""

    def __init__(self, **urls: str) -> None:
        self.urls, self.phase = urls, ""
        self.counts: Counter[tuple[str, str, str, int]] = Counter()
        self.acknowledged: list[tuple[str, int, str]] = []
        [first] = urls.values()
        self._people = {name: Person(first, name) for name in ("ada", "bob")}
        self._bob = self._people["bob"].call("GET", "auth/profile/").json()["usercode"]
        self._ended = threading.Event()

    def _requests(self, number: int) -> Iterator[tuple[str, str, str, Any]]:
        text = f"{self.phase} {number}"
        yield "ada", "GET", "notes/", None
        yield "ada", "POST", "notes/", {"title": text}
        yield "ada", "GET", "messages/", None
        yield "ada", "POST", "messages/", {"recipients": [self._bob], "body": text}
        yield "bob", "GET", "messages/unread/", None
        yield "bob", "GET", "auth/profile/", None
        yield "bob", "PATCH", "auth/profile/", {"first_name": text}
        yield "ada", "GET", "contacts/", None
        yield "bob", "GET", "trends/", None
        yield "bob", "POST", "auth/reset-password/", {"email": "bob@example.org"}
        yield "bob", "POST", "auth/login/", {"username": "bob", "password": PASSWORD}

    def _run(self) -> None:
        number = 0
        while not self._ended.is_set():
            number += 1
            for version, url in list(self.urls.items()):
                for name, method, path, body in self._requests(number):
                    phase = self.phase
                    try:
                        answer = requests.request(
                            method, f"{url}/api/v1/{path}", headers=self._people[name].headers, json=body, timeout=60
                        )
                    except requests.RequestException:
                        status = 0
                    else:
                        status = answer.status_code
                        if status == 201:
                            self.acknowledged.append((path, answer.json()["id"], str(body)))
                    self.counts[phase, version, f"{method} {path}", status] += 1
            time.sleep(0.3)  # leaves the machine to the processes that start

    def wait(self, phase: str, *, rounds: int = 5) -> None:
        """Begin ``phase`` and wait until every version has answered some requests in it."""
        self.phase = phase
        wait_until(
            lambda: all(
                sum(count for (each, name, path, _), count in self.counts.items() if (each, name, path)
                    == (phase, version, "POST auth/login/")) >= rounds
                for version in self.urls
            ),
            timeout=120,
            what=f"traffic in the phase {phase}",
        )  # fmt: skip

    def failed(self, phase: str, version: str) -> dict[str, list[int]]:
        """Return the requests that failed, with the statuses."""
        found: dict[str, list[int]] = {}
        for (each, name, path, status), _ in sorted(self.counts.items()):
            if (each, name) == (phase, version) and not 200 <= status < 300:
                found.setdefault(path, []).append(status)
        return found

    @contextmanager
    def running(self) -> Iterator["Traffic"]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join(90)
