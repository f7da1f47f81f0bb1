"""Memory of the processes of ``bin/up`` after ten thousand mixed requests and after many more.

``bin/bench memory`` sends 50,000 requests; ``bin/bench memory --requests 1000000`` takes the full run.
"""

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from . import load, product
from .harness import Bench
from .product import Product

CONNECTIONS = 16
FIRST = 10_000
DEFAULT = 50_000
STOPS = 10  # measurements after the first
PORTION = 20_000  # requests between sign-ins: an access token is valid for ten minutes, also on a busy machine
ROLES = {"web": "config.http.buffering", "events": "config.asgi", "front": "caddy", "worker": "celeryd"}  # by command
NOTES = [{"title": f"Note number {n}", "body": "What there is to say about it. " * 5} for n in range(60)]


def run(bench: Bench) -> None:
    total = bench.requests or (FIRST if bench.quick else DEFAULT)
    first = min(FIRST, total // 2)
    step = max(1, (total - first) // STOPS)
    rows: list[tuple] = []
    sizes: list[dict[str, int]] = []
    with tempfile.TemporaryDirectory(prefix="memory-") as folder, product.running(Path(folder) / "atrium") as ours:
        ours.fill("memory", users=CONNECTIONS, notes=NOTES, password="correct horse battery staple")
        sources = [mixed(ours, n) for n in range(CONNECTIONS)]
        for target in (first, *range(first + step, total + 1, step)):
            done = rows[-1][0] if rows else 0
            for begin in range(done, target, PORTION):
                ours.sign_in()
                load.drive(ours.url, _share(sources, min(PORTION, target - begin)))
            sizes.append(memory(ours.process))
            rows.append((target, *(f"{size / 1e6:.1f}" for size in sizes[-1].values())))
            bench.say(f"{target:,} of {total:,} requests")
    bench.table(
        "Resident memory, MB",
        ("requests", *ROLES),
        [(f"{count:,}", *cells) for count, *cells in rows]
        + [("last / first", *(f"{sizes[-1][role] / sizes[0][role]:.3f}" for role in ROLES))],
    )


def mixed(ours: Product, user: int) -> Iterator[bytes]:
    """Yield an endless mix: mostly reads, and a write in every ten requests."""
    other = (user + 1) % CONNECTIONS
    for n in itertools.count():
        yield from (
            ours.notes_page(user),
            ours.request("auth/profile/", user=user),
            ours.trends_page(),
            ours.request("messages/", user=user),
            ours.request(f"notes/?search=number {n % 60}".replace(" ", "%20"), user=user),
            ours.notes_page(user),
            ours.request("contacts/", user=user),
            ours.request("labels/", user=user),
            ours.trends_page(),
            ours.note(user, NOTES[n % 60]) if n % 2 else ours.message(user, other, f"Message {n}"),
        )


def _share(sources: list[Iterator[bytes]], count: int) -> list[Iterator[bytes]]:
    """Return sources that send ``count`` requests together."""
    left, more = divmod(count, len(sources))
    return [itertools.islice(source, left + (n < more)) for n, source in enumerate(sources)]


def memory(process: psutil.Process) -> dict[str, int]:
    """Return the resident bytes of each role below the launcher."""
    sizes = dict.fromkeys(ROLES, 0)
    for each in process.children(recursive=True):
        command = " ".join(each.cmdline())
        for role, mark in ROLES.items():
            if mark in command:
                sizes[role] += each.memory_info().rss
                break
    return sizes
