"""Workers, Redis and Postgres taken away under notes: each import ends once, each reminder is mailed once."""

import collections
import time
from typing import Any

import pytest
import requests

from ..conftest import Inbox
from ..notes.archives import keep_note, zip_of
from ..waiting import wait_until
from .house import House

PASSWORD = "correct horse battery staple"


class Person:
    """Somebody signed in over HTTP."""

    def __init__(self, house: House, name: str) -> None:
        self.house = house
        body = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
        assert requests.post(f"{house.url}/api/v1/auth/register/", json=body, timeout=30).status_code == 201
        house.sql("UPDATE accounts_user SET email_verified_at = now() WHERE username = %s", name)
        answer = requests.post(f"{house.url}/api/v1/auth/login/", json=body, timeout=30)
        self.headers = {"Authorization": f"Bearer {answer.json()['access']}"}

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self.house.url}/api/v1/{path}"
        return requests.request(method, url, headers=self.headers, timeout=30, **options)


@pytest.mark.timeout(240)
def test_killed_workers_import_each_note_once_and_mail_each_reminder_once(build_house, smtp: Inbox):
    house = build_house(EMAIL_URL=f"smtp://127.0.0.1:{smtp.port}")
    house.start("web")
    ada = Person(house, "ada")
    notes = {f"Takeout/Keep/{n}.json": keep_note(title=f"note {n}", createdTimestampUsec=n + 1) for n in range(3000)}
    sent = ada("POST", "notes/import/", files={"file": ("takeout.zip", zip_of(notes))})
    assert sent.status_code == 202, sent.text
    path = f"notes/imports/{sent.json()['id']}/"

    def report() -> dict[str, Any]:
        return ada("GET", path).json()

    # Two workers and two beats: every sweep comes twice. One worker dies while it reads.
    first = house.start("worker")
    house.start("beat")
    house.start("beat")
    wait_until(lambda: report()["processed"] > 0, timeout=60, what="the first step of the import")
    house.kill(first)
    assert report()["processed"] == house.sql("SELECT count(*) FROM notes_note")[0][0], "a step is all or nothing"
    house.start("worker")
    house.start("worker")
    wait_until(lambda: report()["finished_at"], timeout=90, what="the end of the import")
    assert {name: report()[name] for name in ("status", "created", "duplicates", "rejected")} == {
        "status": "completed", "created": 3000, "duplicates": 0, "rejected": 0,
    }  # fmt: skip
    assert house.sql("SELECT count(*), count(DISTINCT title) FROM notes_note") == [(3000, 3000)]

    house.sql(
        "INSERT INTO notes_reminder (membership_id, remind_at, due_at, attempts, error, created_at) "
        "SELECT id, now(), now(), 0, '', now() FROM notes_membership ORDER BY id LIMIT 40"
    )
    wait_until(lambda: len(smtp.messages) >= 10, timeout=60, what="the first reminders")
    house.kill(house.processes[-1])
    house.redis().flushall()
    wait_until(lambda: not house.sql("SELECT 1 FROM notes_reminder"), timeout=60, what="an end of the reminders")
    unsent = "SELECT 1 FROM config_outgoingmail WHERE done_at IS NULL AND failed_at IS NULL"
    wait_until(lambda: not house.sql(unsent), timeout=60, what="an end of the mails")
    ours = [message for message in smtp.messages if message["Subject"].startswith("Reminder: note ")]
    assert len({message["Subject"] for message in ours}) == 40
    # One row a reminder. A worker that dies between sending and marking sends that one again, under the same id.
    assert house.sql("SELECT count(*) FROM config_outgoingmail WHERE template = 'note_reminder'") == [(40,)]
    copies = collections.Counter(message["Message-ID"] for message in ours)
    assert len(copies) == 40
    assert len(ours) <= 41


@pytest.mark.timeout(240)
def test_without_redis_notes_are_read_and_written_and_without_postgres_it_is_503(build_house):
    house = build_house()
    house.start("web")
    ada = Person(house, "ada")
    note = ada("POST", "notes/", json={"title": "one"}).json()
    assert ada("GET", "notes/").json()["results"][0]["title"] == "one"

    house.servers.kill("valkey")
    assert ada("PATCH", f"notes/{note['id']}/", json={"title": "two"}).status_code == 200
    started = time.monotonic()
    for n in range(10):
        assert ada("GET", "notes/").json()["results"][0]["title"] == "two"
        assert ada("POST", "notes/", json={"title": f"other {n}"}).status_code == 201
        assert ada("PATCH", f"notes/{note['id']}/", json={"title": "two"}).status_code == 200
    assert time.monotonic() - started < 20, "a Redis that is away is not waited for at each request"
    house.servers.revive("valkey")
    assert ada("GET", "notes/?ordering=title").json()["results"][-1]["title"] == "two"

    house.servers.kill("postgres")
    for method, body in (("GET", None), ("POST", {"title": "three"})):
        answer = ada(method, "notes/", json=body)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    house.servers.revive("postgres")
    wait_until(lambda: ada("GET", "notes/").status_code == 200, timeout=10, what="notes again")
    assert ada("PATCH", f"notes/{note['id']}/", json={"title": "three"}).json()["version"] == 13
    assert len(ada("GET", "notes/?state=all").json()["results"]) == 11
