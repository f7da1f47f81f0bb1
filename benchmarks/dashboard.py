"""The staff dashboard with a million rows in every table that grows: the time of each of its queries."""

import logging
import statistics
import time
from collections.abc import Callable
from typing import Any

from axes.models import AccessAttempt
from django.db import connection
from django.test import Client

from accounts.backends import BACKEND
from accounts.models import User
from config.audit.models import AuditRecord
from config.dashboard import services
from config.dashboard.jobs import job_tables
from config.models import DismissedJob, OutgoingEvent
from contacts.models import Contact
from messaging.models import Message, MessageRecipient
from notes.models import Membership, Note
from tests.filling import fill
from trends.models import Change, Trend

from .harness import Bench, new_user

ROWS, QUICK_ROWS = 1_000_000, 20_000
ROUNDS = 7
LISTED, LONGEST = 8, 150  # of the slowest queries: how many, and characters
GOAL = 50  # milliseconds
KINDS = "(ARRAY['login', 'login_failed', 'mfa_failed', 'note_deleted'])[1 + n % 4]"

# Tables that grow with use, besides those of jobs.
TABLES: dict[Any, dict[str, str]] = {
    User: {
        "username": "'person' || n", "email": "'person' || n || '@example.org'",
        "usercode": "lpad(upper(to_hex(n)), 6, '0')",
        "date_joined": "now() - n * interval '5 second'",
    },
    Note: {"title": "'Note ' || n", "body": "'Call the plumber about tap ' || n"},
    Membership: {"note": "n", "role": "'owner'"},
    Message: {"body": "'Lunch at ' || n % 12 || ', or later?'", "recipient_count": "1"},
    MessageRecipient: {"message": "n", "recipient": "1 + n % 1000"},
    Contact: {"row": "n", "name": "'Ana ' || n", "phone_number": "n::text", "phone_key": "n::text"},
    Trend: {"megatrend": "'Megatrend ' || n % 50", "macrotrend": "'Macrotrend ' || n", "steepl": "'T'"},
    Change: {"place": "n", "trend_id": "n", "history_of": "n"},
    AuditRecord: {"kind": KINDS},
    AccessAttempt: {"username": "'person' || n", "failures_since_start": "10"},
    OutgoingEvent: {},
    DismissedJob: {"table": "'config.outgoingmail'", "row": "(SELECT min(id) FROM config_outgoingmail) + n - 1"},
}  # fmt: skip


def run(bench: Bench) -> None:
    rows = QUICK_ROWS if bench.quick else ROWS
    tables: dict[Any, dict[str, str]] = {model: {} for model in job_tables()} | TABLES
    for model, expressions in tables.items():
        fill(model, rows, **expressions)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
    logging.disable(logging.INFO)  # a line for each request
    desk = Client()
    desk.force_login(new_user("desk", is_staff=True, is_superuser=True, usercode="ZZZZZZ"), backend=BACKEND)
    parts: dict[str, Callable[[], Any]] = {
        "page": lambda: desk.get("/admin/"),
        "health": lambda: desk.get("/admin/dashboard/health/"),
        "queues": lambda: desk.get("/admin/dashboard/queues/"),
    }
    summary, slowest = [], []
    for part, load in parts.items():
        queries, seconds = measure(load)
        slowest += [(milliseconds, part, sql) for sql, milliseconds in queries]
        worst = max(milliseconds for _, milliseconds in queries)
        summary.append((part, len(queries), f"{worst:.1f}", f"{1000 * seconds:.0f}"))
    bench.table(
        f"The dashboard, {rows:,} rows in each of {len(tables)} tables   (medians of {ROUNDS} loads; goal: {GOAL} ms)",
        ("part", "queries", "slowest query ms", "whole part ms"),
        summary,
    )
    slowest.sort(reverse=True)
    listed = [
        (" ".join(sql.split())[:LONGEST], part, f"{milliseconds:.1f}") for milliseconds, part, sql in slowest[:LISTED]
    ]
    bench.table("The slowest queries", ("query", "part", "ms"), listed)
    started = time.perf_counter()
    services.record_figures()
    first = time.perf_counter() - started
    started = time.perf_counter()
    services.record_figures()
    bench.say(
        f"  A worker counts for the figures every five minutes: {time.perf_counter() - started:.1f} s; "
        f"{first:.1f} s the first time, with the history of 30 days."
    )


def measure(load: Callable[[], Any]) -> tuple[list[tuple[str, float]], float]:
    """Call ``load`` several times; return each of its queries with its median milliseconds, and the median seconds."""
    loads: list[list[tuple[str, float]]] = []
    seconds = []
    for _ in range(ROUNDS):
        queries: list[tuple[str, float]] = []

        def timed(execute: Any, sql: str, params: Any, many: bool, context: Any, found: Any = queries) -> Any:
            started = time.perf_counter()
            result = execute(sql, params, many, context)
            found.append((sql, 1000 * (time.perf_counter() - started)))
            return result

        started = time.perf_counter()
        with connection.execute_wrapper(timed):
            response = load()
        seconds.append(time.perf_counter() - started)
        if response.status_code != 200:
            raise RuntimeError(f"answered {response.status_code}")
        loads.append(queries)
    same = [each for each in loads if len(each) == len(loads[-1])]
    medians = [
        (queries[0][0], statistics.median(milliseconds for _, milliseconds in queries))
        for queries in zip(*same, strict=True)
    ]
    return medians, statistics.median(seconds)
