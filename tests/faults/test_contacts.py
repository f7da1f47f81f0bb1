"""Workers, Redis, Postgres and the storage die in the midst of sheets: each row is stored once, no window is broken."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from contacts import sheets
from contacts.rows import COLUMNS

from ..s3 import BUCKET, S3
from ..waiting import wait_until
from .house import House

SIGN_IN = """
from accounts import tokens
from accounts.models import User
user = User.objects.create(username="person", email="person@example.org")
print("token", tokens.start_session(user=user, ip="127.0.0.1", user_agent="tests")[1])
"""
ONE_PLACE = """
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


class Sheets:
    """A person who uploads sheets into a house."""

    def __init__(self, house: House) -> None:
        self.house = house
        said = house.manage("shell", "-v", "0", "-c", SIGN_IN)
        self.headers = {"Authorization": f"Bearer {said.split()[-1]}"}
        self.rows = 0

    def send(self, rows: list[tuple[str, str, str]]) -> requests.Response:
        content = b"".join(sheets.stream(COLUMNS, rows, count=len(rows)))
        answer = requests.post(
            f"{self.house.url}/api/v1/contacts/uploads/", files={"file": ("s.xlsx", content)}, headers=self.headers,
            timeout=60,
        )  # fmt: skip
        if answer.status_code == 202:
            self.rows += len(rows)
        return answer

    def send_random(self, count: int, chance: random.Random) -> None:
        """Rows of which some share a phone or an address with others, of this sheet and of others."""
        rows = [
            (f"n{n}", str(5_000_000 + chance.randrange(count * 20)), f"p{chance.randrange(count * 20)}@example.com")
            for n in range(count)
        ]
        rows += [(f"c{n}", f"55500{n % 3}", "") for n in range(6)] + [("bad", "no phone", "")]
        assert self.send(rows).status_code == 202

    def finished(self) -> bool:
        return not self.house.sql("SELECT 1 FROM contacts_filemetadata WHERE done_at IS NULL AND failed_at IS NULL")

    def drained(self) -> bool:
        return self.finished() and not self.house.sql("SELECT 1 FROM contacts_unprocessedcontact LIMIT 1")

    def check(self, window: float) -> None:
        """Every row in one place, per key all instants a window apart, rows of a sheet in its order, all completed."""
        places = self.house.sql(ONE_PLACE)
        assert len(places) == len(set(places)) == self.rows
        gap = self.house.sql(SHORTEST_GAP)[0][0]
        assert gap is None or gap.total_seconds() >= window
        assert self.house.sql(OUT_OF_ORDER) == [(0,)]
        statuses = {row[0] for row in self.house.sql("SELECT status FROM contacts_filemetadata")}
        assert statuses <= {"completed", "completed_with_errors"}, self.house.sql(
            "SELECT status, error FROM contacts_filemetadata"
        )


@pytest.mark.timeout(300)
def test_workers_killed_at_random_instants_lose_no_row_and_break_no_window(build_house: Any) -> None:
    house = build_house(CONTACT_WINDOW="2")
    house.start("web")
    people, chance = Sheets(house), random.Random(7)
    house.start("beat")
    workers = [house.start("worker"), house.start("worker")]
    for _ in range(3):
        people.send_random(12_000, chance)
    for turn in range(6):
        # A random instant is the point here: whatever the worker is at, it dies.
        time.sleep(chance.random() * 2)
        house.kill(workers[turn % 2])
        workers[turn % 2] = house.start("worker")
        house.redis().flushall()  # and no message outlives it
    wait_until(people.drained, timeout=120, what="every row stored")
    people.check(2)


@pytest.mark.timeout(300)
def test_a_killed_worker_s_sheet_is_taken_up_within_seconds(build_house: Any) -> None:
    house = build_house(CONTACT_WINDOW="2")
    house.start("web")
    house.start("beat")
    people = Sheets(house)
    first = house.start("worker")
    people.send_random(40_000, random.Random(1))
    wait_until(lambda: house.sql("SELECT 1 FROM contacts_filemetadata WHERE cursor > 0"), what="a first chunk")
    second = house.start("worker")
    wait_until(lambda: "ready" in _log(house, second) or people.finished(), timeout=60, what="a second worker")
    house.kill(first)
    at = house.sql("SELECT cursor, epoch FROM contacts_filemetadata")[0]
    started = time.monotonic()
    wait_until(
        lambda: people.finished() or house.sql("SELECT cursor, epoch FROM contacts_filemetadata")[0] > at,
        timeout=20, what="the second worker at the cursor of the first",
    )  # fmt: skip
    assert time.monotonic() - started < 15
    wait_until(people.drained, timeout=90)
    people.check(2)


def _log(house: House, process: Any) -> str:
    number = house.processes.index(process)
    return Path(house.folder / f"worker-{number}.log").read_text(errors="replace")


@pytest.mark.timeout(300)
def test_postgres_killed_and_a_worker_stopped_in_the_midst_of_sheets_cost_nothing_but_time(build_house: Any) -> None:
    house = build_house(CONTACT_WINDOW="2")
    house.start("web")
    house.start("beat")
    people, chance = Sheets(house), random.Random(3)
    stalled = house.start("worker")
    people.send_random(20_000, chance)
    wait_until(lambda: house.sql("SELECT 1 FROM contacts_filemetadata WHERE cursor > 0"), timeout=60)
    house.servers.kill("postgres")
    assert people.send([("Ana", "5559999", "")]).status_code == 503
    house.servers.revive("postgres")
    wait_until(lambda: people.send([("Ana", "5559999", "")]).status_code == 202, timeout=20, what="an upload taken")
    # A worker that stands still (a machine that hangs) may hold the window's lock: Postgres takes it away.
    people.send_random(20_000, chance)
    os.killpg(stalled.pid, signal.SIGSTOP)
    house.start("worker")
    people.send_random(2_000, chance)
    wait_until(
        lambda: house.sql("SELECT 1 FROM contacts_filemetadata WHERE done_at IS NOT NULL AND total_rows = 2007"),
        timeout=90, what="a sheet read by the other worker",
    )  # fmt: skip
    os.killpg(stalled.pid, signal.SIGCONT)
    wait_until(people.drained, timeout=150, what="every row stored")
    people.check(2)


@pytest.mark.timeout(240)
def test_a_storage_that_goes_away_while_sheets_wait_costs_nothing_but_time(build_house: Any) -> None:
    s3 = S3()
    s3.start()
    try:
        house = build_house(
            CONTACT_WINDOW="2", AWS_STORAGE_BUCKET_NAME=BUCKET, AWS_S3_ENDPOINT_URL=s3.url, AWS_ACCESS_KEY_ID="key",
            AWS_SECRET_ACCESS_KEY="secret", AWS_S3_REGION_NAME="us-east-1",
        )  # fmt: skip
        house.start("web")
        people = Sheets(house)
        people.send_random(300, random.Random(4))
        kept = {key: s3.client().get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in s3.stored()}
        s3.stop()
        assert people.send([("Ana", "5559999", "")]).status_code == 503
        house.start("worker")
        house.start("beat")
        wait_until(
            lambda: house.sql("SELECT 1 FROM contacts_filemetadata WHERE error <> '' AND failed_at IS NULL"),
            timeout=60, what="an attempt that found no storage",
        )  # fmt: skip
        s3.start()
        for key, content in kept.items():
            s3.client().put_object(Bucket=BUCKET, Key=key, Body=content)
        wait_until(people.drained, timeout=90, what="every row stored")
        people.check(2)
        wait_until(lambda: s3.stored() == list(kept), what="nothing of the refused upload in the storage")
    finally:
        s3.stop()
