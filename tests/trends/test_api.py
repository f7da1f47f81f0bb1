"""Trends over REST: permissions, filters, search, ordering, pages and the cache."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.exceptions import NotFound

from accounts.models import User
from tests.conftest import Client
from trends.files.columns import COLUMNS
from trends.models import Trend
from trends.services import editing

from .conftest import Drop, Look, Send
from .factories import TrendFactory, csv_bytes, sample, values

API = "/api/v1/trends/"
pytestmark = pytest.mark.django_db


def macrotrends(client: Client, query: str = "") -> list[str]:
    response = client.get(f"{API}{query}")
    assert response.status_code == 200, response.content
    return [row["macrotrend"] for row in response.json()["results"]]


@pytest.fixture
def trends(db: None) -> list[Trend]:
    rows = [
        ("AI", "agents", 10, 5, "Pilot", "High", "T"),
        ("ai", "vision", None, 50, "", "Low", "S"),
        ("Energy", "Grids", 30, None, "Deploy", "Medium", "E"),
        ("Bio", "Café culture", 30, 7, "Development", "High", "P"),
    ]
    return [
        TrendFactory(
            megatrend=a, macrotrend=b, total_count_of_publications=c, total_count_of_patents=d,
            technology_readiness_level=e, impact_strength=f, steepl=g,
        )
        for a, b, c, d, e, f, g in rows
    ]  # fmt: skip


def test_anyone_can_read_a_page_with_its_count(api: Client, trends: list[Trend]) -> None:
    response = api.get(f"{API}?page_size=2")
    assert {key: response.json()[key] for key in ("count", "previous")} == {"count": 4, "previous": None}
    assert response.json()["next"].endswith("/api/v1/trends/?page=2&page_size=2")
    first = response.json()["results"][0]
    assert list(first) == ["id", *COLUMNS, "uploaded_at"]
    assert first["uploaded_at"].endswith("Z")
    assert api.get(f"{API}{first['id']}/").json() == first


@pytest.mark.parametrize(
    "query, expected",
    [
        ("?megatrend=AI", ["agents", "vision"]),
        ("?macrotrend=grids", ["Grids"]),
        ("?megatrend=AI&megatrend=bio", ["agents", "vision", "Café culture"]),
        ("?megatrend=AI,bio", []),
        ("?megatrend=", ["agents", "vision", "Grids", "Café culture"]),
        ("?impact_strength=high", ["agents", "Café culture"]),
        ("?impact_strength=low&impact_strength=Medium", ["vision", "Grids"]),
        ("?steepl=T,S", ["agents", "vision"]),
        ("?steepl=", ["agents", "vision", "Grids", "Café culture"]),
        ("?technology_readiness_level=none", ["vision"]),
        ("?technology_readiness_level=deploy,none", ["vision", "Grids"]),
        ("?publications_min=11", ["Grids", "Café culture"]),
        ("?publications_max=30&publications_min=30", ["Grids", "Café culture"]),
        ("?patents_max=7", ["agents", "Café culture"]),
        ("?patents_min=6&steepl=P", ["Café culture"]),
        ("?search=CAFE", ["Café culture"]),
        ("?search=cult%20bio", ["Café culture"]),
        ("?search=100%25", []),
        ("?search=ai%0Aagents", ["agents"]),
        ("?search=%00", ["agents", "vision", "Grids", "Café culture"]),
        ("?ordering=publications", ["agents", "Grids", "Café culture", "vision"]),
        ("?ordering=-publications", ["Grids", "Café culture", "agents", "vision"]),
        ("?ordering=-patents", ["vision", "Café culture", "agents", "Grids"]),
        ("?ordering=-megatrend", ["vision", "Grids", "Café culture", "agents"]),
        ("?ordering=-publications,patents", ["Café culture", "Grids", "agents", "vision"]),
    ],
)
def test_a_list_is_filtered_and_ordered(api: Client, trends: list[Trend], query: str, expected: list[str]) -> None:
    if query == "?search=%00":  # a NUL is invalid in every filter
        assert api.get(f"{API}{query}").status_code == 400
        return
    assert macrotrends(api, query) == expected


def test_ordering_by_upload_time_uses_the_id_for_ties(api: Client, trends: list[Trend]) -> None:
    assert macrotrends(api, "?ordering=uploaded_at") == ["agents", "vision", "Grids", "Café culture"]


@pytest.mark.parametrize(
    "query",
    [
        "?impact_strength=huge", "?steepl=X", "?publications_min=-1", "?publications_max=1e999", "?patents_min=NaN",
        "?patents_max=99999999999999999999999999", "?ordering=secret", "?ordering=fingerprint", "?megatrend=%00",
        f"?search={'x' * 501}", "?publications_min=%F0%9F%A6%89",
    ],
)  # fmt: skip
def test_an_invalid_filter_is_400_and_named(api: Client, query: str) -> None:
    name = query[1:].partition("=")[0]
    for path in ("", "summary/", "radar/")[: 1 if name == "ordering" else 3]:
        response = api.get(f"{API}{path}{query}")
        assert (response.status_code, response.json()["errors"][0]["attr"]) == (400, name)


@pytest.mark.parametrize("page", ["0", "-1", "1000000", "x", "9" * 30, "%00"])
def test_a_page_that_does_not_exist_is_404(api: Client, trends: list[Trend], page: str) -> None:
    assert api.get(f"{API}?page={page}").status_code == 404


@pytest.mark.parametrize("pk", ["0", "9" * 30])
def test_a_trend_that_does_not_exist_is_404(api: Client, pk: str) -> None:
    assert api.get(f"{API}{pk}/").status_code == 404


def test_a_page_has_at_most_200_trends(api: Client) -> None:
    Trend.objects.bulk_create(TrendFactory.build() for _ in range(201))
    assert len(macrotrends(api, "?page_size=1000")) == 200


def test_a_search_uses_the_index_for_words_and_never_folds_rows(api: Client) -> None:
    """Folding 100,000 rows takes seconds; the folded text is stored, and short words are searched in it."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
    assert "trend_search_text" in Trend.objects.matching("smart").explain()
    query = str(Trend.objects.matching("e a t r i n").query)
    assert 'atrium_fold("trends_trend"' not in query.partition("WHERE")[2]
    assert query.partition("WHERE")[2].count('"search_text" LIKE') == 6


