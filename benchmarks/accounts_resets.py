"""A thousand password resets at once: the response times of other requests.

The same number of requests that write nothing is measured too, to separate the load of the requests from the load of
the mails.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from .accounts_logins import make_user, poster
from .harness import ROOT, Bench, Server

USERS = 1000


def run(bench: Bench) -> None:
    from accounts import tokens
    from accounts.models import AccountLink

    users = USERS // 5 if bench.quick else USERS
    people = [make_user(f"forgetful{n}", password="!").email for n in range(users)]
    _, access, _ = tokens.start_session(user=make_user("busy", password="!"))
    bearer = {"Authorization": f"Bearer {access}"}
    rows = []
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", "mail", "--concurrency", "1"],
        cwd=ROOT,
        env={**os.environ, "ATRIUM_PROCESS": "worker"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        with bench.serve(threads=8) as server:
            get = server.get("/api/v1/auth/profile/", bearer)
            rows.append(("idle", "", *_ms(bench, bench.latencies(get, seconds=5))))
            for name, path, body in (
                ("the same number of requests that write nothing", "token/verify/", lambda _: {"token": "x"}),
                ("password resets", "reset-password/", lambda address: {"email": address}),
            ):
                started = time.perf_counter()
                taken = _during(bench, server, get, [(path, body(address)) for address in people])
                rows.append((name, f"{users / (time.perf_counter() - started):.0f}", *_ms(bench, taken)))
            started = time.perf_counter()
            while left := AccountLink.objects.filter(done_at=None).count():
                if time.perf_counter() - started > 300:
                    raise RuntimeError(f"{left} mails are not sent yet")
                taken = bench.latencies(get, seconds=1)
            rows.append(("while the worker sends the remaining mails", "", *_ms(bench, taken)))
    finally:
        worker.terminate()
        worker.wait(30)
    mailed = AccountLink.objects.filter(email__startswith="forgetful").exclude(code_hash="").count()
    bench.table(
        f"GET profile/ while {users} users request a password reset; {mailed} mails sent",
        ("", "resets/s", "median ms", "p95 ms", "p99 ms"),
        rows,
    )


def _during(bench: Bench, server: Server, get: Callable, requests: list[tuple[str, dict]]) -> list[float]:
    """Return the latencies of ``get`` while four callers send ``requests``."""
    remaining, statuses = iter(requests), []

    def caller() -> Callable[[], object]:
        post = poster(server)

        def one() -> None:
            if (request := next(remaining, None)) is None:
                time.sleep(0.01)  # other callers are still sending
            else:
                statuses.append(post(*request))

        return one

    taken: list[float] = []
    with bench.load(caller, threads=4):
        while len(statuses) < len(requests):
            started = time.perf_counter()
            get()
            taken.append(time.perf_counter() - started)
    return sorted(taken)


def _ms(bench: Bench, taken: list[float]) -> list[str]:
    return [f"{bench.percentile(taken, percent) * 1000:.2f}" for percent in (50, 95, 99)]
