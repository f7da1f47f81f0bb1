"""The product next to PocketBase, a bare Django view and COPY, in one table: what a developer would choose instead.

``bin/up`` runs the product and PocketBase runs from its wheel, both on loopback with the same data. Both are measured
in turn, and each ratio is the median of the ratios of the rounds. One process sends all requests (``benchmarks.load``).

Postgres flushes each commit of the product to the disk; PocketBase's SQLite does not.
"""

import csv
import json
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import repeat
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings
from django.db import connection

from messaging.services.sending import send_message
from trends.models import ImportRun

from . import contacts_sheets, load, pocketbase, product, trends_data, trends_imports
from .harness import Bench
from .messaging_streams import ticket
from .pocketbase import PocketBase
from .product import Product
from .streams import Delivery, Streams

CONNECTIONS = 16
USERS = 256  # of the product: pages that are not cached need many
STREAMS = 200
PASSWORD = "correct horse battery staple"
NOTES = [
    {"title": f"Note number {n}", "body": "What there is to say about it, in a few words, and then in some more. " * 3}
    for n in range(60)
]


def run(bench: Bench) -> None:
    with tempfile.TemporaryDirectory(prefix="peers-") as folder, ExitStack() as stack:
        sides = Sides(Path(folder), stack)
        table = Table(bench)
        compare_rates(table, sides)
        compare_streams(table, sides)
        compare_cpu(table)
        compare_imports(table, sides)
        table.show()


class Sides:
    """The product and PocketBase with the same data, each started when it is first used."""

    def __init__(self, home: Path, stack: ExitStack) -> None:
        self.home, self.stack = home, stack

    @cached_property
    def trends(self) -> Path:
        return trends_data.write(self.home / "trends.csv", 1_000)

    @cached_property
    def ours(self) -> Product:
        ours = self.stack.enter_context(product.running(self.home / "atrium"))
        settings.EVENTS_URL = ours.url
        ours.fill("peer", users=USERS, notes=NOTES, password=PASSWORD)
        import_trends(ours, self.trends)
        return ours

    @cached_property
    def peer(self) -> PocketBase:
        peer, admin = self.stack.enter_context(pocketbase.running(self.home))
        trends = trends_of(self.trends)
        peer.fill(users=STREAMS, writers=CONNECTIONS, notes=NOTES, trends=trends, password=PASSWORD, admin=admin)
        return peer


@dataclass
class Work:
    """What both do, and the least ratio that is the goal. Each side returns a rate per second after so many seconds."""

    title: str
    ours: Callable[[Product, float], float]
    theirs: Callable[[PocketBase, float], float]
    goal: str