def test_the_summary_counts_and_sums(api: Client, trends: list[Trend]) -> None:
    summary = api.get(f"{API}summary/").json()
    assert (summary["count"], summary["publications"], summary["patents"]) == (4, 70, 62)
    assert {
        "megatrend": "ai", "steepl": "S", "impact_strength": "Low", "technology_readiness_level": "",
        "count": 1, "publications": 0, "patents": 50,
    } in summary["groups"]  # fmt: skip
    assert api.get(f"{API}summary/?steepl=P").json()["count"] == 1


def test_the_radar_counts_groups_and_takes_the_filters_of_the_list(api: Client, trends: list[Trend]) -> None:
    TrendFactory(
        megatrend="Energy", macrotrend="Grids", total_count_of_publications=None, total_count_of_patents=9,
        technology_readiness_level="Deploy", impact_strength="Medium", steepl="E",
    )  # fmt: skip
    radar = api.get(f"{API}radar/").json()
    assert radar["total_groups"] == len(radar["groups"]) == 4
    assert radar["groups"][0] == {
        "megatrend": "Energy", "macrotrend": "Grids", "steepl": "E", "technology_readiness_level": "Deploy",
        "impact_strength": "Medium", "trends": 2, "publications": 30, "patents": 9,
    }  # fmt: skip
    assert [group["macrotrend"] for group in api.get(f"{API}radar/?search=cafe").json()["groups"]] == ["Café culture"]
    assert api.get(f"{API}radar/?steepl=X").status_code == 400


def test_the_radar_has_at_most_300_groups_and_counts_all(api: Client) -> None:
    Trend.objects.bulk_create(TrendFactory.build() for _ in range(302))
    radar = api.get(f"{API}radar/").json()
    assert (len(radar["groups"]), radar["total_groups"]) == (300, 302)


def test_a_cached_page_needs_one_query_and_has_an_etag(api: Client, trends: list[Trend]) -> None:
    first = api.get(API)
    with CaptureQueriesContext(connection) as queries:
        second = api.get(API)
    assert len(queries) == 1
    assert second.content == first.content
    assert api.get(API, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    packed = api.get(API, HTTP_ACCEPT_ENCODING="gzip")
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]


