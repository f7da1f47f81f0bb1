"""The watched folder with workers killed, files half written, a full disk and Postgres gone: each row once."""

import json
import random
import resource
import subprocess
import time
from pathlib import Path

import psutil
import pytest
import requests

from ..trends.factories import csv_bytes, values
from ..waiting import wait_until
from .house import House

GOOD, BAD = 400, 10  # rows of a file


def content(name: str, good: int = GOOD, bad: int = BAD) -> bytes:
    """A file whose rows no other file has."""
    rows = [values(megatrend=name, macrotrend=f"{name} {n}") for n in range(good)]
    rows += [values(megatrend=name, impact_strength=f"bad {n}") for n in range(bad)]
    random.shuffle(rows)
    return csv_bytes(*rows)


def drop(house: House, name: str, data: bytes) -> None:
    """As a careful program does: written elsewhere, then renamed into the folder."""
    (house.folder / "inbox").mkdir(exist_ok=True)
    (house.folder / name).write_bytes(data)
    (house.folder / name).rename(house.folder / "inbox" / name)


def left(house: House) -> list[Path]:
    return [path for name in ("inbox", "work") for path in (house.folder / name).rglob("*")]


def runs(house: House) -> list[tuple]:
    return house.sql("SELECT name, status, created, duplicates, rejected FROM trends_importrun ORDER BY name")


def finished(house: House, count: int) -> bool:
    states = [run[1] for run in runs(house)]
    return len(states) >= count and not {"queued", "processing"} & set(states) and not left(house)


def stored(house: House) -> dict[str, int]:
    return dict(house.sql("SELECT megatrend, count(*) FROM trends_trend GROUP BY megatrend"))


