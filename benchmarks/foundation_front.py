"""The cost of the front process, and how much clients that block a server delay all others."""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .harness import ROOT, Bench, Server, new_user

ROUNDS = 5
SECONDS = 4.0  # of each half of a round
NOTES = 40
NOTE_CHARACTERS = 90_000


def run(bench: Bench) -> None:
    owner, other = (_token(name) for name in ("front-owner", "front-other"))
    with bench.serve(threads=8) as web, bench.front(web) as front:
        calls = {"/healthz/": {}, "/api/v1/trends/": {}, "/api/v1/auth/profile/": _bearer(other)}
        for path, headers in calls.items():
            bench.compare(
                f"{path}: the web process alone, and through the front",
                {"web process": web.get(path, headers), "through the front": front.get(path, headers)},
            )
        rows = []
        for path, headers in calls.items():
            ratios, quiet, loaded = _delays(bench, front, path, headers, owner)
            rows.append((path, f"{quiet * 1000:.1f}", f"{loaded * 1000:.1f}", f"{statistics.median(ratios):.1f}x",
                         f"{min(ratios):.1f}-{max(ratios):.1f}"))  # fmt: skip
        bench.table(
            "p99 of others with 500 half-sent bodies, 50 readers that read nothing and 8 requesters of large pages",
            ("", "without, ms", "with, ms", "with / without", "min-max"),
            rows,
        )


def _delays(
    bench: Bench, front: Server, path: str, headers: dict[str, str], owner: str
) -> tuple[list[float], float, float]:
    """Return the p99 with the load divided by the p99 without for each round, and the median of each in seconds."""
    without, loaded = [], []
    call = front.get(path, headers)
    for _ in range(2 if bench.quick else ROUNDS):
        without.append(bench.percentile(bench.latencies(call, seconds=SECONDS), 99))
        with _hostile_clients(front, owner):
            loaded.append(bench.percentile(bench.latencies(call, seconds=SECONDS), 99))
    ratios = [slow / quick for slow, quick in zip(loaded, without, strict=True)]
    return ratios, statistics.median(without), statistics.median(loaded)


@contextmanager
def _hostile_clients(front: Server, token: str) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.hostile_clients", front.url, token],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    try:
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.stdin.close()
        process.wait(60)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _token(name: str) -> str:
    """Create a user with large notes and return an access token."""
    from accounts import tokens
    from notes.services import notes

    user = new_user(name)
    for _ in range(NOTES):
        notes.create_note(owner=user, title="large", body="x" * NOTE_CHARACTERS)
    return tokens.start_session(user=user)[1]
