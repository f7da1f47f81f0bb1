"""Trends over REST: who may do what, filters, search, order, pages, and the cache that is never old."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.exceptions import NotFound

from trends import services
from trends.columns import COLUMNS
from trends.models import Trend

from .factories import TrendFactory, csv_bytes, sample, values

API = "/api/v1/trends/"
pytestmark = pytest.mark.django_db


def told(client, query="") -> list[str]:
    answer = client.get(f"{API}{query}")
    assert answer.status_code == 200, answer.content
    return [row["macrotrend"] for row in answer.json()["results"]]


@pytest.fixture
def trends():
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


def test_everybody_reads_a_page_with_its_count(api, trends):
    answer = api.get(f"{API}?page_size=2")
    assert {key: answer.json()[key] for key in ("count", "previous")} == {"count": 4, "previous": None}
    assert answer.json()["next"].endswith("/api/v1/trends/?page=2&page_size=2")
    first = answer.json()["results"][0]
    assert list(first) == ["id", *COLUMNS, "uploaded_at"]
    assert first["uploaded_at"].endswith("Z")
    assert api.get(f"{API}{first['id']}/").json() == first


@pytest.mark.parametrize(
    "query, expected",
    [
        ("?megatrend=AI", ["agents", "vision"]),
        ("?macrotrend=grids", ["Grids"]),
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
def test_a_list_is_narrowed_and_ordered(api, trends, query, expected):
    if query == "?search=%00":  # refused by the form, as every NUL is
        assert api.get(f"{API}{query}").status_code == 400
        return
    assert told(api, query) == expected


def test_ordering_by_upload_has_a_tie_break(api, trends):
    assert told(api, "?ordering=uploaded_at") == ["agents", "vision", "Grids", "Café culture"]


@pytest.mark.parametrize(
    "query",
    [
        "?impact_strength=huge", "?steepl=X", "?publications_min=-1", "?publications_max=1e999", "?patents_min=NaN",
        "?patents_max=99999999999999999999999999", "?ordering=secret", "?ordering=fingerprint", "?megatrend=%00",
        f"?search={'x' * 501}", "?publications_min=%F0%9F%A6%89",
    ],
)  # fmt: skip
def test_a_filter_that_cannot_be_is_a_400_that_names_it(api, query):
    answer = api.get(f"{API}{query}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] == query[1:].partition("=")[0]


@pytest.mark.parametrize("page", ["0", "-1", "1000000", "x", "9" * 30, "%00"])
def test_a_page_that_is_not_there_is_a_404(api, trends, page):
    assert api.get(f"{API}?page={page}").status_code == 404


@pytest.mark.parametrize("pk", ["0", "9" * 30])
def test_a_trend_that_is_not_there_is_a_404(api, pk):
    assert api.get(f"{API}{pk}/").status_code == 404


def test_a_page_has_at_most_two_hundred(api):
    Trend.objects.bulk_create(TrendFactory.build() for _ in range(201))
    assert len(told(api, "?page_size=1000")) == 200


def test_the_search_uses_its_index(api):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_indexscan = off")
        cursor.execute("EXPLAIN " + str(Trend.objects.matching("smart").query).replace("smart", "'smart'"))
        assert "trend_search" in str(cursor.fetchall())


def test_the_summary_counts_and_sums(api, trends):
    summary = api.get(f"{API}summary/").json()
    assert (summary["count"], summary["publications"], summary["patents"]) == (4, 70, 62)
    assert {
        "megatrend": "ai", "steepl": "S", "impact_strength": "Low", "technology_readiness_level": "",
        "count": 1, "publications": 0, "patents": 50,
    } in summary["groups"]  # fmt: skip
    assert api.get(f"{API}summary/?steepl=P").json()["count"] == 1


def test_a_cached_page_costs_one_query_and_is_bytes_with_a_tag(api, trends):
    first = api.get(API)
    with CaptureQueriesContext(connection) as queries:
        second = api.get(API)
    assert len(queries) == 1
    assert second.content == first.content
    assert api.get(API, HTTP_IF_NONE_MATCH=first["ETag"]).status_code == 304
    packed = api.get(API, HTTP_ACCEPT_ENCODING="gzip")
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]


def test_a_fresh_page_costs_three_queries(api, trends):
    with CaptureQueriesContext(connection) as queries:
        api.get(f"{API}?search=agents")
    assert len(queries) == 3  # the generation, the count, the page


def test_every_change_is_seen_at_once(api, staff, send, look, drop):
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


def test_staff_write(api, staff):
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


def test_an_equal_trend_is_a_409_whether_it_is_added_or_changed(api, staff):
    writer = api.as_user(staff)
    one, other = values(), values()
    writer.post(API, one)
    second = writer.post(API, other).json()["id"]
    for answer in (writer.post(API, one), writer.put(f"{API}{second}/", one)):
        assert answer.status_code == 409
        assert answer.json()["errors"][0]["code"] == "duplicate"
    assert writer.patch(f"{API}{second}/", {}).status_code == 200
    assert writer.patch(f"{API}{second}/", {"macrotrend": other["macrotrend"]}).status_code == 200


def test_a_trend_that_is_deleted_before_it_is_changed_is_not_there(trends):
    services.delete_trends(trends=Trend.objects.filter(pk=trends[0].pk))
    with pytest.raises(NotFound):
        services.update_trend(trend_id=trends[0].pk, values={"macrotrend": "late"})


@pytest.mark.parametrize(
    "change",
    [
        {"megatrend": ""}, {"megatrend": "x" * 151}, {"macrotrend": None}, {"steepl": "E "}, {"impact_strength": ""},
        {"total_count_of_patents": -1}, {"total_count_of_patents": 2**31}, {"total_count_of_patents": 1.5},
        {"megatrend": "nul\x00"}, {"relevant_industries": ["list"]}, {"relevant_industries": "x" * 32768},
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_is_a_400_that_names_its_field(api, staff, change):
    answer = api.as_user(staff).post(API, {**values(), **change})
    assert answer.status_code == 400
    assert {error["attr"] for error in answer.json()["errors"]} == set(change)


def test_nobody_else_writes(api, signed_in, trends):
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
