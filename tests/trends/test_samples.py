"""The sample files give the same result whichever way they are imported."""

from typing import Any

import pytest

from trends.models import ImportRun, Trend

from .conftest import IMPORTS, Drop, Look, Send, names
from .factories import sample, stored, upload

# file, rows, created, duplicates, rejected
GOOD = [
    ("trends_sample.csv", 72, 72, 0, 0),
    ("trends_messy.csv", 62, 57, 1, 4),
    ("trends_other_order.csv", 20, 20, 0, 0),
]


@pytest.mark.parametrize("name, total, created, duplicates, rejected", GOOD)
def test_the_watched_folder_imports_a_sample(
    look: Look, drop: Drop, settings: Any, name: str, total: int, created: int, duplicates: int, rejected: int
) -> None:
    drop(name)
    run = look()
    assert (run.total_rows, run.created, run.duplicates, run.rejected) == (total, created, duplicates, rejected)
    assert run.status == ("completed_with_errors" if rejected else "completed")
    assert Trend.objects.count() == created
    assert names(settings.TRENDS_INBOX) == []
    assert (settings.TRENDS_BACKUP / run.backup).read_bytes() == sample(name)
    assert names(settings.TRENDS_BACKUP) == [name]


@pytest.mark.parametrize("name, total, created, duplicates, rejected", GOOD)
def test_an_upload_imports_a_sample(
    send: Send, name: str, total: int, created: int, duplicates: int, rejected: int
) -> None:
    run = send(sample(name), name)
    assert [run[key] for key in ("total_rows", "created", "duplicates", "rejected")] == [
        total, created, duplicates, rejected,
    ]  # fmt: skip
    assert (run["name"], run["origin"]) == (name, "upload")
    assert Trend.objects.count() == created


@pytest.mark.parametrize("name, total, created, duplicates, rejected", GOOD)
def test_a_dry_run_counts_the_rows_and_stores_nothing(
    send: Send, name: str, total: int, created: int, duplicates: int, rejected: int
) -> None:
    run = send(sample(name), name, dry_run="true")
    assert [run[key] for key in ("total_rows", "created", "duplicates", "rejected")] == [
        total, created, duplicates, rejected,
    ]  # fmt: skip
    assert run["id"] is None
    assert len(run["errors"]) == rejected
    assert not Trend.objects.exists()
    assert not ImportRun.objects.exists()


@pytest.mark.parametrize("query, form", [("true", None), ("1", "false"), ("false", "true")])
def test_a_dry_run_may_be_requested_in_the_query_or_in_the_form(send: Send, query: str, form: str | None) -> None:
    data = {"file": upload(sample("trends_sample.csv"))} | ({} if form is None else {"dry_run": form})
    run = send.client.post(f"{IMPORTS}?dry_run={query}", data, format="multipart").json()
    assert (run["id"], run["dry_run"], run["status"], run["created"]) == (None, True, "completed", 72)
    assert not ImportRun.objects.exists()


def test_a_dry_run_that_is_neither_true_nor_false_is_400(send: Send) -> None:
    data = {"file": upload(sample("trends_sample.csv"))}
    response = send.client.post(f"{IMPORTS}?dry_run=maybe", data, format="multipart")
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "dry_run")


def test_invalid_rows_are_reported_with_line_column_value_and_reason(send: Send) -> None:
    run = send(sample("trends_messy.csv"))
    reported = [(error["line"], error["column"], error["code"]) for error in run["errors"]]
    assert reported == [
        (12, "total_count_of_patents", "negative"),
        (15, "impact_strength", "unknown_choice"),
        (17, "megatrend", "too_long"),
        (64, "", "too_few_values"),
    ]
    assert run["errors"][1]["value"] == "Huge"
    assert run["errors"][1]["message"] == "This must be one of Low, Medium, High."


def test_columns_are_matched_by_name(look: Look, drop: Drop) -> None:
    drop("trends_other_order.csv")
    look()
    assert "Foundation models" in Trend.objects.values_list("macrotrend", flat=True)
    assert "Artificial Intelligence" in Trend.objects.values_list("megatrend", flat=True)


def test_a_lower_case_choice_and_a_line_break_in_a_value_are_accepted(send: Send) -> None:
    send(sample("trends_messy.csv"))
    assert Trend.objects.filter(macrotrend="Mega-constellations", technology_readiness_level="Deploy").exists()
    assert Trend.objects.get(challenges_and_research_gaps__contains="\n").challenges_and_research_gaps == (
        "Line one\nline two; with a semicolon"
    )


def test_a_file_with_too_many_invalid_rows_stores_nothing_and_is_quarantined_with_a_report(
    look: Look, drop: Drop, settings: Any
) -> None:
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
    assert "8 of 40 rows are invalid" in report
    assert report.count("This must be one of Low, Medium, High.") == 8


def test_an_upload_with_too_many_invalid_rows_is_quarantined_too(send: Send, settings: Any) -> None:
    run = send(sample("trends_over_limit.csv"), "trends_over_limit.csv")
    assert (run["status"], run["created"], run["rejected"]) == ("failed", 0, 8)
    assert "8 of 40 rows are invalid" in run["error"]
    assert not Trend.objects.exists()
    quarantined = names(settings.TRENDS_INBOX.parent / "quarantine")
    assert quarantined == [f"trends_over_limit.{run['id']}.csv", f"trends_over_limit.{run['id']}.csv.report.txt"]


def test_a_second_import_finds_only_duplicates_and_names_the_first_run(
    look: Look, drop: Drop, settings: Any, send: Send
) -> None:
    drop("trends_sample.csv")
    first = look()
    before = stored()
    drop("trends_sample.csv")
    second = look()
    assert (second.created, second.duplicates, second.duplicate_of) == (0, 72, first)
    assert send(sample("trends_sample.csv"))["duplicate_of"] == first.pk
    assert stored() == before
    assert names(settings.TRENDS_INBOX) == []
    assert names(settings.TRENDS_BACKUP) == ["trends_sample.csv"], "the same bytes are stored once"


def test_another_file_of_the_same_name_is_backed_up_beside_the_first(look: Look, drop: Drop, settings: Any) -> None:
    drop("trends_sample.csv")
    look()
    drop(sample("trends_other_order.csv"), "trends_sample.csv")
    run = look()
    assert run.backup.startswith("trends_sample.")
    assert (settings.TRENDS_BACKUP / run.backup).read_bytes() == sample("trends_other_order.csv")
    assert (settings.TRENDS_BACKUP / "trends_sample.csv").read_bytes() == sample("trends_sample.csv")
