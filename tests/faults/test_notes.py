"""Notes while workers, Redis and Postgres are killed: each note is imported once, each reminder mailed once."""

import collections
import time
from typing import Any

import requests

from ..conftest import Inbox
from ..notes.keep_archives import keep_note, zip_of
from ..waiting import wait_until
from .stack import Stack

PASSWORD = "correct horse battery staple"
# What the mailed link does.
CONFIRM = """
WITH person AS (
    INSERT INTO accounts_user (username, email, usercode, password, first_name, last_name, is_active, is_staff,
                               is_superuser, date_joined, email_verified_at)
    SELECT username, email, upper(left(md5(username), 6)), password, '', '', true, false, false, now(), now()
    FROM accounts_pendingregistration WHERE username = %s RETURNING id
)
INSERT INTO accounts_userprofile (user_id, timezone, image) SELECT id, 'UTC', '' FROM person
"""


class Account:
    """An account that is signed in over HTTP."""

    def __init__(self, stack: Stack, name: str) -> None:
        self.stack = stack
        body = {"email": f"{name}@example.org", "username": name, "password": PASSWORD}
        assert requests.post(f"{stack.url}/api/v1/auth/register/", json=body, timeout=30).status_code == 201
        stack.sql(CONFIRM, name)
        answer = requests.post(f"{stack.url}/api/v1/auth/login/", json=body, timeout=30)
        self.headers = {"Authorization": f"Bearer {answer.json()['access']}"}

    def __call__(self, method: str, path: str, **options: Any) -> requests.Response:
        url = f"{self.stack.url}/api/v1/{path}"
        return requests.request(method, url, headers=self.headers, timeout=30, **options)


def test_killed_workers_import_each_note_once_and_mail_each_reminder_once(build_stack: Any, smtp: Inbox) -> None:
    stack = build_stack(EMAIL_URL=f"smtp://127.0.0.1:{smtp.port}")
    stack.start("web")
    ada = Account(stack, "ada")
    notes = {f"Takeout/Keep/{n}.json": keep_note(title=f"note {n}", createdTimestampUsec=n + 1) for n in range(3000)}
    sent = ada("POST", "notes/import/", files={"file": ("takeout.zip", zip_of(notes))})
    assert sent.status_code == 202, sent.text
    path = f"notes/imports/{sent.json()['id']}/"

    def report() -> dict[str, Any]:
        return ada("GET", path).json()

    # Two workers and two beats: every task runs twice. One worker is killed during the import.
    first = stack.start("worker")
    stack.start("beat")
    stack.start("beat")
    wait_until(lambda: report()["processed"] > 0, timeout=60, what="the first step of the import")
    stack.kill(first)
    assert report()["processed"] == stack.sql("SELECT count(*) FROM notes_note")[0][0], "a step is atomic"
    stack.start("worker")
    stack.start("worker")
    wait_until(lambda: report()["finished_at"], timeout=90, what="the end of the import")
    assert {name: report()[name] for name in ("status", "created", "duplicates", "rejected")} == {
        "status": "completed", "created": 3000, "duplicates": 0, "rejected": 0,
    }  # fmt: skip
    assert stack.sql("SELECT count(*), count(DISTINCT title) FROM notes_note") == [(3000, 3000)]

    stack.sql(
        "INSERT INTO notes_reminder (membership_id, remind_at, due_at, attempts, error, created_at) "
        "SELECT id, now(), now(), 0, '', now() FROM notes_membership ORDER BY id LIMIT 40"
    )
    wait_until(lambda: len(smtp.messages) >= 10, timeout=60, what="the first reminders")
    stack.kill(stack.processes[-1])
    stack.redis().flushall()
    wait_until(lambda: not stack.sql("SELECT 1 FROM notes_reminder"), timeout=60, what="all reminders sent")
    unsent = "SELECT 1 FROM config_outgoingmail WHERE done_at IS NULL AND failed_at IS NULL"
    wait_until(lambda: not stack.sql(unsent), timeout=60, what="all mails sent")
    reminders = [message for message in smtp.messages if message["Subject"].startswith("Reminder: note ")]
    assert len({message["Subject"] for message in reminders}) == 40
    # A worker that is killed after sending a mail and before marking it sends it again with the same Message-ID.
    assert stack.sql("SELECT count(*) FROM config_outgoingmail WHERE template = 'note_reminder'") == [(40,)]
    copies = collections.Counter(message["Message-ID"] for message in reminders)
    assert len(copies) == 40
    assert len(reminders) <= 41


def test_notes_work_without_redis_and_are_503_without_postgres(build_stack: Any) -> None:
    stack = build_stack()
    stack.start("web")
    ada = Account(stack, "ada")
    note = ada("POST", "notes/", json={"title": "one"}).json()
    assert ada("GET", "notes/").json()["results"][0]["title"] == "one"

    stack.servers.kill("valkey")
    assert ada("PATCH", f"notes/{note['id']}/", json={"title": "two"}).status_code == 200
    started = time.monotonic()
    for n in range(10):
        assert ada("GET", "notes/").json()["results"][0]["title"] == "two"
        assert ada("POST", "notes/", json={"title": f"other {n}"}).status_code == 201
        assert ada("PATCH", f"notes/{note['id']}/", json={"title": "two"}).status_code == 200
    assert time.monotonic() - started < 20, "requests do not each wait for a Redis that is down"
    stack.servers.restart("valkey")
    assert ada("GET", "notes/?ordering=title").json()["results"][-1]["title"] == "two"

    stack.servers.kill("postgres")
    for method, body in (("GET", None), ("POST", {"title": "three"})):
        answer = ada(method, "notes/", json=body)
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
    stack.servers.restart("postgres")
    wait_until(lambda: ada("GET", "notes/").status_code == 200, what="notes readable again")
    assert ada("PATCH", f"notes/{note['id']}/", json={"title": "three"}).json()["version"] == 13
    assert len(ada("GET", "notes/?state=all").json()["results"]) == 11
