"""Imports with ``mode=update`` update stored trends in bulk and keep their earlier values."""

from typing import Any

import pytest

from accounts.models import User
from tests.conftest import Client
from trends.models import Change, ImportRun, Trend

from .conftest import IMPORTS, Drop, Look, Send
from .factories import csv_bytes, upload, values

pytestmark = pytest.mark.django_db
COUNTS = ("total_rows", "created", "updated", "duplicates", "rejected")


def counts(run: Any) -> tuple[int, ...]:
    return tuple(run[name] if isinstance(run, dict) else getattr(run, name) for name in COUNTS)


def publications() -> dict[str, int]:
    return dict(Trend.objects.values_list("macrotrend", "total_count_of_publications"))


def earlier() -> list[tuple[str, int]]:
    """Kind and earlier publications of every change that has earlier values."""
    rows = Change.objects.exclude(before=None)
    return [(row.kind, row.before["total_count_of_publications"]) for row in rows]


def test_an_update_creates_updates_and_skips_rows_and_counts_each(send: Send) -> None:
    same, changed, new = (values(macrotrend=name) for name in ("same", "changed", "new"))
    send(csv_bytes(same, changed))
    pk = Trend.objects.get(macrotrend="changed").pk
    later = {**changed, "total_count_of_publications": 500, "impact_strength": "Low"}
    content = csv_bytes(same, later, new, {**new, "steepl": "X"}, *(values(macrotrend=f"{n}") for n in range(6)))
    expected = (10, 7, 1, 1, 1)
    assert counts(send(content, mode="update", dry_run="true")) == expected
    assert publications()["changed"] == 120
    run = send(content, mode="update")
    assert (counts(run), run["mode"]) == (expected, "update")
    stored = Trend.objects.get(pk=pk)
    assert (stored.total_count_of_publications, stored.impact_strength, stored.run_id) == (500, "Low", run["id"])
    assert earlier() == [("updated", 120)]
    assert counts(send(content, mode="update")) == (10, 0, 0, 9, 1)


def test_the_summary_never_adds_two_states_of_a_trend(api: Client, send: Send) -> None:
    row = values(total_count_of_publications=10)
    send(csv_bytes(row))
    send(csv_bytes({**row, "total_count_of_publications": 30, "technology_readiness_level": ""}), mode="update")
    summary = api.get("/api/v1/trends/summary/").json()
    assert (summary["count"], summary["publications"]) == (1, 30)


def test_the_last_row_of_a_file_wins(send: Send) -> None:
    rows = [values(macrotrend="a", total_count_of_publications=count) for count in (3, 1, 2)]
    assert counts(send(csv_bytes(*rows), mode="update")) == (3, 1, 0, 2, 0)
    assert publications() == {"a": 2}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_of_several_matching_trends_the_newest_is_updated_and_the_others_become_its_history(
    send: Send, count: int
) -> None:
    rows = [values(macrotrend="a", total_count_of_publications=count) for count in (1, 2, 3)]
    send(csv_bytes(*rows))
    newest = Trend.objects.order_by("pk").last().pk
    content = csv_bytes({**rows[0], "total_count_of_publications": count})
    assert counts(send(content, mode="update", dry_run="true")) == (1, 0, 1, 0, 0)
    assert counts(send(content, mode="update")) == (1, 0, 1, 0, 0)
    assert list(Trend.objects.values_list("pk", "total_count_of_publications")) == [(newest, count)]
    assert earlier() == [("deleted", 1), ("deleted", 2)] + [("updated", 3)] * (count != 3)
    assert set(Change.objects.exclude(before=None).values_list("history_of", flat=True)) == {newest}


@pytest.mark.parametrize("name", ["megatrend", "macrotrend", "challenges_and_research_gaps", "steepl",
                                  "relevant_industries", "real_world_application_and_use_cases"])  # fmt: skip
def test_a_row_with_another_identity_is_a_new_trend(send: Send, name: str) -> None:
    row = values()
    send(csv_bytes(row))
    assert counts(send(csv_bytes({**row, name: "L"}), mode="update")) == (1, 1, 0, 0, 0)


def test_the_mode_is_add_unless_the_form_or_the_query_says_update(api: Client, staff: User, send: Send) -> None:
    row = values(total_count_of_publications=1)
    send(csv_bytes(row))
    assert counts(send(csv_bytes({**row, "total_count_of_publications": 2}))) == (1, 1, 0, 0, 0)
    response = send.client.post(f"{IMPORTS}?mode=update", {"file": upload(csv_bytes(row))}, format="multipart")
    assert response.json()["mode"] == "update"
    for query, form in (("?mode=replace", {}), ("", {"mode": "replace"})):
        response = send.client.post(f"{IMPORTS}{query}", {"file": upload(csv_bytes(row)), **form}, format="multipart")
        assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "mode")


def test_the_watched_folder_updates_with_the_setting(drop: Drop, look: Look, settings: Any) -> None:
    row = values(total_count_of_publications=1)
    drop(csv_bytes(row), "one.csv")
    assert look().mode == ImportRun.Mode.ADD
    settings.TRENDS_MODE = "update"
    drop(csv_bytes({**row, "total_count_of_publications": 2}), "two.csv")
    assert counts(look()) == (1, 0, 1, 0, 0)
    assert list(publications().values()) == [2]


def test_an_update_with_too_many_invalid_rows_changes_nothing(send: Send) -> None:
    row = values(total_count_of_publications=1)
    send(csv_bytes(row))
    run = send(csv_bytes({**row, "total_count_of_publications": 2}, {**row, "steepl": "X"}), mode="update")
    assert (run["status"], run["updated"]) == ("failed", 0)
    assert (list(publications().values()), earlier()) == ([1], [])


def test_hostile_texts_are_identities_like_any_other(send: Send) -> None:
    texts = ["=1+1", "x' OR '1'='1", "\\N", "a\tb\\", "{}", "\u202e\U0001f600", "x" * 150]
    rows = [values(megatrend=text, macrotrend="m", total_count_of_publications=1) for text in texts]
    assert send(csv_bytes(*rows))["created"] == len(rows)
    later = [{**row, "total_count_of_publications": 2} for row in rows]
    assert counts(send(csv_bytes(*later), mode="update")) == (len(rows), 0, len(rows), 0, 0)
    assert sorted(Trend.objects.values_list("megatrend", flat=True)) == sorted(row["megatrend"] for row in rows)
