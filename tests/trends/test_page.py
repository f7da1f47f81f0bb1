"""The trends page: what its server-rendered part contains, and the counts over time that its list asks for."""

from io import BytesIO
from typing import Any

import openpyxl
import pytest
from django.test import Client as DjangoClient

from trends.files.columns import HEADINGS
from trends.files.reader import CSVReader
from trends.models import Trend
from trends.representation import COUNT_STATES
from trends.services import editing

from .conftest import Send
from .factories import csv_bytes, values

pytestmark = pytest.mark.django_db


def counts(client: DjangoClient, *ids: object) -> Any:
    return client.get("/trends/counts/", {"trend": ids})


def test_counts_are_those_of_each_trend_with_the_present_last(client: DjangoClient, send: Send) -> None:
    first, second = values(total_count_of_publications=1), values(total_count_of_publications=8)
    send(csv_bytes(first, second))
    send(csv_bytes({**first, "total_count_of_publications": 2, "total_count_of_patents": 5}), mode="update")
    one, other = Trend.objects.order_by("macrotrend").values_list("pk", flat=True)
    grown = Trend.objects.get(total_count_of_publications=2).pk
    expected = {str(one): [[8, None]], str(other): [[8, None]]} | {str(grown): [[1, None], [2, 5]]}
    assert counts(client, one, other, 10**15).json() == expected
    editing.update_trend(trend_id=grown, values={"total_count_of_publications": 3})
    assert counts(client, grown).json() == {str(grown): [[1, None], [2, 5], [3, 5]]}  # the cache is invalidated


def test_a_long_history_ends_with_the_latest_states(client: DjangoClient) -> None:
    trend = editing.create_trend(values=values(total_count_of_publications=0))
    for count in range(1, COUNT_STATES + 5):
        editing.update_trend(trend_id=trend.pk, values={"total_count_of_publications": count})
    states = [publications for publications, _ in counts(client, trend.pk).json()[str(trend.pk)]]
    assert states == list(range(5, COUNT_STATES + 5))


@pytest.mark.parametrize("ids", [["x"], ["-1"], ["1" * 19], ["١"], [""], ["1\x00"], range(101)], ids=repr)
def test_invalid_ids_are_refused(client: DjangoClient, ids: Any) -> None:
    response = counts(client, *ids)
    assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, "trend")
    assert counts(client).json() == {}


def test_the_page_says_from_when_the_changes_of_the_last_import_are(client: DjangoClient, send: Send) -> None:
    assert b'id="changes"' not in client.get("/trends/").content
    row = values(total_count_of_publications=1)
    send(csv_bytes(row))
    send(csv_bytes({**row, "total_count_of_publications": 2}), mode="update")
    editing.create_trend(values=values())
    page = client.get("/trends/")
    before = page.context["last_import"]["before"].isoformat()
    assert f'data-since="{before}"' in page.content.decode()
    kinds = [each["kind"] for each in client.get("/api/v1/trends/changes/", {"since": before}).json()["results"]]
    assert kinds == ["updated", "created"]


def test_the_templates_have_the_ten_columns_and_nothing_else(client: DjangoClient) -> None:
    response = client.get("/trends/template.csv")
    assert response["Content-Disposition"] == 'attachment; filename="trends-template.csv"'
    assert list(CSVReader(BytesIO(response.content)).batches()) == []

    response = client.get("/trends/template.xlsx")
    sheet = openpyxl.load_workbook(BytesIO(response.content)).active
    assert [cell.value for cell in sheet[1]] == list(HEADINGS.values())
    assert sheet.max_row == 1
    rules = {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}
    assert rules["G2:G10001"].formula1 == '"Low,Medium,High"'
    assert (rules["D2:D10001"].type, rules["D2:D10001"].prompt) == ("whole", "A whole number from 0, or empty.")
    assert client.get("/trends/template.exe").status_code == 404


def test_the_page_of_a_trend_says_what_has_changed_since_the_last_import(client: DjangoClient, send: Send) -> None:
    assert client.get("/trends/1/").status_code == 404
    assert client.get(f"/trends/{10**20}/").status_code == 404
    kept, changed = values(), values(total_count_of_patents=None)
    send(csv_bytes(kept, changed))
    send(csv_bytes({**changed, "total_count_of_patents": 3}, new := values()), mode="update")
    page = {
        name: client.get(f"/trends/{Trend.objects.get(macrotrend=row['macrotrend']).pk}/?search=<b>")
        for name, row in (("kept", kept), ("changed", changed), ("new", new))
    }
    assert {name: (each.context["is_new"], each.context["changed"]) for name, each in page.items()} == {
        "kept": (False, []),
        "changed": (False, [("Total count of patents", "unknown", "3")]),
        "new": (True, []),
    }
    assert b'href="/trends/?search=%3Cb%3E"' in page["kept"].content
    before = Trend.objects.get(macrotrend=changed["macrotrend"])
    editing.update_trend(trend_id=before.pk, values={"total_count_of_patents": None})
    assert client.get(f"/trends/{before.pk}/").context["changed"] == []  # as before the import
