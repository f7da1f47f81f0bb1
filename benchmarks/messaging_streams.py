"""A thousand open streams: their cost, their effect on the API, and the latency of a message."""

import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import urlsplit

import psutil
import requests
from django.conf import settings

from accounts import tokens as account_tokens
from accounts.models import User
from config.realtime import tickets

from .harness import ROOT, Bench, Server, free_port
from .messaging_sending import people

STREAMS = 1000


class Listener:
    """A client with an open stream, in its own thread; records when each message arrives."""

    def __init__(self, user: User) -> None:
        self.arrived: dict[bytes, float] = {}
        where = urlsplit(ticket(user))
        self.connection = http.client.HTTPConnection(where.hostname or "", where.port)
        self.connection.request("GET", f"{where.path}?{where.query}")
        self.response = self.connection.getresponse()
        assert self.response.status == 200
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while line := self.response.readline():
            if line.startswith(b"data: ") and b'"body":"' in line:
                self.arrived[line.partition(b'"body":"')[2].partition(b'"')[0]] = time.perf_counter()


@contextmanager
def open_streams(users: list[User]) -> Iterator[None]:
    """Open a stream for each user, in a separate process."""
    listeners = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.listeners", str(len(users))],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert listeners.stdin
    assert listeners.stdout
    try:
        listeners.stdin.writelines(f"{ticket(user)}\n" for user in users)
        listeners.stdin.flush()
        assert listeners.stdout.readline() == "open\n"
        yield
    finally:
        listeners.stdin.close()
        listeners.wait(30)


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
        [sys.executable, "-m", "config.ops.processes", "events"],
        cwd=ROOT,
        env={**os.environ, "EVENTS_PORT": str(port)},
    )
    try:
        _wait_ready(port)
        with bench.serve(env={"EVENTS_URL": settings.EVENTS_URL}) as server:
            _, access, _ = account_tokens.start_session(user=ada)
            call = server.get("/api/v1/messages/unread/", {"Authorization": f"Bearer {access}"})
            before = _cost(events.pid)
            with open_streams(users[1:]):
                listener = Listener(bob)
                time.sleep(2)
                idle = _cost(events.pid)
                time.sleep(watched := 5 if bench.quick else 30)  # includes comments and presence checks
                later = _cost(events.pid)
                bench.table(
                    f"The events process with {count:,} open streams",
                    ("", "value"),
                    [
                        ("memory without, MB", f"{before[0] / 1e6:.0f}"),
                        ("memory with, MB", f"{idle[0] / 1e6:.0f}"),
                        ("kB a stream", f"{(idle[0] - before[0]) / count / 1e3:.1f}"),
                        ("CPU while idle", f"{(later[1] - idle[1]) / watched * 100:.1f} %"),
                    ],
                )
                _latency(bench, server.url, listener, count, ada, bob)
                _throughput(bench, server, call, events.pid, count)
    finally:
        if events.poll() is None:
            events.terminate()
            events.wait(15)


def _latency(bench: Bench, url: str, listener: Listener, count: int, ada: User, bob: User) -> None:
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
        while mark.encode() not in listener.arrived:
            assert time.monotonic() < deadline, "the message did not arrive"
            time.sleep(0.0005)
        arrived = listener.arrived[mark.encode()]
        taken.append((arrived - started, arrived - answered))
    rows = []
    for name, values in (
        ("from the start of the POST", sorted(each[0] for each in taken)),
        ("from the answer to the POST", sorted(each[1] for each in taken)),
    ):
        rows.append((name, *(f"{bench.percentile(values, percent) * 1000:.1f}" for percent in (50, 99))))
    bench.table(
        f"Latency of a message to another user's stream, with {count:,} open streams", ("", "p50 ms", "p99 ms"), rows
    )


def _throughput(bench: Bench, server: Server, call: Callable[[], object], events: int, count: int) -> None:
    """Measure the API's throughput while the events process runs and while it is stopped, in turns of one second.

    A stopped process costs nothing. It catches up in the next turn, so the turns with streams contain twice their cost.
    """
    turns = 5 if bench.quick else 60
    rates: list[tuple[float, float]] = []
    spent, requests_made = [0.0, 0.0], [0, 0]
    family = [psutil.Process(events), *psutil.Process(events).children(recursive=True)]
    try:
        for turn in range(turns):
            pair = [0.0, 0.0]
            for stopped in (turn % 2, 1 - turn % 2):
                for process in family:
                    process.suspend() if stopped else process.resume()
                began = server.cpu_seconds()
                taken = bench.latencies(call, seconds=5 if bench.quick else 1)  # of which --quick takes a fifth
                spent[stopped] += server.cpu_seconds() - began
                requests_made[stopped] += len(taken)
                pair[stopped] = len(taken) / sum(taken)
            rates.append((pair[0], pair[1]))
    finally:
        for process in family:
            process.resume()
    ratios = [one / other for one, other in rates]
    low, middle, high = statistics.quantiles(ratios, n=4)
    cost = [seconds / made * 1e6 for seconds, made in zip(spent, requests_made, strict=True)]
    error = statistics.stdev(ratios) / len(ratios) ** 0.5
    bench.table(
        f"The API's throughput, one client (medians of {turns} pairs of a second each)",
        ("", f"with {count:,} streams", "without", "with / without", "middle half", "mean, standard error"),
        [
            (
                "requests/s",
                *(f"{statistics.median(column):,.0f}" for column in zip(*rates, strict=True)),
                f"{middle:.3f}",
                f"{low:.3f}-{high:.3f}",
                f"{statistics.mean(ratios):.3f} ± {error:.3f}",
            ),
            ("CPU µs per request, web", *(f"{each:,.0f}" for each in cost), f"{cost[0] / cost[1]:.3f}", "", ""),
        ],
    )


def _cost(pid: int) -> tuple[int, float]:
    """Return the resident bytes and CPU seconds of a process and its children."""
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
