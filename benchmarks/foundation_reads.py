"""CPU time of reads in the web process, as a multiple of a bare Django view with one query.

The requests are throttled and logged as in the product.
"""

from .harness import Bench, Server, new_user
from .notes_lists import LIST, etag_of, fill

PUBLIC = "/api/v1/trends/"
PROFILE = "/api/v1/auth/profile/"


def run(bench: Bench) -> None:
    from accounts import tokens

    people = [new_user(f"reads{n}") for n in range(2)]
    fill(people, 60)
    _, access, _ = tokens.start_session(user=people[0])
    bearer = {"Authorization": f"Bearer {access}"}
    rates = {"THROTTLE_ANON": "100000000/min", "THROTTLE_USER": "100000000/min"}
    with bench.serve("benchmarks.apps:application", env=rates) as server:
        reads = {
            "bare one-query view": ("/query/", {}),
            "profile": (PROFILE, bearer),
            "page of 50 notes, cached": (LIST, bearer),
            "page of 50 notes, not modified": (LIST, {**bearer, "If-None-Match": etag_of(server, LIST, bearer)}),
            "page of trends, cached": (PUBLIC, {}),
        }
        seconds = _cpu_seconds(server, reads, rounds=3 if bench.quick else 9, calls=100 if bench.quick else 300)
    subject = seconds["bare one-query view"]
    rows = [(name, f"{taken * 1000:.2f}", f"{taken / subject:.2f}x") for name, taken in seconds.items()]
    bench.table("CPU time of the web process", ("", "ms per call", "multiple"), rows)


def _cpu_seconds(
    server: Server, reads: dict[str, tuple[str, dict[str, str]]], *, rounds: int, calls: int
) -> dict[str, float]:
    """Return the CPU seconds of one call of each read. The reads take turns, so that a slow moment affects all."""
    taken = dict.fromkeys(reads, 0.0)
    requests = {name: server.get(path, headers) for name, (path, headers) in reads.items()}
    for turn in range(rounds + 1):
        for name, call in requests.items():
            before = server.cpu_seconds()
            for _ in range(calls):
                call()
            if turn:  # the first round fills the caches
                taken[name] += server.cpu_seconds() - before
    return {name: seconds / (rounds * calls) for name, seconds in taken.items()}
