"""Workers, Redis, Postgres or the storage fail during imports: each row is stored once and the window is respected."""

import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from ..contacts.workbooks import xlsx
from ..s3 import BUCKET, S3
from ..waiting import wait_until
from .stack import Stack

SIGN_IN = """
from accounts import tokens
from accounts.models import User
user = User.objects.create(username="person", email="person@example.org")
print("token", tokens.start_session(user=user, ip="127.0.0.1", user_agent="tests")[1])
"""
STORED_ROWS = """
SELECT upload_id, "row" FROM contacts_contact
UNION ALL SELECT upload_id, "row" FROM contacts_unprocessedcontact
UNION ALL SELECT upload_id, "row" FROM contacts_rejectedrow
"""
SHORTEST_GAP = """
SELECT min(accepted_at - before) FROM (
    SELECT accepted_at, lag(accepted_at) OVER (PARTITION BY key ORDER BY accepted_at) AS before
    FROM (SELECT 'p' || phone_key AS key, accepted_at FROM contacts_contact WHERE phone_key <> ''
          UNION ALL SELECT 'e' || email_key, accepted_at FROM contacts_contact WHERE email_key <> '') AS stored
) AS gaps
"""
OUT_OF_ORDER = """
SELECT count(*) FROM contacts_contact AS one JOIN contacts_contact AS other
ON one.upload_id = other.upload_id AND one.phone_key = other.phone_key AND one.phone_key <> ''
AND one."row" < other."row" AND one.accepted_at > other.accepted_at
"""


LOCK_HOLDERS = """
SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted
AND ((classid::bigint << 32) | objid::bigint) = hashtextextended('contacts.window', 0)
"""


class Uploader:
    """A user who uploads sheets to the processes of ``stack``."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        said = stack.manage("shell", "-v", "0", "-c", SIGN_IN)
        self.headers = {"Authorization": f"Bearer {said.split()[-1]}"}
        self.rows = 0

    def send(self, rows: list[tuple[str, str, str]]) -> requests.Response:
        answer = requests.post(
            f"{self.stack.url}/api/v1/contacts/uploads/", files={"file": ("s.xlsx", xlsx(rows))}, headers=self.headers,
            timeout=60,
        )  # fmt: skip
        if answer.status_code == 202:
            self.rows += len(rows)
        return answer

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request below ``/api/v1/contacts/``."""
        address = f"{self.stack.url}/api/v1/contacts/{path}"
        return requests.request(method, address, headers=self.headers, timeout=60, **options)

    def send_csv(self, rows: list[tuple[str, str, str]]) -> int:
        """Upload ``rows`` as CSV and return the id of the upload."""
        text = "Name,Phone Number,Email Address\n" + "".join(",".join(row) + "\n" for row in rows)
        answer = self.call("POST", "uploads/", files={"file": ("s.csv", text.encode())})
        assert answer.status_code == 202, answer.text
        self.rows += len(rows)
        return int(answer.json()["id"])

    def send_random(self, count: int, chance: random.Random) -> None:
        """Send rows, some of which share a phone number or an address with rows of this sheet and of others."""
        rows = [
            (f"n{n}", str(5_000_000 + chance.randrange(count * 20)), f"p{chance.randrange(count * 20)}@example.com")
            for n in range(count)
        ]
        rows += [(f"c{n}", f"55500{n % 3}", "") for n in range(6)] + [("bad", "no phone", "")]
        assert self.send(rows).status_code == 202

    def finished(self) -> bool:
        return not self.stack.sql("SELECT 1 FROM contacts_filemetadata WHERE done_at IS NULL AND failed_at IS NULL")

    def all_stored(self) -> bool:
        return self.finished() and not self.stack.sql("SELECT 1 FROM contacts_unprocessedcontact LIMIT 1")

    def check(self, window: float) -> None:
        """Assert that every row is in one table, keys are a window apart, sheets are in order and completed."""
        rows = self.stack.sql(STORED_ROWS)
        assert len(rows) == len(set(rows)) == self.rows
        gap = self.stack.sql(SHORTEST_GAP)[0][0]
        assert gap is None or gap.total_seconds() >= window
        assert self.stack.sql(OUT_OF_ORDER) == [(0,)]
        statuses = {row[0] for row in self.stack.sql("SELECT status FROM contacts_filemetadata")}
        assert statuses <= {"completed", "completed_with_errors"}, self.stack.sql(
            "SELECT status, error FROM contacts_filemetadata"
        )


