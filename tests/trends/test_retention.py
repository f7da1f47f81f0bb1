"""Errors of rows older than ``IMPORT_DAYS``, and earlier values older than ``TRENDS_HISTORY_DAYS``."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.db.models.functions import Now

from config.tasks import delete_expired_rows
from tests.conftest import Client
from trends.models import Change, ImportRun, Revision, RowError, Trend
from trends.services import editing

from .conftest import Send
from .factories import csv_bytes, values
from .test_changes import API, changes

pytestmark = pytest.mark.django_db


def grow_old(days: int) -> None:
    """Make all revisions look ``days`` older."""
    past = timedelta(days=days)
    Revision.objects.update(at=F("at") - past, ends_at=F("ends_at") - past)


def edit(trend: Trend, *counts: int) -> None:
    for count in counts:
        editing.update_trend(trend_id=trend.pk, values={"total_count_of_publications": count})


def replay(client: Client, copy: dict[int, Any], since: str = "") -> dict[int, Any]:
    """Apply all changes to a client's copy of the trends."""
    while (feed := changes(client, since))["results"]:
        since = feed["until"]
        for each in feed["results"]:
            copy[each["trend"]] = each["after"] and each["after"]["total_count_of_publications"]
    return {pk: count for pk, count in copy.items() if count is not None}


def test_a_client_ends_with_the_present_trends_from_any_instant(api: Client, settings: Any) -> None:
    settings.TRENDS_HISTORY_DAYS = 30
    edited, unchanged, deleted = (editing.create_trend(values=values(total_count_of_publications=0)) for _ in range(3))
    edit(edited, 1)
    edit(deleted, 1)
    early = Revision.objects.latest("pk"), replay(api, {})
    edit(edited, 2, 3)
    late = Revision.objects.latest("pk"), replay(api, {})
    editing.delete_trends(trends=Trend.objects.filter(pk=deleted.pk))
    edit(edited, 4)
    grow_old(31)
    edit(edited, 5)
    for revision, _ in (early, late):
        revision.refresh_from_db()
    assert Change.objects.count() == Revision.objects.count() == 10
    delete_expired_rows()
    # Of the edited one: created, and the last change. Of the deleted one: created, deleted.
    assert Change.objects.count() == Revision.objects.count() == 5
    present = {edited.pk: 5, unchanged.pk: 0}
    assert replay(api, {}) == present
    for revision, copy in (early, late):
        assert replay(api, copy, revision.ends_at.isoformat()) == present


def test_the_history_of_a_trend_becomes_shorter_at_once(api: Client, settings: Any) -> None:
    settings.TRENDS_HISTORY_DAYS = 30
    trend = editing.create_trend(values=values(total_count_of_publications=0))
    edit(trend, 1, 2, 3)
    grow_old(31)

    def history() -> list[int]:
        entries = api.get(f"{API}{trend.pk}/history/").json()["results"]
        return [entry["values"]["total_count_of_publications"] for entry in entries]

    assert history() == [3, 2, 1, 0]
    delete_expired_rows()
    assert history() == [3, 2]


def test_the_history_stays_for_ever_by_default() -> None:
    trend = editing.create_trend(values=values(total_count_of_publications=0))
    edit(trend, 1, 2)
    grow_old(4000)
    delete_expired_rows()
    assert Change.objects.count() == 3


def test_errors_of_old_imports_are_deleted_and_the_imports_and_trends_stay(send: Send, settings: Any) -> None:
    settings.IMPORT_DAYS = 30
    bad = {**values(), "steepl": "?"}
    old, young = send(csv_bytes(*(values() for _ in range(10)), bad))["id"], send(csv_bytes(bad))["id"]
    for pk, days in ((old, 31), (young, 29)):
        ImportRun.objects.filter(pk=pk).update(done_at=Now() - timedelta(days=days))
    delete_expired_rows()
    assert list(RowError.objects.values_list("run", flat=True)) == [young]
    assert send.client.get(f"/api/v1/trends/imports/{old}/").json()["rejected"] == 1
    assert Trend.objects.count() == 10
