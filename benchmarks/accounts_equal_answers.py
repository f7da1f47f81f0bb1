"""Compares the response times for known and unknown addresses: they must not reveal whether an account exists."""

import itertools
import statistics
import time
from collections.abc import Callable

from .accounts_logins import PASSWORD, make_user, poster
from .harness import Bench

CALLS = 50


def run(bench: Bench) -> None:
    for n in range(CALLS + 5):
        make_user(f"known{n}", password="!")
    make_user("known")
    fresh = itertools.count()

    def register(address: Callable[[int], str]) -> Callable[[int], dict]:
        return lambda n: {"email": address(n), "username": f"new{next(fresh)}", "password": PASSWORD}

    calls: dict[str, tuple[str, Callable[[int], dict], Callable[[int], dict]]] = {
        "register": (
            "register/",
            register(lambda n: f"known{n}@example.org"),
            register(lambda n: f"unknown{n}@example.org"),
        ),
        "login": (
            "login/",
            lambda n: {"email": "known@example.org", "password": "wrong"},
            lambda n: {"email": f"unknown{n}@example.org", "password": "wrong"},
        ),
        "login with the password of a registration": (
            "login/",
            lambda n: {"email": "knownpending@example.org", "password": PASSWORD},
            lambda n: {"email": "unknownpending@example.org", "password": PASSWORD},
        ),
        "reset-password": (
            "reset-password/",
            lambda n: {"email": f"known{n}@example.org"},
            lambda n: {"email": f"nobody{n}@example.org"},
        ),
        "resend-verification": (
            "resend-verification/",
            lambda n: {"email": f"known{n}@example.org"},
            lambda n: {"email": f"nobody{n}@example.org"},
        ),
    }
    rows = []
    make_user("knownpending", password="!")
    with bench.serve() as server:
        post = poster(server)
        for name in ("knownpending", "unknownpending"):
            body = {"email": f"{name}@example.org", "username": f"pending{name}"[:30], "password": PASSWORD}
            post("register/", body)
        for name, (path, known, unknown) in calls.items():
            rows.append((name, *_compare(post, path, known, unknown)))
    bench.table(
        f"Response time for a known and an unknown address ({CALLS} calls each, alternating)",
        ("", "known ms", "unknown ms", "difference ms", "spread of one (IQR) ms"),
        rows,
    )


def _compare(
    post: Callable[[str, dict], int], path: str, known: Callable[[int], dict], unknown: Callable[[int], dict]
) -> list[str]:
    taken: dict[str, list[float]] = {"known": [], "unknown": []}
    statuses = set()
    for n in range(CALLS + 3):
        order = [("known", known), ("unknown", unknown)]
        for kind, body in order if n % 2 else reversed(order):
            data = body(n)
            started = time.perf_counter()
            status = post(path, data)
            if n >= 3:
                taken[kind].append((time.perf_counter() - started) * 1000)
            statuses.add(status)
    if len(statuses) != 1:
        raise RuntimeError(f"{path} returned {statuses}: known and unknown differ")
    medians = {kind: statistics.median(times) for kind, times in taken.items()}
    quarters = statistics.quantiles(taken["unknown"], n=4)
    return [
        f"{medians['known']:.2f}",
        f"{medians['unknown']:.2f}",
        f"{medians['known'] - medians['unknown']:+.2f}",
        f"{quarters[2] - quarters[0]:.2f}",
    ]