@pytest.mark.slow
def test_workers_killed_at_random_instants_lose_no_row_and_respect_the_window(build_stack: Any) -> None:
    stack = build_stack(CONTACT_WINDOW="2")
    stack.start("web")
    people, chance = Uploader(stack), random.Random(7)
    stack.start("beat")
    workers = [stack.start("worker"), stack.start("worker")]
    for _ in range(3):
        people.send_random(12_000, chance)
    for turn in range(6):
        # Deliberately a random instant: the worker may be doing anything.
        time.sleep(chance.random() * 2)
        stack.kill(workers[turn % 2])
        workers[turn % 2] = stack.start("worker")
        stack.redis().flushall()  # no message survives
    wait_until(people.all_stored, timeout=240, what="every row stored")
    people.check(2)


def test_the_import_of_a_killed_worker_is_resumed_within_seconds(build_stack: Any) -> None:
    stack = build_stack(CONTACT_WINDOW="2")
    stack.start("web")
    stack.start("beat")
    people = Uploader(stack)
    first = stack.start("worker")
    people.send_random(40_000, random.Random(1))
    wait_until(lambda: stack.sql("SELECT 1 FROM contacts_filemetadata WHERE cursor > 0"), what="a first chunk")
    second = stack.start("worker")
    wait_until(lambda: "ready" in _log(stack, second) or people.finished(), timeout=60, what="a second worker")
    stack.kill(first)
    at = stack.sql("SELECT cursor, epoch FROM contacts_filemetadata")[0]
    started = time.monotonic()
    wait_until(
        lambda: people.finished() or stack.sql("SELECT cursor, epoch FROM contacts_filemetadata")[0] > at,
        timeout=90, what="the second worker at the cursor of the first",
    )  # fmt: skip
    # The lease of the first worker, the next sweep, and time for a slow machine.
    assert time.monotonic() - started < 15 + 3 + 20
    wait_until(people.all_stored, timeout=180)
    people.check(2)


def held(stack: Stack, upload: int) -> int:
    """Return how many contacts and waiting rows of ``upload`` are stored."""
    tables = ("contacts_contact", "contacts_unprocessedcontact")
    return sum(stack.sql(f"SELECT count(*) FROM {table} WHERE upload_id = %s", upload)[0][0] for table in tables)  # noqa: S608


def removed(stack: Stack, upload: int) -> int | None:
    """Return how many rows the undo of ``upload`` has removed once it is finished."""
    query = (
        "SELECT removed_contacts + removed_waiting FROM contacts_filemetadata WHERE id = %s AND undone_at IS NOT NULL"
    )
    found = stack.sql(query, upload)
    return found[0][0] if found else None


@pytest.mark.slow
def test_an_undo_while_rows_wait_removes_all_of_them_and_releases_the_rows_of_others(build_stack: Any) -> None:
    stack = build_stack(CONTACT_WINDOW="3")
    stack.start("web")
    stack.start("beat")
    people = Uploader(stack)
    worker = stack.start("worker")
    keys = [f"55500{n:02}" for n in range(40)]
    first = people.send_csv([(f"a{n}", keys[n % 40], "") for n in range(160)])  # three of four rows wait
    wait_until(people.finished, timeout=60, what="the first upload")
    second = people.send_csv([(f"b{n}", keys[n % 40], "") for n in range(40)])  # behind all of them
    wait_until(people.finished, timeout=60, what="the second upload")
    answer = people.call("POST", f"uploads/{first}/undo/")
    stack.kill(worker)
    stack.start("worker")
    assert answer.status_code == 200
    assert answer.json()["removed_contacts"] + answer.json()["removed_waiting"] == 160
    wait_until(people.all_stored, timeout=60, what="the rows of the second upload")
    assert (held(stack, first), held(stack, second)) == (0, 40)
    assert removed(stack, first) == 160
    assert people.call("POST", f"uploads/{first}/undo/").json()["removed_contacts"] == 0


