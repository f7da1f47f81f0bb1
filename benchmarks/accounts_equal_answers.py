"""Whether the time of an answer tells if an address has an account: medians of known and unknown ones, in turn."""

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
    make_user("waiting", email_verified_at=None)
    fresh = itertools.count()

    def register(address: Callable[[int], str]) -> Callable[[int], dict]:
        return lambda n: {"email": address(n), "username": f"new{next(fresh)}", "password": PASSWORD}

    questions: dict[str, tuple[str, Callable[[int], dict], Callable[[int], dict]]] = {
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
    with bench.serve() as server:
        post = poster(server)
        for name, (path, known, unknown) in questions.items():
            rows.append((name, *_compare(post, path, known, unknown)))
    bench.table(
        f"The time of the same answer for a known and an unknown address ({CALLS} calls each, in turn)",
        ("", "known ms", "unknown ms", "difference ms", "spread of one (IQR) ms"),
        rows,
    )


def _compare(
    post: Callable[[str, dict], int], path: str, known: Callable[[int], dict], unknown: Callable[[int], dict]
) -> list[str]:
    taken: dict[str, list[float]] = {"known": [], "unknown": []}
    said = set()
    for n in range(CALLS + 3):
        order = [("known", known), ("unknown", unknown)]
        for kind, body in order if n % 2 else reversed(order):
            asked = body(n)
            started = time.perf_counter()
            status = post(path, asked)
            if n >= 3:
                taken[kind].append((time.perf_counter() - started) * 1000)
            said.add(status)
    if len(said) != 1:
        raise RuntimeError(f"{path} answers {said}: known and unknown differ")
    medians = {kind: statistics.median(times) for kind, times in taken.items()}
    quarters = statistics.quantiles(taken["unknown"], n=4)
    return [
        f"{medians['known']:.2f}",
        f"{medians['unknown']:.2f}",
        f"{medians['known'] - medians['unknown']:+.2f}",
        f"{quarters[2] - quarters[0]:.2f}",
    ]
