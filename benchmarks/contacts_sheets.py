"""Sheets of contacts: from upload to stored, all rows deferred, eight uploaders at once, and the release."""

import io
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import requests
from openpyxl import load_workbook

from .harness import ROOT, Bench

UPLOADERS = 8


def run(bench: Bench) -> None:
    """Real web and worker processes; the row-by-row way runs between the rounds, in this process."""
    many, few = (20_000, 200) if bench.quick else (100_000, 1_000)
    rounds = 1 if bench.quick else 3
    with bench.serve(threads=8) as server, worker() as process:
        headers = sign_in()
        upload(server.url, headers, sheet(100))  # starts what starts once
        wait_for_all()
        runs = []
        for turn in range(rounds):
            runs.append((one_sheet(server.url, headers, process, many, turn), row_by_row(few, turn)))
        report(bench, many, few, runs)
        deferred_and_released(bench, server.url, headers, many)
        at_once(bench, server, headers, many // 10)


def sheet(rows: int, offset: int = 0) -> bytes:
    from contacts.rows import COLUMNS
    from contacts.sheets import stream

    people = ((f"Person Number {n}", f"+4915{n:09}", f"person.{n}@example.com") for n in range(offset, offset + rows))
    return b"".join(stream(COLUMNS, people, count=rows))


def sign_in() -> dict[str, str]:
    from accounts import tokens
    from accounts.models import User

    user, _ = User.objects.get_or_create(username="bench", defaults={"email": "bench@example.org"})
    access = tokens.start_session(user=user, ip="127.0.0.1", user_agent="bench")[1]
    return {"Authorization": f"Bearer {access}"}


@contextmanager
def worker() -> Iterator[psutil.Process]:
    process = subprocess.Popen(
        [sys.executable, "-m", "config.processes", "worker"],
        cwd=ROOT, env={**os.environ, "WORKER_CONCURRENCY": "2"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def upload(url: str, headers: dict[str, str], content: bytes) -> None:
    answer = requests.post(
        f"{url}/api/v1/contacts/uploads/", files={"file": ("s.xlsx", content)}, headers=headers, timeout=120
    )
    answer.raise_for_status()


def wait_for_all() -> None:
    from contacts.models import FileMetadata

    while FileMetadata.objects.unfinished().exists():
        time.sleep(0.02)


def clear() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE contacts_contact, contacts_unprocessedcontact, contacts_rejectedrow, contacts_keygate, "
            "contacts_filemetadata RESTART IDENTITY CASCADE"
        )


class Watch(threading.Thread):
    """The most memory that a process and its children held at once, and what one of them held."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process, self.done = process, threading.Event()
        self.child, self.reader = 0, 0

    def run(self) -> None:
        while not self.done.wait(0.02):
            with suppress(psutil.Error):
                for child in self.process.children(recursive=True):
                    size = child.memory_info().rss
                    if "contacts.reader" in child.cmdline():
                        self.reader = max(self.reader, size)
                    else:
                        self.child = max(self.child, size)


def one_sheet(url: str, headers: dict[str, str], process: psutil.Process, rows: int, turn: int) -> dict[str, float]:
    from contacts.models import FileMetadata

    clear()
    content = sheet(rows, offset=turn * rows)
    watch = Watch(process)
    watch.start()
    before = cpu_of(process)
    started = time.perf_counter()
    upload(url, headers, content)
    acknowledged = time.perf_counter() - started
    wait_for_all()
    total = time.perf_counter() - started
    watch.done.set()
    watch.join()
    row = FileMetadata.objects.get()
    assert row.accepted == rows
    return {
        "acknowledged": acknowledged,
        "total": total,
        "working": (row.done_at - row.started_at).total_seconds(),  # type: ignore[operator]
        "cpu": cpu_of(process) - before,
        "child": watch.child,
        "reader": watch.reader,
    }


def cpu_of(process: psutil.Process) -> float:
    """Seconds of processor time of the worker, its children, and the readers they have waited for."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def row_by_row(rows: int, turn: int) -> float:
    """Seconds for ``rows`` the way it was: openpyxl (which pandas reads by), a query whether it exists, a save.

    It gets an index on each key, without which it would become slower with every row.
    """
    from django.db import connection
    from django.db.models import Q
    from django.utils import timezone

    from contacts.models import Contact, FileMetadata

    keep = FileMetadata.objects.latest("id")
    content = sheet(rows, offset=50_000_000 + turn * rows)
    with connection.cursor() as cursor:
        cursor.execute("CREATE INDEX bench_phone ON contacts_contact (phone_key)")
        cursor.execute("CREATE INDEX bench_email ON contacts_contact (email_key)")
    started = time.perf_counter()
    found = load_workbook(io.BytesIO(content), data_only=True).worksheets[0].iter_rows(min_row=2, values_only=True)
    for number, (name, phone, email) in enumerate(found, 10_000_000):
        if not Contact.objects.filter(Q(phone_key=phone[1:]) | Q(email_key=email)).exists():
            Contact(
                owner_id=keep.owner_id, upload=keep, row=number, name=name, phone_number=phone, email_address=email,
                phone_key=phone[1:], email_key=email, accepted_at=timezone.now(),
            ).save()  # fmt: skip
    taken = time.perf_counter() - started
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX bench_phone, bench_email")
    return taken


def report(bench: Bench, many: int, few: int, runs: list[tuple[dict[str, float], float]]) -> None:
    middle = {name: statistics.median(run[name] for run, _ in runs) for name in runs[0][0]}
    ratios = [(slow / few) / (run["working"] / many) for run, slow in runs]
    bench.table(
        f"One sheet of {many:,} rows, medians of {len(runs)}",
        ("", "seconds", "rows/s"),
        [
            ("acknowledged (checked and stored)", f"{middle['acknowledged']:.2f}", ""),
            ("upload to last row stored", f"{middle['total']:.2f}", f"{many / middle['total']:,.0f}"),
            ("worker, start to end", f"{middle['working']:.2f}", f"{many / middle['working']:,.0f}"),
            ("worker and reader, processor time", f"{middle['cpu']:.2f}", f"{many / middle['cpu']:,.0f}"),
            (f"row by row ({few:,} rows)", f"{runs[-1][1]:.2f}", f"{few / runs[-1][1]:,.0f}"),
        ],
    )
    bench.say(f"  {statistics.median(ratios):.0f}x the rows/s of row by row ({min(ratios):.0f}-{max(ratios):.0f})")
    bench.say(f"  most memory: worker child {middle['child'] / 1e6:.0f} MB, reader {middle['reader'] / 1e6:.0f} MB")


def deferred_and_released(bench: Bench, url: str, headers: dict[str, str], rows: int) -> None:
    """The same sheet twice: the second time every row waits. Then all of them are due."""
    from django.db import connection

    from contacts.models import Contact, FileMetadata
    from contacts.release import release_due

    clear()
    content = sheet(rows)
    upload(url, headers, content)
    wait_for_all()
    upload(url, headers, content)
    wait_for_all()
    second = FileMetadata.objects.latest("id")
    deferred = (second.done_at - second.started_at).total_seconds()  # type: ignore[operator]
    assert second.deferred == rows
    with connection.cursor() as cursor:
        cursor.execute("UPDATE contacts_keygate SET stored_at = stored_at - interval '1 day'")
        cursor.execute("UPDATE contacts_unprocessedcontact SET due_at = due_at - interval '1 day'")
        cursor.execute("ANALYZE contacts_unprocessedcontact, contacts_keygate")
    started = time.perf_counter()
    while release_due():
        pass
    released = time.perf_counter() - started
    assert Contact.objects.count() == 2 * rows
    bench.table(
        f"The same {rows:,} rows again",
        ("", "seconds", "rows/s"),
        [
            ("all deferred, worker start to end", f"{deferred:.2f}", f"{rows / deferred:,.0f}"),
            ("all released at once", f"{released:.2f}", f"{rows / released:,.0f}"),
        ],
    )


def at_once(bench: Bench, server: Any, headers: dict[str, str], rows: int) -> None:
    """Eight people upload at the same moment; somebody else reads their contacts meanwhile, and before."""
    clear()
    sheets = [sheet(rows, offset=n * rows) for n in range(UPLOADERS)]
    read = server.get("/api/v1/contacts/?page_size=50", headers)
    idle = bench.latencies(read, seconds=3)
    busy: list[float] = []
    threads = [threading.Thread(target=upload, args=(server.url, headers, each)) for each in sheets]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or unfinished():
        busy += timed(read, 20)
    for thread in threads:
        thread.join()
    taken = time.perf_counter() - started
    busy.sort()
    bench.table(
        f"{UPLOADERS} uploads of {rows:,} rows at once: {taken:.2f} s, {UPLOADERS * rows / taken:,.0f} rows/s",
        ("reading 50 contacts", "median ms", "95 % ms", "99 % ms"),
        [
            (name, *(f"{bench.percentile(times, percent) * 1000:.1f}" for percent in (50, 95, 99)))
            for name, times in (("idle", idle), ("meanwhile", busy))
        ],
    )


def unfinished() -> bool:
    from contacts.models import FileMetadata

    return FileMetadata.objects.unfinished().exists()


def timed(call: Callable[[], object], times: int) -> list[float]:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        taken.append(time.perf_counter() - started)
    return taken
