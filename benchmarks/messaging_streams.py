"""A thousand open streams: what they cost, what they leave of the API, and how soon a message is there."""

import asyncio
import os
import statistics
import subprocess
import sys
import threading
import time
from types import SimpleNamespace
from urllib.parse import urlsplit

import psutil
import requests
from django.conf import settings

from accounts import tokens as account_tokens
from accounts.models import User
from config import tickets

from .harness import ROOT, Bench, free_port
from .messaging_sending import people

STREAMS = 1000


class Crowd:
    """So many clients with an open stream each, in a thread of their own; notes when each event comes."""

    def __init__(self, users: list[User]) -> None:
        self.users = users
        self.open = 0
        self.arrived: dict[bytes, float] = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def connect(self) -> None:
        gate = asyncio.Semaphore(50)
        self.tasks = [asyncio.run_coroutine_threadsafe(self._listen(user, gate), self.loop) for user in self.users]
        deadline = time.monotonic() + 60
        while self.open < len(self.users):
            assert time.monotonic() < deadline, f"{self.open} of {len(self.users)} streams are open"
            time.sleep(0.05)

    def leave(self) -> None:
        async def cancel() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(cancel(), self.loop).result(30)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def _listen(self, user: User, gate: asyncio.Semaphore) -> None:
        async with gate:
            where = urlsplit(ticket(user))
            reader, writer = await asyncio.open_connection(where.hostname, where.port)
            writer.write(f"GET {where.path}?{where.query} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b" 200 " in await reader.readline()
            self.open += 1
        while line := await reader.readline():
            if line.startswith(b"data: ") and b'"body":"' in line:
                self.arrived[line.partition(b'"body":"')[2].partition(b'"')[0]] = time.perf_counter()


def ticket(user: User) -> str:
    request = SimpleNamespace(user=user, scheme="http", get_host=lambda: "localhost")
    return tickets.url(request, session="", last_event_id="", wait=None)


def run(bench: Bench) -> None:
    count = 100 if bench.quick else STREAMS
    port = free_port()
    settings.EVENTS_URL = f"http://127.0.0.1:{port}"
    users = people(count, "listener")
    ada, bob = people(2, "sender")
    events = subprocess.Popen(
        [sys.executable, "-m", "config.processes", "events"],
        cwd=ROOT,
        env={**os.environ, "EVENTS_PORT": str(port)},
    )
    try:
        _wait_ready(port)
        with bench.serve(env={"EVENTS_URL": settings.EVENTS_URL}) as server:
            _, access, _ = account_tokens.start_session(user=ada)
            call = server.get("/api/v1/messages/unread/", {"Authorization": f"Bearer {access}"})
            before = _cost(events.pid)
            crowd = Crowd([bob, *users[1:]])
            crowd.connect()
            time.sleep(2)
            idle = _cost(events.pid)
            time.sleep(watched := 5 if bench.quick else 30)  # two comments to each, and some looks at who is online
            later = _cost(events.pid)
            bench.table(
                f"The events process with {count:,} open streams",
                ("", "value"),
                [
                    ("memory without, MB", f"{before[0] / 1e6:.0f}"),
                    ("memory with, MB", f"{idle[0] / 1e6:.0f}"),
                    ("kB a stream", f"{(idle[0] - before[0]) / count / 1e3:.1f}"),
                    ("processor while idle", f"{(later[1] - idle[1]) / watched * 100:.1f} %"),
                ],
            )
            _latency(bench, server.url, crowd, ada, bob)
            # In turn, so that a slow moment of the machine hits both.
            rates: list[tuple[float, float]] = []
            for _ in range(5):
                with_streams = _rate(bench, call)
                crowd.leave()
                without = _rate(bench, call)
                rates.append((with_streams, without))
                crowd = Crowd([bob, *users[1:]])
                crowd.connect()
            crowd.leave()
            ratios = sorted(one / other for one, other in rates)
            with_streams, without = (statistics.median(column) for column in zip(*rates, strict=True))
            bench.table(
                "The API's throughput, one client (medians of 5 turns)",
                ("", "requests/s"),
                [
                    (f"with {count:,} streams open", f"{with_streams:,.0f}"),
                    ("without", f"{without:,.0f}"),
                    ("with / without", f"{ratios[2]:.3f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"),
                ],
            )
    finally:
        if events.poll() is None:
            events.terminate()
            events.wait(15)


def _latency(bench: Bench, url: str, crowd: Crowd, ada: User, bob: User) -> None:
    import json

    taken = []
    _, access, _ = account_tokens.start_session(user=ada)
    session = requests.Session()
    session.headers["Authorization"] = f"Bearer {access}"
    for n in range(40 if bench.quick else 400):
        mark = f"mark {n} {time.time()}"
        started = time.perf_counter()
        answer = session.post(
            f"{url}/api/v1/messages/", data=json.dumps({"body": mark, "recipients": [bob.usercode]}),
            headers={"Content-Type": "application/json"}, timeout=30,
        )  # fmt: skip
        assert answer.status_code == 201, answer.text
        answered = time.perf_counter()
        deadline = time.monotonic() + 10
        while mark.encode() not in crowd.arrived:
            assert time.monotonic() < deadline, "the message did not come"
            time.sleep(0.0005)
        arrived = crowd.arrived[mark.encode()]
        taken.append((arrived - started, arrived - answered))
    rows = []
    for name, values in (
        ("from the POST's beginning", sorted(each[0] for each in taken)),
        ("after the POST's answer", sorted(each[1] for each in taken)),
    ):
        rows.append((name, *(f"{bench.percentile(values, percent) * 1000:.1f}" for percent in (50, 99))))
    bench.table(f"A message on the other's stream, {len(crowd.users):,} being open", ("", "p50 ms", "p99 ms"), rows)


def _rate(bench: Bench, call: object) -> float:
    taken = bench.latencies(call, seconds=4)  # type: ignore[arg-type]
    return len(taken) / sum(taken)


def _cost(pid: int) -> tuple[int, float]:
    """Resident bytes and processor seconds of a process and its children."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    times = [each.cpu_times() for each in family]
    return sum(each.memory_info().rss for each in family), sum(each.user + each.system for each in times)


def _wait_ready(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if requests.get(f"http://127.0.0.1:{port}/readyz/", timeout=2).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.1)
    raise RuntimeError("the events process is not ready")
