"""The watched folder with killed workers, half-written files, full disks and Postgres restarts: each row once."""

import json
import random
import resource
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import requests

from ..trends.factories import csv_bytes, values
from ..waiting import wait_until
from .stack import Stack

GOOD, BAD = 400, 10  # rows of a file


def content(name: str, good: int = GOOD, bad: int = BAD) -> bytes:
    """Return a file whose rows are in no other file."""
    rows = [values(megatrend=name, macrotrend=f"{name} {n}") for n in range(good)]
    rows += [values(megatrend=name, impact_strength=f"bad {n}") for n in range(bad)]
    random.shuffle(rows)
    return csv_bytes(*rows)


def drop(stack: Stack, name: str, data: bytes) -> None:
    """Write the file elsewhere, then rename it into the inbox."""
    (stack.folder / "inbox").mkdir(exist_ok=True)
    (stack.folder / name).write_bytes(data)
    (stack.folder / name).rename(stack.folder / "inbox" / name)


def remaining_files(stack: Stack) -> list[Path]:
    return [path for name in ("inbox", "work") for path in (stack.folder / name).rglob("*")]


def runs(stack: Stack) -> list[tuple]:
    return stack.sql("SELECT name, status, created, duplicates, rejected FROM trends_importrun ORDER BY name")


def finished(stack: Stack, count: int) -> bool:
    states = [run[1] for run in runs(stack)]
    return len(states) >= count and not {"queued", "processing"} & set(states) and not remaining_files(stack)


def stored(stack: Stack) -> dict[str, int]:
    return dict(stack.sql("SELECT megatrend, count(*) FROM trends_trend GROUP BY megatrend"))


