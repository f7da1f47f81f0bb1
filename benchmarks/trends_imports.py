"""An import beside django-import-export and beside ``COPY`` of the same file, and its memory as files grow.

Ours reads, checks and reports each row, leaves out duplicates, keeps the file, and commits rows and report together.
COPY does none of it: the rows go from the file into Postgres. It is shown into three tables, because most of either's
time is that of the indexes: one with all that ours has, one without the search's, and one with no index at all.
"""

import csv
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tablib
from django.core.files.base import File
from django.db import connection, transaction
from import_export.resources import ModelResource

from trends import importing, services
from trends.columns import COLUMNS, TEXTS
from trends.models import ImportRun, Trend

from . import trends_data
from .harness import ROOT, Bench

TABLE = Trend._meta.db_table
MEASURED = """
import pathlib, re, sys, django
django.setup()
from django.core.files.base import File
from trends import services
with open(sys.argv[1], "rb") as file:
    report = services.check_file(file=File(file, name="memory.csv"))
assert report.total_rows and not report.error, report
# Not getrusage: what it tells is never less than the peak of the process that started this one.
peak = re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]
print(f"{int(peak) / 1024:.0f}")
"""


class BulkResource(ModelResource):
    """django-import-export as its documentation says for speed, with the lookups that tell duplicates from new rows."""

    class Meta:
        model = Trend
        fields = COLUMNS
        import_id_fields = COLUMNS
        use_bulk = True
        batch_size = 1_000
        skip_unchanged = True
        skip_diff = True
        report_skipped = False
        use_transactions = True


def run(bench: Bench) -> None:
    count = 5_000 if bench.quick else 100_000
    with tempfile.TemporaryDirectory() as folder:
        path = trends_data.write(Path(folder) / "trends.csv", count)
        bench.say(f"{count:,} rows, {path.stat().st_size / 1e6:.1f} MB")
        taken: dict[str, list[float]] = {}
        for _ in range(1 if bench.quick else 3):
            for name, action in (
                ("ours: stored, reported, backed up", ours),
                ("COPY into a table with all of ours' indexes", lambda file: copy(file, indexes=True)),
                ("COPY into one without the search's index", lambda file: copy(file, indexes=True, search=False)),
                ("COPY into one without any index", lambda file: copy(file, indexes=False)),
            ):
                taken.setdefault(name, []).append(timed(action, path))
        timed(ours, path)
        taken["ours again: every row a duplicate"] = [timed(ours, path, empty=False)]
        few = count if bench.quick else 10_000
        small = trends_data.write(Path(folder) / "small.csv", few, seed=2)
        taken[f"django-import-export, bulk, real lookups ({few:,} rows, scaled)"] = [timed(bulk, small) * count / few]
        medians = {name: statistics.median(times) for name, times in taken.items()}
        subject = next(iter(medians.values()))
        rows = [(name, f"{m:.2f}", f"{count / m:,.0f}", f"{m / subject:.2f}x") for name, m in medians.items()]
        bench.table(f"Seconds for {count:,} rows", ("", "median s", "rows/s", "time / ours"), rows)
        sizes = (1_000, 10_000) if bench.quick else (10_000, 100_000, 1_000_000)
        rows = [(f"{size:,}", memory(folder, size)) for size in sizes]
        bench.table("Memory of the process that reads, MiB", ("rows", "peak"), rows)


def timed(action: Callable[[Path], None], path: Path, *, empty: bool = True) -> float:
    if empty:
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {TABLE}")
    started = time.perf_counter()
    action(path)
    return time.perf_counter() - started


def ours(path: Path) -> None:
    with path.open("rb") as file:
        run = services.start_import(
            file=File(file, name=path.name), key=services.file_key(), origin=ImportRun.Origin.UPLOAD, by=None
        )
    importing.import_waiting()
    run.refresh_from_db()
    assert run.status == "completed", run.error


def copy(path: Path, *, indexes: bool, search: bool = True) -> None:
    columns = ", ".join(COLUMNS)
    with transaction.atomic(), connection.cursor() as cursor, path.open("rb") as file:
        like = "INCLUDING ALL" if indexes else "INCLUDING DEFAULTS INCLUDING IDENTITY"
        cursor.execute(f"CREATE TABLE trends_copied (LIKE {TABLE} {like})")
        if not search:
            cursor.execute(
                "SELECT indexname FROM pg_indexes WHERE tablename = 'trends_copied' AND indexdef LIKE '%USING gin%'"
            )
            for (name,) in cursor.fetchall():
                cursor.execute(f'DROP INDEX "{name}"')
        cursor.copy_expert(
            f"COPY trends_copied ({columns}) FROM STDIN WITH "
            f"(FORMAT csv, DELIMITER ';', HEADER, FORCE_NOT_NULL ({', '.join(TEXTS)}))",
            file,
        )
        cursor.execute("DROP TABLE trends_copied")


def bulk(path: Path) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        _, *rows = csv.reader(file, delimiter=";")
    counts = [COLUMNS.index(name) for name in COLUMNS if name not in TEXTS]
    data = tablib.Dataset(headers=COLUMNS)
    for row in rows:
        data.append([(value or None) if place in counts else value for place, value in enumerate(row)])
    result = BulkResource().import_data(data, raise_errors=True)
    assert not result.has_errors()


def memory(folder: str, count: int) -> str:
    """The peak of a process of its own that checks a file of ``count`` rows: all of an import but the last INSERT."""
    path = trends_data.write(Path(folder) / f"{count}.csv", count)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    path.unlink()
    return done.stdout.strip().splitlines()[-1]
