"""Compare an import with django-import-export and with ``COPY`` of the same file, and measure its memory.

Atrium's import validates and reports every row, skips duplicates and stores the file. COPY only moves the rows from the
file into Postgres. It is measured with three tables, because the indexes take most of the time: with all indexes of the
real table, without the search index, and without any index.
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

from trends.files.columns import COLUMNS, TEXTS
from trends.models import ImportRun, Trend
from trends.services import import_runner, imports

from . import trends_data
from .harness import ROOT, Bench

TABLE = Trend._meta.db_table
MEASURED = """
import pathlib, re, sys, django
django.setup()
from django.core.files.base import File
from trends.services import imports
with open(sys.argv[1], "rb") as file:
    report = imports.check_file(file=File(file, name="memory.csv"))
assert report.total_rows and not report.error, report
# Not getrusage: it reports at least the peak of the process that started this one.
peak = re.search(r"VmHWM:\\s+(\\d+)", pathlib.Path("/proc/self/status").read_text())[1]
print(f"{int(peak) / 1024:.0f}")
"""


class BulkResource(ModelResource):
    """django-import-export with its documented options for speed, and with the lookups that find duplicates."""

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
                ("COPY into a table with all our indexes", lambda file: copy(file, indexes=True)),
                ("COPY into a table without the search index", lambda file: copy(file, indexes=True, search=False)),
                ("COPY into a table without indexes", lambda file: copy(file, indexes=False)),
            ):
                taken.setdefault(name, []).append(timed(action, path))
        timed(ours, path)
        taken["ours again: every row a duplicate"] = [timed(ours, path, empty=False)]
        later = recounted(path)
        taken["ours, mode=update, checked only: every row updates a trend"] = [timed(check_update, later, empty=False)]
        taken["ours, mode=update: every row updates a trend"] = [timed(update, later, empty=False)]
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


def ours(path: Path, *, mode: str = ImportRun.Mode.ADD) -> ImportRun:
    with path.open("rb") as file:
        run = imports.start_import(
            file=File(file, name=path.name),
            key=imports.new_file_key(),
            origin=ImportRun.Origin.UPLOAD,
            by=None,
            mode=mode,
        )
    import_runner.import_waiting()
    run.refresh_from_db()
    assert run.status == "completed", run.error
    return run


def recounted(path: Path) -> Path:
    """Write the file again with one more publication in each row; return its path."""
    later = path.with_name("later.csv")
    place = COLUMNS.index("total_count_of_publications")
    with path.open(encoding="utf-8", newline="") as file, later.open("w", encoding="utf-8", newline="") as out:
        header, *rows = csv.reader(file, delimiter=";")
        writer = csv.writer(out, delimiter=";")
        writer.writerow(header)
        for row in rows:
            row[place] = str(int(row[place] or 0) + 1)
            writer.writerow(row)
    return later


def check_update(path: Path) -> None:
    with path.open("rb") as file:
        report = imports.check_file(file=File(file, name=path.name), mode=ImportRun.Mode.UPDATE)
    assert report.updated == report.total_rows, report


def update(path: Path) -> None:
    run = ours(path, mode=ImportRun.Mode.UPDATE)
    assert run.updated == run.total_rows


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
    """Return the peak memory of a process that checks a file of ``count`` rows: an import without the last INSERT."""
    path = trends_data.write(Path(folder) / f"{count}.csv", count)
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    path.unlink()
    return done.stdout.strip().splitlines()[-1]