class Table:
    """The rows that are measured so far. Each is printed at once, too, because a run takes minutes."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.rows: list[tuple[str, ...]] = []
        self.own_share = 0.0

    def wants(self, title: str) -> bool:
        """Return whether ``--only`` selects the work with this title."""
        return not self.bench.only or any(part.lower() in title.lower() for part in self.bench.only)

    def add(self, title: str, sides: Sequence[str], ratios: Sequence[float], goal: str) -> None:
        """Add a row; ``sides`` are what was measured of ours and of theirs."""
        middle = f"{statistics.median(ratios):.2f}" if ratios else ""
        ends = f"{min(ratios):.2f}-{max(ratios):.2f}" if ratios else ""
        self.rows.append((title, *sides, middle, ends, goal))
        self.bench.say("  " + " | ".join(self.rows[-1]))

    def rate(self, url: str, sources: Sequence[Iterator[bytes]], seconds: float) -> float:
        """Return the requests per second of ``sources`` during ``seconds``."""
        result = load.drive(url, sources, seconds=seconds)
        self.own_share = max(self.own_share, result.own_share)
        return result.rate

    def show(self) -> None:
        if not self.rows:
            self.bench.say(f"  No work has a title that contains {' or '.join(map(repr, self.bench.only))}.")
            return
        self.bench.table(
            f"Atrium and its peers, {CONNECTIONS} connections (/s: more is better; ms: less is better)",
            ("work", "ours", "theirs", "ratio", "min-max", "goal"),
            self.rows,
        )
        if self.own_share:
            self.bench.say(f"  The load generator took at most {self.own_share:.0%} of one core.")


def compare_rates(table: Table, sides: Sides) -> None:
    """Measure requests per second, the product and PocketBase in turn."""
    quick = table.bench.quick
    rounds, seconds = (2, 1.0) if quick else (5, 3.0)
    for work in filter(lambda each: table.wants(each.title), works(table)):
        ours, peer = sides.ours, sides.peer
        ours.sign_in()
        pairs = []
        for turn in range(rounds + 1):
            measured = [partial(work.ours, ours), partial(work.theirs, peer)]
            rates = [rate(seconds if turn else 0.5) for rate in measured[:: 1 if turn % 2 else -1]]
            pairs.append(rates[:: 1 if turn % 2 else -1])
        del pairs[0]  # warms up both
        mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        table.add(work.title, (f"{mine:,.0f}/s", f"{other:,.0f}/s"), [a / b for a, b in pairs], work.goal)


def works(table: Table) -> list[Work]:
    def work(title: str, goal: str, mine: Callable[..., bytes], other: Callable[..., bytes]) -> Work:
        """Each of the two makes the request of a connection from the server and the connection's number."""

        def rate(make: Callable[..., bytes]) -> Callable[[Any, float], float]:
            return lambda server, seconds: table.rate(
                server.url, [repeat(make(server, n)) for n in range(CONNECTIONS)], seconds
            )

        return Work(title, rate(mine), rate(other), goal)

    def first_reads(ours: Product, seconds: float) -> float:
        """Return the rate of pages that are each the first read after a change. The changes are not measured."""
        count, taken = 0, 0.0
        while taken < seconds:
            ours.change_a_note_of_everybody()
            pages = [map(ours.notes_page, range(n, USERS, CONNECTIONS)) for n in range(CONNECTIONS)]
            result = load.drive(ours.url, pages)
            count, taken = count + result.count, taken + result.seconds
        return count / taken

    page = work("page of 50 own notes, unchanged", ">= 1", Product.notes_page, PocketBase.notes_page)
    return [
        page,
        Work("page of 50 own notes, after every change", first_reads, page.theirs, ">= 0.5"),
        work(
            "create a note, 16 users", ">= 0.35",
            lambda ours, n: ours.note(n, NOTES[n]), lambda peer, n: peer.note(n, NOTES[n]),
        ),
        work(
            "create a note, one user", ">= 0.25",
            lambda ours, n: ours.note(0, NOTES[n]), lambda peer, n: peer.note(0, NOTES[n]),
        ),
        work("public page of trends", ">= 1", lambda ours, _: ours.trends_page(), lambda peer, _: peer.trends_page()),
        work("login", ">= 2", lambda ours, n: ours.login(n, PASSWORD), lambda peer, n: peer.login(n, PASSWORD)),
    ]  # fmt: skip


def compare_streams(table: Table, sides: Sides) -> None:
    """Measure the time from sending a message to its arrival in the recipient's stream, with many open streams."""
    title = f"message to open stream, {STREAMS} streams"
    if not table.wants(title):
        return
    rounds, count = (2, 50) if table.bench.quick else (5, 200)
    ours, peer = sides.ours, sides.peer
    ours.sign_in()
    mine, other = our_streams(ours), their_streams(peer)
    taken: dict[Streams, list[float]] = {mine: [], other: []}
    ratios: dict[int, list[float]] = {50: [], 99: []}
    for turn in range(rounds):
        latest = {}
        for streams, sender in [(mine, ours), (other, peer)][:: 1 if turn % 2 else -1]:
            latest[streams] = streams.latencies(deliveries(sender, count, turn))
            taken[streams] += latest[streams]
        for percent, values in ratios.items():
            values.append(
                table.bench.percentile(latest[other], percent) / table.bench.percentile(latest[mine], percent)
            )
    for percent, values in ratios.items():
        cells = [f"{table.bench.percentile(sorted(taken[each]), percent) * 1000:.1f} ms" for each in (mine, other)]
        table.add(f"{title}, p{percent}", cells, values, ">= 1")
    mine.close()
    other.close()


def deliveries(server: Product | PocketBase, count: int, turn: int) -> list[Delivery]:
    marks = [f"mark {turn} {n} ." for n in range(count)]
    recipients = [1 + n % (STREAMS - 1) for n in range(count)]
    return [
        Delivery(server.message(0, recipient, mark), mark.encode(), recipient)
        for mark, recipient in zip(marks, recipients, strict=True)
    ]


def our_streams(ours: Product) -> Streams:
    streams = Streams(ours.url)
    for user in ours.users[:STREAMS]:
        streams.open(load.request(ticket(user)))
    return streams


def their_streams(peer: PocketBase) -> Streams:
    streams = Streams(peer.url)
    for user in range(STREAMS):
        hello = streams.open(peer.request("realtime"), until=b"}\n\n")
        client = json.loads(hello[hello.rindex(b"data:") + 5 :].partition(b"\n")[0])["clientId"]
        body = {"clientId": client, "subscriptions": ["messages/*"]}
        load.drive(peer.url, [iter([peer.request("realtime", "POST", user=user, body=body)])])
    return streams