def test_an_uncached_page_needs_three_queries(api: Client, trends: list[Trend]) -> None:
    with CaptureQueriesContext(connection) as queries:
        api.get(f"{API}?search=agents")
    assert len(queries) == 3  # the generation, the count, the page


def test_every_change_is_visible_at_once(api: Client, staff: User, send: Send, look: Look, drop: Drop) -> None:
    writer = api.as_user(staff)

    def counts() -> list[int]:
        return [api.get(path).json()["count"] for path in (API, f"{API}summary/")]

    assert counts() == [0, 0]
    pk = writer.post(API, values()).json()["id"]
    assert counts() == [1, 1]
    assert api.get(f"{API}{pk}/").json()["steepl"] == "T"
    writer.patch(f"{API}{pk}/", {"steepl": "L"})
    assert api.get(f"{API}{pk}/").json()["steepl"] == "L"
    send(csv_bytes(values()))
    assert counts() == [2, 2]
    drop(sample("trends_sample.csv"))
    look()
    assert counts() == [74, 74]
    assert writer.delete(f"{API}{pk}/").status_code == 204
    assert counts() == [73, 73]
    assert api.get(f"{API}{pk}/").status_code == 404


def test_staff_can_create_and_replace(api: Client, staff: User) -> None:
    writer = api.as_user(staff)
    row = values(technology_readiness_level=None, challenges_and_research_gaps="  =1+1\t")
    made = writer.post(API, row)
    assert made.status_code == 201
    assert made.json() | {"technology_readiness_level": None} == made.json() | row | {
        "technology_readiness_level": None
    }
    assert made.json()["technology_readiness_level"] == ""
    assert made.json()["uploaded_at"]
    put = writer.put(f"{API}{made.json()['id']}/", values(megatrend="Other"))
    assert (put.status_code, put.json()["megatrend"]) == (200, "Other")


def test_a_duplicate_trend_is_409_on_create_and_update(api: Client, staff: User) -> None:
    writer = api.as_user(staff)
    one, other = values(), values()
    writer.post(API, one)
    second = writer.post(API, other).json()["id"]
    for response in (writer.post(API, one), writer.put(f"{API}{second}/", one)):
        assert response.status_code == 409
        assert response.json()["errors"][0]["code"] == "duplicate"
    assert writer.patch(f"{API}{second}/", {}).status_code == 200
    assert writer.patch(f"{API}{second}/", {"macrotrend": other["macrotrend"]}).status_code == 200


def test_updating_a_deleted_trend_raises_not_found(trends: list[Trend]) -> None:
    editing.delete_trends(trends=Trend.objects.filter(pk=trends[0].pk))
    with pytest.raises(NotFound):
        editing.update_trend(trend_id=trends[0].pk, values={"macrotrend": "late"})


@pytest.mark.parametrize(
    "change",
    [
        {"megatrend": ""}, {"megatrend": "x" * 151}, {"macrotrend": None}, {"steepl": "E "}, {"impact_strength": ""},
        {"total_count_of_patents": -1}, {"total_count_of_patents": 2**31}, {"total_count_of_patents": 1.5},
        {"megatrend": "nul\x00"}, {"relevant_industries": ["list"]}, {"relevant_industries": "x" * 32768},
    ],
)  # fmt: skip
def test_an_invalid_value_is_400_and_names_its_field(api: Client, staff: User, change: dict[str, Any]) -> None:
    response = api.as_user(staff).post(API, {**values(), **change})
    assert response.status_code == 400
    assert {error["attr"] for error in response.json()["errors"]} == set(change)


def test_only_staff_can_write(api: Client, signed_in: Client, trends: list[Trend]) -> None:
    one = f"{API}{trends[0].pk}/"
    for client, status in ((api, 401), (signed_in, 403)):
        assert client.post(API, values()).status_code == status
        assert client.put(one, values()).status_code == status
        assert client.patch(one, {"steepl": "L"}).status_code == status
        assert client.delete(one).status_code == status
        assert client.get(f"{API}imports/").status_code == status
        assert client.post(f"{API}imports/", {}, format="multipart").status_code == status
    assert Trend.objects.count() == 4
    assert signed_in.get(one).status_code == 200
