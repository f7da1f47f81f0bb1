"""The sample files come out alike by each way in."""

from collections.abc import Callable
from typing import Any

import pytest

from trends.models import ImportRun, Trend

from .conftest import names
from .factories import sample, stored

# file, rows, created, duplicates, rejected
GOOD = [
    ("trends_sample.csv", 72, 72, 0, 0),
    ("trends_messy.csv", 62, 57, 1, 4),
    ("trends_other_order.csv", 20, 20, 0, 0),
]


@pytest.mark.parametrize("name, total, created, duplicates, rejected", GOOD)
def test_by_the_watched_folder(look, drop, settings, name, total, created, duplicates, rejected):
    drop(name)
    run = look()
    assert (run.total_rows, run.created, run.duplicates, run.rejected) == (total, created, duplicates, rejected)
    assert run.status == ("completed_with_errors" if rejected else "completed")
    assert Trend.objects.count() == created
    assert names(settings.TRENDS_INBOX) == []
    assert (settings.TRENDS_BACKUP / run.backup).read_bytes() == sample(name)
    assert names(settings.TRENDS_BACKUP) == [name]


@pytest.mark.parametrize("name, total, created, duplicates, rejected", GOOD)
def test_by_an_upload(send, name, total, created, duplicates, rejected):
    run = send(sample(name), name)
    assert [run[key] for key in ("total_rows", "created", "duplicates", "rejected")] == [
        total, created, duplicates, rejected,
    ]  # fmt: skip
    assert (run["name"], run["origin"]) == (name, "upload")
    assert Trend.objects.count() == created


@pytest.mark.parametrize("name, total, created, duplicates, rejected", GOOD)
def test_by_a_dry_run_that_stores_nothing(send, name, total, created, duplicates, rejected):
    run = send(sample(name), name, dry_run="true")
    assert [run[key] for key in ("total_rows", "created", "duplicates", "rejected")] == [
        total, created, duplicates, rejected,
    ]  # fmt: skip
    assert run["id"] is None
    assert len(run["errors"]) == rejected
    assert not Trend.objects.exists()
    assert not ImportRun.objects.exists()


def test_the_bad_rows_are_told_with_line_column_value_and_reason(send):
    run = send(sample("trends_messy.csv"))
    told = [(error["line"], error["column"], error["code"]) for error in run["errors"]]
    assert told == [
        (12, "total_count_of_patents", "negative"),
        (15, "impact_strength", "unknown_choice"),
        (17, "megatrend", "too_long"),
        (64, "", "too_few_values"),
    ]
    assert run["errors"][1]["value"] == "Huge"
    assert run["errors"][1]["message"] == "This must be one of Low, Medium, High."


def test_swapped_columns_are_found_by_their_names(look, drop):
    drop("trends_other_order.csv")
    look()
    assert "Foundation models" in Trend.objects.values_list("macrotrend", flat=True)
    assert "Artificial Intelligence" in Trend.objects.values_list("megatrend", flat=True)


def test_a_lower_case_choice_and_a_newline_inside_a_value_are_kept(send):
    send(sample("trends_messy.csv"))
    assert Trend.objects.filter(macrotrend="Mega-constellations", technology_readiness_level="Deploy").exists()
    assert Trend.objects.get(challenges_and_research_gaps__contains="\n").challenges_and_research_gaps == (
        "Line one\nline two; with a semicolon"
    )


def test_over_the_limit_nothing_is_stored_and_the_file_is_in_quarantine_with_its_report(look, drop, settings):
    drop("trends_over_limit.csv")
    run = look()
    assert run.status == "failed"
    assert (run.total_rows, run.created, run.rejected) == (40, 0, 8)
    assert not Trend.objects.exists()
    assert names(settings.TRENDS_INBOX) == []
    assert names(settings.TRENDS_BACKUP) == []
    quarantine = settings.TRENDS_INBOX.parent / "quarantine"
    assert names(quarantine) == [run.quarantine, f"{run.quarantine}.report.txt"]
    assert (quarantine / run.quarantine).read_bytes() == sample("trends_over_limit.csv")
    report = (quarantine / f"{run.quarantine}.report.txt").read_text()
    assert "8 of 40 rows are bad" in report
    assert report.count("This must be one of Low, Medium, High.") == 8


def test_an_upload_over_the_limit_is_in_quarantine_too(send, settings):
    run = send(sample("trends_over_limit.csv"), "trends_over_limit.csv")
    assert (run["status"], run["created"], run["rejected"]) == ("failed", 0, 8)
    assert "8 of 40 rows are bad" in run["error"]
    assert not Trend.objects.exists()
    kept = names(settings.TRENDS_INBOX.parent / "quarantine")
    assert kept == [f"trends_over_limit.{run['id']}.csv", f"trends_over_limit.{run['id']}.csv.report.txt"]


def test_a_second_time_every_row_is_a_duplicate_and_the_run_says_of_which(look, drop, settings, send):
    drop("trends_sample.csv")
    first = look()
    before = stored()
    drop("trends_sample.csv")
    second = look()
    assert (second.created, second.duplicates, second.duplicate_of) == (0, 72, first)
    assert send(sample("trends_sample.csv"))["duplicate_of"] == first.pk
    assert stored() == before
    assert names(settings.TRENDS_INBOX) == []
    assert names(settings.TRENDS_BACKUP) == ["trends_sample.csv"], "the same bytes are kept once"


def test_other_bytes_under_the_same_name_are_kept_beside_the_first(look: Callable, drop: Callable, settings: Any):
    drop("trends_sample.csv")
    look()
    drop(sample("trends_other_order.csv"), "trends_sample.csv")
    run = look()
    assert run.backup.startswith("trends_sample.")
    assert (settings.TRENDS_BACKUP / run.backup).read_bytes() == sample("trends_other_order.csv")
    assert (settings.TRENDS_BACKUP / "trends_sample.csv").read_bytes() == sample("trends_sample.csv")