@pytest.mark.slow
def test_workers_killed_during_large_undos_leave_no_row_and_count_each_once(build_stack: Any) -> None:
    stack = build_stack(CONTACT_WINDOW="2")
    stack.start("web")
    stack.start("beat")
    people, chance = Uploader(stack), random.Random(5)
    workers = [stack.start("worker"), stack.start("worker")]
    rows = [(f"n{n}", str(6_000_000 + n), "") for n in range(100_500)]
    large = people.send_csv(rows + [(f"w{n}", "5550001", "") for n in range(500)])  # the last ones wait
    other = people.send_csv([(f"o{n}", str(7_000_000 + n), "") for n in range(2_000)])
    wait_until(people.finished, timeout=240, what="both uploads")
    assert people.call("POST", f"uploads/{large}/undo/").status_code == 202
    kills = 0
    for turn in range(40):
        time.sleep(chance.random())  # the kill happens at a random moment
        if removed(stack, large) is not None:
            break
        if kills < 8:
            stack.kill(workers[turn % 2])
            workers[turn % 2] = stack.start("worker")
            stack.redis().flushall()
            kills += 1
    total = wait_until(lambda: removed(stack, large), timeout=240, what="the end of the undo")
    assert kills
    assert total == 101_000
    assert (held(stack, large), held(stack, other)) == (0, 2_000)
    assert people.call("GET", f"uploads/{large}/").json()["status"] == "undone"


@pytest.mark.slow
def test_web_processes_killed_during_erasures_erase_all_rows_of_a_request_or_none(build_stack: Any) -> None:
    stack = build_stack(CONTACT_WINDOW="2")
    web = stack.start("web")
    people, chance = Uploader(stack), random.Random(6)
    stack.start("beat")
    stack.start("worker")
    upload = people.send_csv([(f"n{n}", str(6_000_000 + n), "") for n in range(20_000)])
    wait_until(people.finished, timeout=120, what="the upload")
    ids = [pk for (pk,) in stack.sql("SELECT id FROM contacts_contact ORDER BY id")]
    batches = [ids[start : start + 1000] for start in range(0, len(ids), 1000)]
    answered: dict[int, int] = {}

    def erase() -> None:
        for number, batch in enumerate(batches):
            try:
                answer = people.call("POST", "delete/", json={"ids": batch})
            except requests.RequestException:
                continue
            if answer.status_code == 200:
                answered[number] = answer.json()["deleted"]

    for _ in range(5):
        thread = threading.Thread(target=erase)
        thread.start()
        time.sleep(chance.random() * 0.6)  # the kill happens at a random moment
        stack.kill(web)
        thread.join(120)
        left = {pk for (pk,) in stack.sql("SELECT id FROM contacts_contact")}
        for number, batch in enumerate(batches):
            assert len(left & set(batch)) in (0, len(batch)), "a part of a request"
            assert number not in answered or not left & set(batch), "an answer without its effect"
        web = stack.start("web")
    erase()
    assert held(stack, upload) == 0
    # The upload with its original: the row and the file end together, whatever was killed in between.
    assert people.call("DELETE", f"uploads/{upload}/").status_code == 204
    stack.kill(web)
    wait_until(lambda: not stack.sql("SELECT 1 FROM contacts_filemetadata"), timeout=60, what="no row of the upload")
    originals = stack.folder / "files"
    wait_until(lambda: not [path for path in originals.rglob("*") if path.is_file()], timeout=150, what="no original")


def _log(stack: Stack, process: Any) -> str:
    number = stack.processes.index(process)
    return Path(stack.folder / f"worker-{number}.log").read_text(errors="replace")


