"""The reads of messages among 100,000, a million and five million receipts: time, and pages of the database.

A person has 2,500 receipts at each size, so only the tables grow. Pages do not depend on the machine: a query that
reads as many pages stays as fast, as long as the upper levels of its indexes are in memory.
"""

import random
import statistics
from typing import Any

from django.db import connection

from accounts.models import User

from .harness import Bench
from .messaging_history import KINDS, fill, middle_id
from .messaging_sending import people

SIZES = (100_000, 1_000_000, 5_000_000)
RECEIPTS_OF_ONE = 2_500
ASKED = 40  # people


class Explained:
    """Explains each query that is executed, besides executing it."""

    def __init__(self) -> None:
        self.milliseconds, self.pages, self.scans = 0.0, 0, set[str]()

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().startswith(("SELECT", "WITH", "(")):
            with connection.connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params)
                [plan] = cursor.fetchone()[0]
            self.milliseconds += plan["Execution Time"] + plan["Planning Time"]
            self.pages += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            self._collect(plan["Plan"])
        return execute(sql, params, many, context)

    def _collect(self, node: dict[str, Any]) -> None:
        if node["Node Type"].endswith("Scan") and node.get("Relation Name", "").startswith("messaging_messagerec"):
            self.scans.add(node["Node Type"])
        for child in node.get("Plans", []):
            self._collect(child)


def explain(crowd: list[User]) -> dict[str, tuple[float, float, str]]:
    """Return the median milliseconds and pages of each read, and how it reads the receipts."""
    middle, found = middle_id(), {}
    for name, ask in KINDS.items():
        chosen, times, pages, scans = random.Random(7), [], [], set[str]()
        for _ in range(ASKED):
            user, peer = chosen.sample(crowd, 2)
            ask(user, peer, middle)  # its pages are in memory then
            explained = Explained()
            with connection.execute_wrapper(explained):
                ask(user, peer, middle)
            times.append(explained.milliseconds)
            pages.append(explained.pages)
            scans |= explained.scans
        found[name] = (statistics.median(times), statistics.median(pages), ", ".join(sorted(scans)))
    return found


def run(bench: Bench) -> None:
    sizes = (10_000, 100_000) if bench.quick else SIZES
    crowd = people(sizes[-1] // RECEIPTS_OF_ONE, "writer")
    results = []
    for rows in sizes:
        writers = crowd[: rows // RECEIPTS_OF_ONE]
        fill(rows, writers)
        results.append(explain(writers[len(writers) // 2 :]))
    bench.table(
        "Reads of messages: median ms / pages of the database",
        ("", *(f"{rows:,}" for rows in sizes), "receipts are read by"),
        [
            (name, *(f"{each[name][0]:.2f} / {each[name][1]:.0f}" for each in results), results[-1][name][2])
            for name in KINDS
        ],
    )
