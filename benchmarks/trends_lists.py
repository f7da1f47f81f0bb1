"""Compare the cached list with other ways to serve the same page, and measure its latency during an import.

All calls go to one server with the product's own middleware, URLs and settings, anonymously, over one connection:

- cached (ours): stored bytes, checked against the last commit with one query;
- ModelSerializer, uncached: rendered for every request;
- cache_page inside the view: Django's cache around the view's method, so throttles still count;
- cache_page outside the view: around the whole view, without throttles; both are up to two minutes stale;
- bare Django view: two bytes, no query, the same middleware: the lower bound.
"""

import http.client
import statistics
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from django.core.files.base import ContentFile
from django.db import connection

from config.cache.generations import invalidate
from trends.models import ImportRun, Trend
from trends.services import import_runner, imports

from . import trends_data
from .harness import Bench, Server

PAGE = "?page_size=50"
OFF = {"THROTTLE_ANON": "", "THROTTLE_USER": ""}


def run(bench: Bench) -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE trends_trend")
    import_rows(2_000 if bench.quick else 10_000)
    invalidate("trends")
    with bench.serve("benchmarks.trends_apps:application", env=OFF) as server:
        compare(bench, server)
        while_importing(bench, server)
    with bench.serve("benchmarks.trends_apps:application", env=dict.fromkeys(OFF, "100000000/min")) as server:
        bench.compare(
            "The same with throttles that count",
            {
                "cached (ours)": server.get(f"/api/v1/trends/{PAGE}"),
                "ModelSerializer, uncached": server.get(f"/bench/serialized/{PAGE}"),
                "cache_page inside the view": server.get(f"/bench/cache_page/{PAGE}"),
            },
        )


def import_rows(count: int, seed: int = 1) -> None:
    with tempfile.TemporaryDirectory() as folder:
        content = trends_data.write(Path(folder) / "trends.csv", count, seed=seed).read_bytes()
    imports.start_import(
        file=ContentFile(content, name="bench.csv"), key=imports.new_file_key(), origin=ImportRun.Origin.UPLOAD, by=None
    )
    import_runner.import_waiting()


def compare(bench: Bench, server: Server) -> None:
    bench.say(f"{Trend.objects.count():,} trends, a page of 50")
    ours = f"/api/v1/trends/{PAGE}"
    etag = tag_of(server, ours)
    calls = {
        "cached (ours)": server.get(ours),
        "cached, gzip": server.get(ours, {"Accept-Encoding": "gzip"}),
        "304": server.get(ours, {"If-None-Match": etag}),
        "ModelSerializer, uncached": server.get(f"/bench/serialized/{PAGE}"),
        "cache_page inside the view": server.get(f"/bench/cache_page/{PAGE}"),
        "cache_page outside the view": server.get(f"/bench/cache_page_outside/{PAGE}"),
        "bare Django view": server.get("/bench/bare/"),
    }
    times = bench.compare("A list of trends", calls)
    floor = times["ModelSerializer, uncached"] / times["bare Django view"]
    bench.say(f"\n  A view that does nothing takes 1/{floor:.1f} of the uncached page's time.")
    processor_time(bench, server, calls)


def processor_time(bench: Bench, server: Server, calls: dict[str, Callable[[], object]]) -> None:
    """Measure the processor time of a request, which does not depend on the load of the machine."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(3 if bench.quick else 9):
        for name, call in calls.items():
            before = server.cpu_seconds()
            for _ in range(100):
                call()
            taken[name].append((server.cpu_seconds() - before) / 100)
    medians = {name: statistics.median(times) for name, times in taken.items()}
    subject = next(iter(medians.values()))
    rows = [(name, f"{m * 1e6:,.0f}", f"{m / subject:.2f}x") for name, m in medians.items()]
    bench.table("Processor time of the web process, microseconds a request", ("", "median", "time / subject's"), rows)


def tag_of(server: Server, path: str) -> str:
    parts = urlsplit(server.url)
    asked = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
    asked.request("GET", path)
    return asked.getresponse().headers["ETag"]


def while_importing(bench: Bench, server: Server) -> None:
    """Measure p50 and p99 of the cached and the uncached list, alone and during an import."""
    count = 10_000 if bench.quick else 100_000
    seconds = 10.0
    pages = {"cached list": server.get(f"/api/v1/trends/{PAGE}"), "uncached": server.get(f"/bench/serialized/{PAGE}")}
    rows = []
    for name, call in pages.items():
        call()
        alone = bench.latencies(call, seconds=seconds)
        importer = threading.Thread(target=import_and_close, args=(count, hash(name)))
        importer.start()
        busy = []
        while importer.is_alive():
            busy += bench.latencies(call, seconds=1.0)
        importer.join()
        busy.sort()
        for label, taken in ((f"{name}, alone", alone), (f"{name}, {count:,} rows imported meanwhile", busy)):
            rows.append((label, *(f"{bench.percentile(taken, p) * 1000:.2f}" for p in (50, 99)), len(taken)))
    bench.table("Latency of one client, milliseconds", ("", "p50", "p99", "calls"), rows)


def import_and_close(count: int, seed: int) -> None:
    try:
        import_rows(count, seed=seed)
    finally:
        connection.close()