@pytest.mark.slow
def test_a_killed_postgres_only_delays_imports(build_stack: Any) -> None:
    stack = build_stack(CONTACT_WINDOW="2")
    stack.start("web")
    stack.start("beat")
    people = Uploader(stack)
    stack.start("worker")
    people.send_random(12_000, random.Random(3))
    wait_until(lambda: stack.sql("SELECT 1 FROM contacts_filemetadata WHERE cursor > 0"), timeout=60)
    stack.servers.kill("postgres")
    assert people.send([("Ana", "5559999", "")]).status_code == 503
    stack.servers.restart("postgres")
    wait_until(lambda: people.send([("Ana", "5559999", "")]).status_code == 202, timeout=60, what="an accepted upload")
    wait_until(people.all_stored, timeout=240, what="every row stored")
    people.check(2)


@pytest.mark.slow
def test_a_worker_that_is_stopped_with_the_window_s_lock_blocks_others_for_at_most_30_seconds(build_stack: Any) -> None:
    stack = build_stack(CONTACT_WINDOW="2")
    stack.start("web")
    stack.start("beat")
    people, chance = Uploader(stack), random.Random(3)
    stopped = stack.start("worker")
    people.send_random(12_000, chance)
    holder = wait_until(lambda: _stop_with_lock(stack, stopped), timeout=120, what="a worker stopped with the lock")
    at = time.monotonic()
    stack.start("worker")
    people.send_random(1_000, chance)
    wait_until(lambda: holder not in stack.sql(LOCK_HOLDERS), timeout=90, what="a lock that Postgres has released")
    # Postgres ends the transaction after 15 seconds of silence, or 30 in a statement; the rest is for a slow machine.
    assert time.monotonic() - at < 30 + 15
    wait_until(
        lambda: stack.sql("SELECT 1 FROM contacts_filemetadata WHERE done_at IS NOT NULL AND total_rows = 1007"),
        timeout=180, what="a sheet imported by the other worker",
    )  # fmt: skip
    os.killpg(stopped.pid, signal.SIGCONT)
    wait_until(people.all_stored, timeout=240, what="every row stored")
    people.check(2)


def _stop_with_lock(stack: Stack, worker: Any) -> tuple | None:
    """Stop the worker if it holds the window's lock; return the holder if it still does once it is stopped."""
    if holders := stack.sql(LOCK_HOLDERS):
        os.killpg(worker.pid, signal.SIGSTOP)
        time.sleep(0.5)  # what it had sent to Postgres before it stopped is finished by then
        if stack.sql(LOCK_HOLDERS) == holders:
            return holders[0]
        os.killpg(worker.pid, signal.SIGCONT)
    return None


@pytest.mark.slow
def test_a_storage_outage_only_delays_imports(build_stack: Any) -> None:
    s3 = S3()
    s3.start()
    try:
        stack = build_stack(
            CONTACT_WINDOW="2", AWS_STORAGE_BUCKET_NAME=BUCKET, AWS_S3_ENDPOINT_URL=s3.url, AWS_ACCESS_KEY_ID="key",
            AWS_SECRET_ACCESS_KEY="secret", AWS_S3_REGION_NAME="us-east-1",
        )  # fmt: skip
        stack.start("web")
        people = Uploader(stack)
        people.send_random(300, random.Random(4))
        kept = {key: s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in s3.stored()}
        s3.stop()
        assert people.send([("Ana", "5559999", "")]).status_code == 503
        stack.start("worker")
        stack.start("beat")
        wait_until(
            lambda: stack.sql("SELECT 1 FROM contacts_filemetadata WHERE error <> '' AND failed_at IS NULL"),
            timeout=60, what="an attempt without the storage",
        )  # fmt: skip
        s3.start()
        for key, content in kept.items():
            s3.client().put_object(Bucket=BUCKET, Key=key, Body=content)
        wait_until(people.all_stored, timeout=180, what="every row stored")
        people.check(2)
        wait_until(lambda: s3.stored() == list(kept), what="no file of the refused upload in the storage")
    finally:
        s3.stop()
