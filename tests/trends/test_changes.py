"""The history of a trend, and the feed of changes of all trends."""

from typing import Any
from urllib.parse import quote

import pytest

from accounts.models import User
from tests.conftest import Client
from trends import views
from trends.models import Change, ImportRun, Revision, Trend
from trends.services import editing
from trends.services.revisions import open_revision, publish_revision, record_created

from .conftest import Send
from .factories import csv_bytes, values

API = "/api/v1/trends/"
pytestmark = pytest.mark.django_db


def changes(client: Client, since: str | int = "") -> dict[str, Any]:
    response = client.get(f"{API}changes/?since={quote(str(since))}")
    assert response.status_code == 200, response.content
    return response.json()


def states(row: dict[str, Any]) -> tuple[Any, ...]:
    """Kind and publications before and after of a change."""
    return (row["kind"], *(row[name] and row[name]["total_count_of_publications"] for name in ("before", "after")))


def test_the_history_has_the_present_and_all_earlier_values_newest_first(api: Client, staff: User, send: Send) -> None:
    row = values(total_count_of_publications=1)
    first = send(csv_bytes(row))["id"]
    second = send(csv_bytes({**row, "total_count_of_publications": 2}), mode="update")["id"]
    pk = Trend.objects.get().pk
    send.client.patch(f"{API}{pk}/", {"total_count_of_publications": 3})
    entries = api.get(f"{API}{pk}/history/").json()["results"]
    assert entries[0]["values"] == {**row, "total_count_of_publications": 3}
    assert sorted((entry["values"]["total_count_of_publications"], entry["import"] or 0) for entry in entries) == [
        (1, first), (2, second), (3, 0),
    ]  # fmt: skip
    assert [entry["at"] for entry in entries] == sorted((entry["at"] for entry in entries), reverse=True)


def test_the_history_includes_merged_trends_and_their_history(api: Client, send: Send) -> None:
    row = values(total_count_of_publications=1)
    send(csv_bytes(row))
    send(csv_bytes({**row, "total_count_of_publications": 2}), mode="update")
    send(csv_bytes({**row, "total_count_of_publications": 3}))
    send(csv_bytes({**row, "total_count_of_publications": 4}), mode="update")
    entries = api.get(f"{API}{Trend.objects.get().pk}/history/").json()["results"]
    assert sorted(entry["values"]["total_count_of_publications"] for entry in entries) == [1, 2, 3, 4]
    assert entries[0]["values"]["total_count_of_publications"] == 4


def test_the_history_is_paged_with_the_present_values_on_the_first_page(api: Client) -> None:
    trend = editing.create_trend(values=values(total_count_of_publications=0))
    for count in range(1, 6):
        editing.update_trend(trend_id=trend.pk, values={"total_count_of_publications": count})
    url, seen = f"{API}{trend.pk}/history/?page_size=2", []
    while url:
        page = api.get(url).json()
        seen += [entry["values"]["total_count_of_publications"] for entry in page["results"]]
        url = page["next"]
    assert seen == [5, 4, 3, 2, 1, 0]


def test_a_missing_trend_has_no_history(api: Client) -> None:
    assert api.get(f"{API}1/history/").status_code == 404


def test_changes_list_imports_edits_and_deletions_in_order(api: Client, staff: User, send: Send) -> None:
    row = values(total_count_of_publications=1)
    send(csv_bytes(row))
    pk = Trend.objects.get().pk
    run = send(csv_bytes({**row, "total_count_of_publications": 2}), mode="update")["id"]
    send.client.patch(f"{API}{pk}/", {"total_count_of_publications": 3})
    send.client.patch(f"{API}{pk}/", {"total_count_of_publications": 3})
    send.client.delete(f"{API}{pk}/")
    feed = changes(api)
    assert [states(each) for each in feed["results"]] == [
        ("created", None, 1), ("updated", 1, 2), ("updated", 2, 3), ("deleted", 3, None),
    ]  # fmt: skip
    assert {each["trend"] for each in feed["results"]} == {pk}
    assert changes(api, feed["until"]) == {"results": [], "until": feed["until"]}
    assert [states(each) for each in changes(api, run)["results"]] == [("updated", 2, 3), ("deleted", 3, None)]
    for number, each in enumerate(feed["results"]):
        assert changes(api, each["at"])["results"] == feed["results"][number + 1 :]


def test_a_client_that_polls_with_until_sees_every_change_once(
    api: Client, send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MAX_CHANGES", 3)
    send(csv_bytes(*(values() for _ in range(7))))
    editing.create_trend(values=values())
    seen, since = [], ""
    while (feed := changes(api, since))["results"]:
        since = feed["until"]
        seen += [each["trend"] for each in feed["results"]]
    assert seen == list(Trend.objects.order_by("pk").values_list("pk", flat=True))


def test_revisions_have_the_order_of_their_commits_and_not_of_their_beginnings(api: Client) -> None:
    trends = [editing.create_trend(values=values()).pk for _ in range(2)]
    Change.objects.all().delete()
    first, second = open_revision(), open_revision()
    record_created(first, trends[0])
    record_created(second, trends[1])
    publish_revision(second)
    publish_revision(first)
    assert [each["trend"] for each in changes(api)["results"]] == trends[::-1]


def test_a_revision_begins_after_the_last_one_although_the_clock_went_back(api: Client) -> None:
    editing.create_trend(values=values())
    Revision.objects.update(at="2100-01-01T00:00:00Z", ends_at="2100-01-01T00:00:01Z")
    editing.create_trend(values=values())
    assert changes(api)["until"] == "2100-01-01T00:00:01.000001Z"


def test_an_import_without_changes_can_be_named_and_an_unfinished_one_cannot(api: Client, send: Send) -> None:
    content = csv_bytes(values())
    send(content)
    assert changes(api, send(content)["id"])["results"] == []
    waiting = ImportRun.objects.create(name="waiting.csv", origin=ImportRun.Origin.UPLOAD)
    for since in (str(waiting.pk), "0", "9" * 30, "yesterday", "2026-13-01T00:00:00Z", "2026-01-01T00:00:00", "-1"):
        response = api.get(f"{API}changes/?since={since}")
        assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "since"), since


def test_changes_and_history_name_no_file(api: Client, send: Send) -> None:
    send(csv_bytes(values()), name="secret-plan.csv")
    paths = (f"{API}changes/", f"{API}{Trend.objects.get().pk}/history/")
    assert not any(b"secret-plan" in api.get(path).content for path in paths)


@pytest.mark.parametrize("since", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z"])
def test_the_ends_of_the_calendar_are_answered(api: Client, since: str) -> None:
    editing.create_trend(values=values())
    response = api.get(f"{API}changes/?since={quote(since)}")
    assert response.status_code in (200, 400), response.content


@pytest.mark.parametrize("since", ["%00", "1\u0662", "2026-01-01T00:00:00Z'--", "[]", "1e3", " "])
def test_a_hostile_start_is_400_and_named(api: Client, since: str) -> None:
    response = api.get(f"{API}changes/", {"since": since.replace("%00", "\x00")})
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "since")
