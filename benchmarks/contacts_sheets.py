"""Sheets of contacts: upload and import, all rows deferred, release, and eight uploads at once."""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import requests
from openpyxl import load_workbook

from .harness import ROOT, Bench, Server, new_user

UPLOADERS = 8


def run(bench: Bench) -> None:
    """Run with real web and worker processes; the row-by-row import runs between the rounds, in this process."""
    many, few = (20_000, 200) if bench.quick else (100_000, 1_000)
    rounds = 1 if bench.quick else 3
    with bench.serve(threads=8) as server, worker() as process:
        headers = sign_in()
        upload(server.url, headers, sheet(100))  # warms up both processes
        wait_for_all()
        runs = []
        for turn in range(rounds):
            runs.append((one_sheet(server, headers, process, many, turn), row_by_row(few, turn)))
        report(bench, many, few, runs)
        deferred_and_released(bench, server.url, headers, many)
        at_once(bench, server, headers, many // 10)


def sheet(rows: int, offset: int = 0) -> bytes:
    from config.sheets import write_xlsx
    from contacts.files.rows import COLUMNS

    people = ((f"Person Number {n}", f"+4915{n:09}", f"person.{n}@example.com") for n in range(offset, offset + rows))
    buffer = io.BytesIO()
    write_xlsx(buffer, people, title="Contacts", columns=COLUMNS)
    return buffer.getvalue()


def sign_in() -> dict[str, str]:
    from accounts import tokens
    from accounts.models import User

    user = User.objects.filter(username="bench").first() or new_user("bench")
    access = tokens.start_session(user=user, ip="127.0.0.1", user_agent="bench")[1]
    return {"Authorization": f"Bearer {access}"}


@contextmanager
def worker() -> Iterator[psutil.Process]:
    process = subprocess.Popen(
        [sys.executable, "-m", "config.ops.processes", "worker"],
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


def dry_run(url: str, headers: dict[str, str], content: bytes, rows: int) -> None:
    answer = requests.post(
        f"{url}/api/v1/contacts/uploads/?dry_run=true",
        files={"file": ("s.xlsx", content)},
        headers=headers,
        timeout=120,
    )
    answer.raise_for_status()
    assert answer.json()["accepted"] == rows


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
    """Measures the peak memory of a process's children and of its reader process, until the end of a ``with`` block."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self.process, self.done = process, threading.Event()
        self.child, self.reader = 0, 0

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.done.set()
        self.join()

    def run(self) -> None:
        while not self.done.wait(0.02):
            with suppress(psutil.Error):
                for child in (self.process, *self.process.children(recursive=True)):
                    size = child.memory_info().rss
                    if "contacts.files.reader" in child.cmdline():
                        self.reader = max(self.reader, size)
                    else:
                        self.child = max(self.child, size)


def one_sheet(
    server: Server, headers: dict[str, str], process: psutil.Process, rows: int, turn: int
) -> dict[str, float]:
    from contacts.models import Contact, FileMetadata

    clear()
    content = sheet(rows, offset=turn * rows)
    web = psutil.Process(server.process.pid)
    idle = max(each.memory_info().rss for each in (web, *web.children(recursive=True)))
    with Watch(web) as trial:
        tried, _ = seconds(lambda: dry_run(server.url, headers, content, rows))
    read = read_only(content, rows)
    with Watch(process) as watch:
        before = cpu_of(process)
        started = time.perf_counter()
        acknowledged, _ = seconds(lambda: upload(server.url, headers, content))
        wait_for_all()
        total = time.perf_counter() - started
    cpu = cpu_of(process) - before
    row = FileMetadata.objects.get()
    assert row.accepted == rows
    undone, _ = seconds(lambda: undo(server.url, headers, row.pk, rows))
    assert not Contact.objects.exists()
    return {
        "tried": tried,
        "read": read,
        "undone": undone,
        "acknowledged": acknowledged,
        "total": total,
        "working": (row.done_at - row.started_at).total_seconds(),
        "cpu": cpu,
        "child": watch.child,
        "reader": watch.reader,
        "trial": trial.child - idle,
        "trial_reader": trial.reader,
    }


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    """Return how long ``call`` takes, and what it returns."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def read_only(content: bytes, rows: int) -> float:
    """Return the seconds that reading the sheet takes, without deciding about a row."""
    from contacts.files import process

    with tempfile.NamedTemporaryFile(suffix=".xlsx") as file:
        file.write(content)
        file.flush()

        def read() -> int:
            with process.read_rows(file.name, after=1, chunk_rows=5000) as chunks:
                return sum(map(len, chunks))

        taken, found = seconds(read)
    assert found == rows
    return taken


def undo(url: str, headers: dict[str, str], upload_id: int, rows: int) -> None:
    answer = requests.post(f"{url}/api/v1/contacts/uploads/{upload_id}/undo/", headers=headers, timeout=120)
    answer.raise_for_status()
    assert answer.json()["removed_contacts"] == rows


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of the worker, its children, and their finished readers."""
    times = [each.cpu_times() for each in (process, *process.children(recursive=True))]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def row_by_row(rows: int, turn: int) -> float:
    """Return the seconds of a row-by-row import: openpyxl (which pandas uses), a query for duplicates, a save.

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
            ("reading alone", f"{middle['read']:.2f}", f"{many / middle['read']:,.0f}"),
            ("dry run, nothing stored", f"{middle['tried']:.2f}", f"{many / middle['tried']:,.0f}"),
            ("acknowledged (checked and stored)", f"{middle['acknowledged']:.2f}", ""),
            ("upload to last row stored", f"{middle['total']:.2f}", f"{many / middle['total']:,.0f}"),
            ("worker, start to end", f"{middle['working']:.2f}", f"{many / middle['working']:,.0f}"),
            ("worker and reader, processor time", f"{middle['cpu']:.2f}", f"{many / middle['cpu']:,.0f}"),
            ("undo, all rows in one request", f"{middle['undone']:.2f}", f"{many / middle['undone']:,.0f}"),
            (f"row by row ({few:,} rows)", f"{runs[-1][1]:.2f}", f"{few / runs[-1][1]:,.0f}"),
        ],
    )
    bench.say(f"  {statistics.median(ratios):.0f}x the rows/s of row by row ({min(ratios):.0f}-{max(ratios):.0f})")
    bench.say(f"  dry run: {middle['tried'] / middle['read']:.2f}x the time of reading alone")
    ratio = {name: middle[name] / middle["total"] for name in ("tried", "undone")}
    bench.say(f"  time / import: dry run {ratio['tried']:.2f}, undo {ratio['undone']:.2f}")
    bench.say(
        f"  most memory of the dry run: web process +{middle['trial'] / 1e6:.0f} MB, "
        f"reader {middle['trial_reader'] / 1e6:.0f} MB"
    )
    bench.say(f"  most memory: worker child {middle['child'] / 1e6:.0f} MB, reader {middle['reader'] / 1e6:.0f} MB")


def deferred_and_released(bench: Bench, url: str, headers: dict[str, str], rows: int) -> None:
    """Import the same sheet twice: the second time every row waits. Then release all of them."""
    from django.db import connection

    from contacts.models import Contact, FileMetadata
    from contacts.services.release import release_due

    clear()
    content = sheet(rows)
    upload(url, headers, content)
    wait_for_all()
    upload(url, headers, content)
    wait_for_all()
    second = FileMetadata.objects.latest("id")
    deferred = (second.done_at - second.started_at).total_seconds()
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
    """Measure reading contacts before and during eight concurrent uploads."""
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