def compare_cpu(table: Table) -> None:
    """Measure the CPU time of the web process as a multiple of a bare view with one query in the same process."""
    if not table.wants("CPU: multiples of a bare view"):
        return
    rounds, count = (2, 100) if table.bench.quick else (5, 300)
    with table.bench.serve("benchmarks.apps:application", env=product.COUNTED) as server:
        ours = Product(server.url, psutil.Process(server.process.pid))
        ours.fill("cpu", users=4, notes=NOTES, password=PASSWORD)
        users = ours.users
        for n in range(60):
            send_message(sender=users[1], body=f"Message {n}", usercodes=[users[2].usercode])
        calls = {
            "bare view, one query": ("", load.request(f"{server.url}/query/")),
            "profile": ("<= 1.5", ours.request("auth/profile/", user=0)),
            "page of 50 notes, cached": ("<= 1.1", ours.notes_page(0)),
            "create a note": ("<= 2.5", ours.note(3, NOTES[0])),
            "page of 50 messages": ("<= 2.5", ours.request("messages/", user=2)),
            "send a message": ("<= 3", ours.message(1, 3, "Lunch at one?")),
        }
        taken: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(rounds + 1):
            for name, (_, request) in calls.items():
                before = server.cpu_seconds()
                load.drive(server.url, [repeat(request, count)])
                taken[name].append((server.cpu_seconds() - before) / count)
    subject = taken.pop("bare view, one query")[1:]
    for name, (_, *values) in taken.items():
        cells = [f"{statistics.median(each) * 1000:.2f} ms" for each in (values, subject)]
        ratios = [value / bare for value, bare in zip(values, subject, strict=True)]
        table.add(f"CPU: {name}, multiple of a bare view", cells, ratios, calls[name][0])


def compare_imports(table: Table, sides: Sides) -> None:
    """Measure the worker's import of a CSV next to COPY of the same file, and an xlsx from upload to last row."""
    many, rounds = (10_000, 1) if table.bench.quick else (100_000, 3)
    title = f"import {many:,} trends from CSV (worker), and COPY with the same indexes"
    if table.wants(title):
        ours, pairs = sides.ours, []
        for turn in range(rounds):
            ours.sign_in()
            path = trends_data.write(sides.home / f"import{turn}.csv", many, seed=100 + turn)
            with connection.cursor() as cursor:
                cursor.execute("TRUNCATE trends_trend CASCADE")
            mine = import_trends(ours, path)
            pairs.append((many / mine, many / timed(lambda path=path: trends_imports.copy(path, indexes=True))))
        cells = [f"{statistics.median(side):,.0f} rows/s" for side in zip(*pairs, strict=True)]
        table.add(title, cells, [a / b for a, b in pairs], ">= 0.9")
    title = f"import {many:,} contacts from xlsx, from upload to stored"
    if table.wants(title):
        ours, rates = sides.ours, []
        for turn in range(rounds):
            ours.sign_in()
            contacts_sheets.clear()
            content = contacts_sheets.sheet(many, offset=turn * many)
            rates.append(many / timed(lambda content=content: import_contacts(ours, content)))
        table.add(title, (f"{statistics.median(rates):,.0f} rows/s", ""), [], ">= 25,000 rows/s")


def import_trends(ours: Product, path: Path) -> float:
    """Upload a CSV and wait for its import; returns the seconds that the worker took."""
    answer = upload(ours, "trends/imports/", path.name, path.read_bytes())
    while (run := ImportRun.objects.get(pk=answer["id"])).finished_at is None:
        time.sleep(0.02)
    assert run.status == "completed", run.error
    return (run.finished_at - run.started_at).total_seconds()


def import_contacts(ours: Product, content: bytes) -> None:
    upload(ours, "contacts/uploads/", "contacts.xlsx", content)
    contacts_sheets.wait_for_all()


def upload(ours: Product, path: str, name: str, content: bytes) -> Any:
    """Upload a file as the first user, who is staff; returns the answer."""
    edge = secrets.token_hex(16)
    head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
    request = ours.request(path, "POST", user=0, body=body, content_type=f"multipart/form-data; boundary={edge}")
    return json.loads(load.drive(ours.url, [iter([request])], keep=True).bodies[0])


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def trends_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV of trends in the form of PocketBase's collection."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter=";")
        return [dict(zip(pocketbase.TREND_FIELDS, row.values(), strict=True)) for row in rows]