@pytest.mark.timeout(300)
def test_workers_killed_at_random_instants_leave_every_good_row_once_and_every_bad_one_told(build_house):
    house = build_house(TRENDS_SETTLE="0", TRENDS_INTERVAL="1")
    workers = [house.start("worker") for _ in range(2)]
    for _ in range(2):
        house.start("beat")
    good = [f"good{n:02}.csv" for n in range(20)]
    broken = ["broken0.csv", "broken1.csv"]
    kills = 0
    for round_number in range(10):
        for name in good[round_number * 2 : round_number * 2 + 2]:
            drop(house, name, content(name))
        if round_number in (2, 5):
            drop(house, broken[round_number // 5], content("broken", good=20, bad=20))
        time.sleep(random.uniform(0.2, 2.5))  # the instant is meant to be any
        victim = random.randrange(2)
        house.kill(workers[victim])
        workers[victim] = house.start("worker")
        kills += 1

    wait_until(lambda: finished(house, len(good) + len(broken)), timeout=150, what="every file imported")
    assert kills == 10
    assert stored(house) == dict.fromkeys(good, GOOD)
    assert runs(house) == sorted(
        [(name, "completed_with_errors", GOOD, 0, BAD) for name in good]
        + [(name, "failed", 0, 0, 20) for name in broken]
    )
    told = dict(
        house.sql(
            "SELECT run.name, count(*) FROM trends_rowerror JOIN trends_importrun run ON run.id = run_id GROUP BY 1"
        )
    )
    assert told == dict.fromkeys(good, BAD) | dict.fromkeys(broken, 20)
    assert {path.name for path in (house.folder / "backup").iterdir()} == set(good)
    assert len(list((house.folder / "quarantine").iterdir())) == 4


@pytest.mark.timeout(200)
def test_a_file_that_is_still_being_written_is_left_alone_until_it_is_whole(build_house):
    house = build_house(TRENDS_SETTLE="1.5", TRENDS_INTERVAL="1")
    (house.folder / "inbox").mkdir()
    for _ in range(2):
        house.start("worker")
        house.start("beat")
    slow, held = content("slow"), content("held")
    with (
        open(house.folder / "inbox" / "slow.csv", "wb", buffering=0) as first,
        open(house.folder / "inbox" / "held.csv", "wb", buffering=0) as second,
    ):
        second.write(held[: len(held) // 2])
        for start in range(0, len(slow), len(slow) // 25 + 1):
            first.write(slow[start : start + len(slow) // 25 + 1])
            time.sleep(0.3)  # a writer that takes its time
        drop(house, "other.csv", content("other"))
        wait_until(lambda: "other" in stored(house), timeout=60, what="the third file")
        # The second has not changed for long, but is open: half of it must not be taken for the whole.
        assert set(stored(house)) <= {"other", "slow"}
        second.write(held[len(held) // 2 :])
    wait_until(lambda: finished(house, 3), timeout=60, what="all three files")
    assert stored(house) == {"slow": GOOD, "held": GOOD, "other": GOOD}
    for name, data in (("slow.csv", slow), ("held.csv", held)):
        assert (house.folder / "backup" / name).read_bytes() == data


def disk(folder: Path, size: str) -> list[str]:
    """The command that runs another one with a file system of ``size`` at ``folder``, which only that one sees."""
    mount = 'mount -t tmpfs -o size="$0" tmpfs "$1"; shift; exec "$@"'
    return ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", mount, size, str(folder)]


@pytest.fixture
def may_mount(tmp_path: Path) -> None:
    """Skips where the machine lets nobody have a file system of their own."""
    try:
        tried = subprocess.run([*disk(tmp_path, "1m"), "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    if tried.returncode:
        pytest.skip(f"no file system of one's own here: {tried.stderr.strip()}")


@pytest.mark.timeout(200)
@pytest.mark.usefixtures("may_mount")
def test_a_backup_disk_that_is_full_only_delays(build_house):
    house = build_house(TRENDS_SETTLE="0", TRENDS_INTERVAL="1")
    backup = house.folder / "backup"
    backup.mkdir()
    large = content("large", good=4_000)
    assert len(large) > 400_000
    house.start("beat")
    worker = house.start("worker", inside=disk(backup, "400k"))
    seen_by_worker = Path(f"/proc/{worker.pid}/root{backup}")

    drop(house, "large.csv", large)
    wait_until(
        lambda: house.sql("SELECT 1 FROM trends_importrun WHERE error LIKE %s", "The backup%No space left%"),
        timeout=60, what="the reason on the run",
    )  # fmt: skip
    drop(house, "small.csv", content("small"))
    wait_until(lambda: stored(house).get("small") == GOOD, timeout=60, what="the file that has room")
    assert "large" not in stored(house)
    assert [path.name for path in seen_by_worker.iterdir() if path.suffix == ".csv"] == ["small.csv"]

    subprocess.run(
        ["nsenter", "--target", str(worker.pid), "--user", "--mount", "--preserve-credentials",
         "mount", "-o", "remount,size=8m", str(backup)],
        check=True,
    )  # fmt: skip
    wait_until(lambda: finished(house, 2), timeout=60, what="the large file")
    assert stored(house) == {"large": 4_000, "small": GOOD}
    assert (seen_by_worker / "large.csv").read_bytes() == large


@pytest.mark.timeout(200)
@pytest.mark.usefixtures("may_mount")
def test_an_upload_for_which_the_disk_has_no_room_is_answered_503(build_house):
    house = build_house()
    room = house.folder / "room"
    room.mkdir()
    house.start("web", inside=disk(room, "400k"), TMPDIR=str(room))
    ann = json.loads(house.manage("demo", "--json"))[0]
    person = {"username": ann["login"], "password": ann["password"]}
    tokens = requests.post(f"{house.url}/api/v1/auth/login/", json=person, timeout=30).json()
    signed_in = {"Authorization": f"Bearer {tokens['access']}"}
    # More than Django keeps in memory.
    large = {"file": ("large.csv", content("large", good=40_000))}
    answer = requests.post(f"{house.url}/api/v1/trends/imports/", files=large, headers=signed_in, timeout=60)
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
    assert "Traceback" not in house.log("web")


@pytest.mark.timeout(200)
def test_a_limit_on_what_a_worker_may_write_only_delays(build_house):
    house = build_house(TRENDS_SETTLE="0", TRENDS_INTERVAL="1")
    house.start("beat")
    worker = house.start("worker")
    drop(house, "before.csv", content("before"))
    wait_until(lambda: finished(house, 1), timeout=60)

    room = 200_000  # bytes that a file may have from now on: what is larger finds the disk full
    large = content("large", good=4_000)
    assert len(large) > 2 * room
    for process in [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    drop(house, "large.csv", large)
    drop(house, "small.csv", content("small"))
    wait_until(
        lambda: house.sql("SELECT 1 FROM trends_importrun WHERE name = 'large.csv' AND error LIKE %s", "The backup%"),
        timeout=60, what="the reason on the run",
    )  # fmt: skip
    wait_until(lambda: stored(house).get("small") == GOOD, timeout=60, what="the file that has room")
    assert "large" not in stored(house)
    assert {path.name for path in (house.folder / "backup").iterdir() if path.suffix == ".csv"} == {
        "before.csv", "small.csv",
    }  # fmt: skip

    for process in [psutil.Process(worker.pid), *psutil.Process(worker.pid).children(recursive=True)]:
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    wait_until(lambda: finished(house, 3), timeout=60, what="the large file")
    assert stored(house)["large"] == 4_000
    assert (house.folder / "backup" / "large.csv").read_bytes() == large


@pytest.mark.timeout(240)
def test_postgres_restarted_and_a_file_arriving_during_an_import_lose_nothing(build_house):
    house = build_house(TRENDS_SETTLE="0", TRENDS_INTERVAL="1")
    house.start("beat")
    house.start("worker")
    drop(house, "long.csv", content("long", good=20_000))
    wait_until(
        lambda: house.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory'"),
        timeout=60, what="the import at work",
    )  # fmt: skip
    drop(house, "meanwhile.csv", content("meanwhile"))
    house.servers.kill("postgres")
    drop(house, "away.csv", content("away"))
    house.servers.revive("postgres")
    wait_until(lambda: finished(house, 3), timeout=150, what="all three files")
    assert stored(house) == {"long": 20_000, "meanwhile": GOOD, "away": GOOD}
    assert {path.name for path in (house.folder / "backup").iterdir()} == {"long.csv", "meanwhile.csv", "away.csv"}
