"""Logins: the cost of a hash, and the response times of other requests during many logins.

Atrium uses Argon2id with OWASP's 19 MiB and two passes. It is compared with Django's default hasher and with Django's
Argon2 (100 MiB, two passes, eight lanes).
"""

import http.client
import itertools
import json
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from .harness import Bench, Server, new_user

PASSWORD = "correct horse battery staple"


def make_user(name: str, **fields: object) -> object:
    from django.contrib.auth.hashers import make_password

    return new_user(name, **{"password": make_password(PASSWORD), **fields})


def poster(server: Server) -> Callable[[str, dict], int]:
    """Return a function that posts to a path of accounts over one connection and returns the status."""
    parts = urlsplit(server.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)

    def post(path: str, body: dict) -> int:
        connection.request("POST", f"/api/v1/auth/{path}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    return post


def run(bench: Bench) -> None:
    from django.contrib.auth.hashers import Argon2PasswordHasher, PBKDF2PasswordHasher

    from accounts import tokens
    from accounts.hashers import Argon2idHasher

    hashers = {
        "Argon2id, 19 MiB, t=2": Argon2idHasher(),
        "PBKDF2, Django's default": PBKDF2PasswordHasher(),
        "Argon2, Django's parameters": Argon2PasswordHasher(),
    }

    def verifier(hasher: object) -> Callable[[], object]:
        encoded = hasher.encode(PASSWORD, hasher.salt())
        return lambda: hasher.verify(PASSWORD, encoded)

    bench.compare(
        "Checking one password (calls/s is logins per second and core)",
        {name: verifier(hasher) for name, hasher in hashers.items()},
        calls=3,
        warmup=1,
    )

    ada = make_user("ada")
    _, access, _ = tokens.start_session(user=ada)
    bearer = {"Authorization": f"Bearer {access}"}
    hashers_under_load = {
        "Argon2id, 19 MiB, t=2": None,
        "PBKDF2, Django's default": "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    }
    rows = []
    with bench.serve(threads=8) as server:  # the default number of threads
        idle = bench.latencies(server.get("/api/v1/auth/profile/", bearer), seconds=6)
        rows.append(("idle", "", *_ms(bench, idle)))
        for n, (name, hasher) in enumerate(hashers_under_load.items()):
            _make_users(f"storm{n}x", hasher)
            people = itertools.cycle([f"storm{n}x{m}" for m in range(8)])

            def caller(people: Iterator[str] = people) -> Callable[[], object]:
                post, body = poster(server), {"username": next(people), "password": "wrong"}
                return lambda: post("login/", body)

            with bench.load(caller, threads=8) as counts:
                busy = bench.latencies(server.get("/api/v1/auth/profile/", bearer), seconds=6)
                answered = sum(counts)
            seconds = 6 / 5 if bench.quick else 6
            rows.append((f"many logins, {name}", f"{answered / seconds:.0f}", *_ms(bench, busy)))
    bench.table(
        "GET profile/ while 8 clients log in continuously",
        ("", "logins/s", "median ms", "p95 ms", "p99 ms"),
        rows,
    )
    with bench.serve() as server:
        bench.compare(
            "An authenticated and an anonymous GET",
            {
                "profile, with a token (two queries)": server.get("/api/v1/auth/profile/", bearer),
                "trends, anonymous (two queries)": server.get("/api/v1/trends/?page_size=1"),
                "health, anonymous (no query)": server.get("/healthz/"),
            },
            calls=100,
        )


def _make_users(prefix: str, hasher: str | None) -> None:
    from django.utils.module_loading import import_string

    chosen = import_string(hasher)() if hasher else None
    for n in range(8):
        make_user(f"{prefix}{n}", **({"password": chosen.encode(PASSWORD, chosen.salt())} if chosen else {}))


def _ms(bench: Bench, taken: list[float]) -> list[str]:
    return [f"{bench.percentile(taken, percent) * 1000:.2f}" for percent in (50, 95, 99)]