def test_killed_workers_leave_every_valid_row_stored_once_and_every_invalid_row_reported(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack(TRENDS_SETTLE="0.2", TRENDS_INTERVAL="1")
    workers = [stack.start("worker") for _ in range(2)]
    for _ in range(2):
        stack.start("beat")
    good = [f"good{n:02}.csv" for n in range(20)]
    broken = ["broken0.csv", "broken1.csv"]
    kills = 0
    for round_number in range(10):
        for name in good[round_number * 2 : round_number * 2 + 2]:
            drop(stack, name, content(name))
        if round_number in (2, 5):
            drop(stack, broken[round_number // 5], content("broken", good=20, bad=20))
        time.sleep(random.uniform(0.2, 2.5))  # the kill happens at a random moment
        victim = random.randrange(2)
        stack.kill(workers[victim])
        workers[victim] = stack.start("worker")
        kills += 1

    wait_until(lambda: finished(stack, len(good) + len(broken)), timeout=150, what="every file imported")
    assert kills == 10
    assert stored(stack) == dict.fromkeys(good, GOOD)
    assert runs(stack) == sorted(
        [(name, "completed_with_errors", GOOD, 0, BAD) for name in good]
        + [(name, "failed", 0, 0, 20) for name in broken]
    )
    reported = dict(
        stack.sql(
            "SELECT run.name, count(*) FROM trends_rowerror JOIN trends_importrun run ON run.id = run_id GROUP BY 1"
        )
    )
    assert reported == dict.fromkeys(good, BAD) | dict.fromkeys(broken, 20)
    assert {path.name for path in (stack.folder / "backup").iterdir()} == set(good)
    assert len(list((stack.folder / "quarantine").iterdir())) == 4


@pytest.mark.slow
def test_a_file_is_imported_only_when_its_writer_is_done(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack(TRENDS_SETTLE="1.5", TRENDS_INTERVAL="1")
    (stack.folder / "inbox").mkdir()
    for _ in range(2):
        stack.start("worker")
        stack.start("beat")
    slow, held = content("slow"), content("held")
    with (
        open(stack.folder / "inbox" / "slow.csv", "wb", buffering=0) as first,
        open(stack.folder / "inbox" / "held.csv", "wb", buffering=0) as second,
    ):
        second.write(held[: len(held) // 2])
        for start in range(0, len(slow), len(slow) // 25 + 1):
            first.write(slow[start : start + len(slow) // 25 + 1])
            time.sleep(0.3)  # a slow writer
        drop(stack, "other.csv", content("other"))
        wait_until(lambda: "other" in stored(stack), timeout=60, what="the third file")
        # The second is unchanged for long enough, but still open: it must not be imported half.
        assert set(stored(stack)) <= {"other", "slow"}
        second.write(held[len(held) // 2 :])
    wait_until(lambda: finished(stack, 3), timeout=60, what="all three files")
    assert stored(stack) == {"slow": GOOD, "held": GOOD, "other": GOOD}
    for name, data in (("slow.csv", slow), ("held.csv", held)):
        assert (stack.folder / "backup" / name).read_bytes() == data


def disk(folder: Path, size: str) -> list[str]:
    """Return the command that runs another one with a file system of ``size`` mounted at ``folder``."""
    mount = 'mount -t tmpfs -o size="$0" tmpfs "$1"; shift; exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", mount, size, str(folder)]


@pytest.fixture
def may_mount(tmp_path: Path) -> None:
    """Skip where a user cannot mount a file system."""
    try:
        tried = subprocess.run([*disk(tmp_path, "1m"), "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    if tried.returncode:
        pytest.skip(f"a user cannot mount a file system here: {tried.stderr.strip()}")


@pytest.mark.slow
@pytest.mark.usefixtures("may_mount")
def test_a_full_backup_disk_delays_only_the_files_that_do_not_fit(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack(TRENDS_SETTLE="0.2", TRENDS_INTERVAL="1")
    backup = stack.folder / "backup"
    backup.mkdir()
    large = content("large", good=4_000)
    assert len(large) > 400_000
    stack.start("beat")
    worker = stack.start("worker", inside=disk(backup, "400k"))
    worker_backup = Path(f"/proc/{worker.pid}/root{backup}")

    drop(stack, "large.csv", large)
    wait_until(
        lambda: stack.sql("SELECT 1 FROM trends_importrun WHERE error LIKE %s", "The backup%No space left%"),
        timeout=60, what="the reason on the run",
    )  # fmt: skip
    drop(stack, "small.csv", content("small"))
    wait_until(lambda: stored(stack).get("small") == GOOD, timeout=60, what="the file that fits")
    assert "large" not in stored(stack)
    assert [path.name for path in worker_backup.iterdir() if path.suffix == ".csv"] == ["small.csv"]

    subprocess.run(
        ["nsenter", "--target", str(worker.pid), "--user", "--mount", "--preserve-credentials",
         "mount", "-o", "remount,size=8m", str(backup)],
        check=True,
    )  # fmt: skip
    wait_until(lambda: finished(stack, 2), timeout=60, what="the large file")
    assert stored(stack) == {"large": 4_000, "small": GOOD}
    assert (worker_backup / "large.csv").read_bytes() == large


@pytest.mark.slow
@pytest.mark.usefixtures("may_mount")
def test_an_upload_without_disk_space_is_503(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack()
    room = stack.folder / "room"
    room.mkdir()
    stack.start("web", inside=disk(room, "400k"), TMPDIR=str(room))
    ann = json.loads(stack.manage("demo", "--json"))[0]
    person = {"username": ann["login"], "password": ann["password"]}
    tokens = requests.post(f"{stack.url}/api/v1/auth/login/", json=person, timeout=30).json()
    signed_in = {"Authorization": f"Bearer {tokens['access']}"}
    # More than Django keeps in memory.
    large = {"file": ("large.csv", content("large", good=40_000))}
    answer = requests.post(f"{stack.url}/api/v1/trends/imports/", files=large, headers=signed_in, timeout=60)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
    assert "Traceback" not in stack.log("web")


@pytest.mark.slow
def test_a_file_size_limit_delays_only_the_files_that_exceed_it(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack(TRENDS_SETTLE="0.2", TRENDS_INTERVAL="1")
    stack.start("beat")
    worker = stack.start("worker")
    drop(stack, "before.csv", content("before"))
    wait_until(lambda: finished(stack, 1), timeout=60)

    limit = 200_000  # bytes of a file
    large = content("large", good=4_000)
    assert len(large) > 2 * limit
    for process in [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    drop(stack, "large.csv", large)
    drop(stack, "small.csv", content("small"))
    wait_until(
        lambda: stack.sql("SELECT 1 FROM trends_importrun WHERE name = 'large.csv' AND error LIKE %s", "The backup%"),
        timeout=60, what="the reason on the run",
    )  # fmt: skip
    wait_until(lambda: stored(stack).get("small") == GOOD, timeout=60, what="the file that fits")
    assert "large" not in stored(stack)
    assert {path.name for path in (stack.folder / "backup").iterdir() if path.suffix == ".csv"} == {
        "before.csv", "small.csv",
    }  # fmt: skip

    for process in [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: finished(stack, 3), timeout=60, what="the large file")
    assert stored(stack)["large"] == 4_000
    assert (stack.folder / "backup" / "large.csv").read_bytes() == large


@pytest.mark.slow
def test_a_postgres_restart_and_a_file_that_arrives_during_an_import_lose_nothing(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack(TRENDS_SETTLE="0.2", TRENDS_INTERVAL="1")
    stack.start("beat")
    stack.start("worker")
    drop(stack, "long.csv", content("long", good=20_000))
    wait_until(
        lambda: stack.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"),
        timeout=60, what="the import to start",
    )  # fmt: skip
    drop(stack, "meanwhile.csv", content("meanwhile"))
    stack.servers.kill("postgres")
    drop(stack, "away.csv", content("away"))
    stack.servers.restart("postgres")
    wait_until(lambda: finished(stack, 3), timeout=150, what="all three files")
    assert stored(stack) == {"long": 20_000, "meanwhile": GOOD, "away": GOOD}
    assert {path.name for path in (stack.folder / "backup").iterdir()} == {"long.csv", "meanwhile.csv", "away.csv"}


def counted(number: int, *, trends: int = 300) -> bytes:
    """Return a file of always the same trends, whose publications are ``number``."""
    rows = [values(macrotrend=f"Trend {n}", total_count_of_publications=number) for n in range(trends)]
    random.shuffle(rows)
    return csv_bytes(*rows)


def states(stack: Stack) -> list[tuple]:
    """The different publications of the stored trends, and how many trends have each."""
    return stack.sql("SELECT total_count_of_publications, count(*) FROM trends_trend GROUP BY 1")


def assert_one_state_of_each_trend(stack: Stack, trends: int, imports: int) -> None:
    """Assert that every trend is stored once, all with the values of one file, and has all others as its history."""
    ((_, count),) = states(stack)
    assert count == trends
    histories = stack.sql(
        "SELECT history_of, array_agg(DISTINCT (before->>'total_count_of_publications')::int), count(*) "
        "FROM trends_change WHERE before IS NOT NULL GROUP BY 1"
    )
    assert len(histories) == trends
    assert all(len(different) == total == imports - 1 for _, different, total in histories)
    assert stack.sql("SELECT sum(created), sum(updated) FROM trends_importrun") == [(trends, trends * (imports - 1))]
    assert stack.sql("SELECT count(*) FROM trends_revision WHERE at IS NULL") == [(0,)]


@pytest.mark.slow
def test_updates_of_the_same_trends_by_two_workers_leave_one_state_and_a_complete_history(
    build_stack: Callable[..., Stack],
) -> None:
    stack = build_stack(TRENDS_SETTLE="0.2", TRENDS_INTERVAL="1", TRENDS_MODE="update")
    for number in range(4):
        drop(stack, f"{number}.csv", counted(number))
    stack.start("beat")
    workers = [stack.start("worker") for _ in range(2)]
    wait_until(lambda: stack.sql("SELECT 1 FROM trends_importrun"), timeout=60, what="a first import")
    stack.kill(workers[0])
    stack.start("worker")
    wait_until(lambda: finished(stack, 4), timeout=120, what="every file imported")
    assert_one_state_of_each_trend(stack, 300, 4)


@pytest.mark.slow
def test_killed_workers_never_leave_an_update_half_done(build_stack: Callable[..., Stack]) -> None:
    stack = build_stack(TRENDS_SETTLE="0.2", TRENDS_INTERVAL="1", TRENDS_MODE="update")
    stack.start("beat")
    worker = stack.start("worker")
    trends, rounds, kills = 15_000, 6, 0
    for number in range(rounds):
        drop(stack, f"{number}.csv", counted(number, trends=trends))
        deadline = time.monotonic() + 120
        while not finished(stack, number + 1):
            assert time.monotonic() < deadline
            time.sleep(random.uniform(0.1, 1.5))  # the kill happens at a random moment
            assert len(states(stack)) <= 1, "the values of two files at once"
            if kills < 3 * (number + 1):
                stack.kill(worker)
                worker = stack.start("worker")
                kills += 1
    assert kills >= rounds
    assert states(stack) == [(rounds - 1, trends)]
    assert_one_state_of_each_trend(stack, trends, rounds)
