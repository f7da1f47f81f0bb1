"""The admin: import and export use the same services as the API, and every table has its pages."""

import io
from typing import Any

import openpyxl
import pytest
from django.test import Client as DjangoClient
from django.urls import reverse

from accounts.models import User
from tests.conftest import Client
from tests.factories import UserFactory
from trends.models import ImportRun, Trend
from trends.services import import_runner

from .conftest import Send
from .factories import TrendFactory, csv_bytes, sample, stored, upload, values
from .test_exports import body

pytestmark = pytest.mark.django_db
IMPORT, PROCESS = "/admin/trends/trend/import/", "/admin/trends/trend/process_import/"


@pytest.fixture
def desk(client: DjangoClient, staff: User) -> DjangoClient:
    client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    return client


def preview(desk: DjangoClient, content: bytes, name: str = "trends.csv", mode: str = "add") -> Any:
    return desk.post(IMPORT, {"import_file": upload(content, name), "format": "0", "resource": "0", "mode": mode})


def confirm(desk: DjangoClient, page: Any) -> Any:
    return desk.post(PROCESS, page.context["confirm_form"].initial)


@pytest.mark.django_db(transaction=True)  # like a real request: without a transaction around it
@pytest.mark.parametrize(
    "name, total, created, duplicates, rejected",
    [("trends_sample.csv", 72, 72, 0, 0), ("trends_messy.csv", 62, 57, 1, 4), ("trends_other_order.csv", 20, 20, 0, 0)],
)
def test_a_sample_is_imported_with_the_same_result_as_by_the_api(
    desk: DjangoClient, staff: User, name: str, total: int, created: int, duplicates: int, rejected: int
) -> None:
    page = preview(desk, sample(name), name)
    report = page.context["result"].report
    assert (report.total_rows, report.created, report.duplicates, report.rejected) == (
        total, created, duplicates, rejected,
    )  # fmt: skip
    assert not Trend.objects.exists()
    assert not ImportRun.objects.exists()

    response = confirm(desk, page)
    run = ImportRun.objects.get()
    assert response["Location"] == reverse("admin:trends_importrun_change", args=[run.pk])
    assert (run.origin, run.name, run.uploaded_by, run.status) == ("admin", name, staff, "queued")
    import_runner.import_waiting()
    run.refresh_from_db()
    assert (run.total_rows, run.created, run.duplicates, run.rejected) == (total, created, duplicates, rejected)
    assert Trend.objects.count() == created
    assert confirm(desk, page)["Location"] == IMPORT, "a preview can be confirmed once"


def test_a_preview_lists_invalid_rows_and_a_rejected_file_cannot_be_confirmed(desk: DjangoClient) -> None:
    page = preview(desk, sample("trends_messy.csv"))
    assert "This must be one of Low, Medium, High." in page.content.decode()
    assert "Confirm import" in page.content.decode()
    page = preview(desk, sample("trends_over_limit.csv"))
    assert "8 of 40 rows are invalid" in page.content.decode()
    assert "confirm_form" not in page.context
    assert "Confirm import" not in page.content.decode()


def test_a_preview_of_an_update_lists_new_trends_and_updated_ones_with_old_and_new_values(
    desk: DjangoClient, send: Send
) -> None:
    rows = [values(macrotrend=name, total_count_of_publications=10) for name in ("same", "grown", "twice")]
    send(csv_bytes(*rows))
    send(csv_bytes({**rows[2], "total_count_of_publications": 11}))
    later = [{**row, "total_count_of_publications": 25, "technology_readiness_level": ""} for row in rows[1:]]
    page = preview(desk, csv_bytes(rows[0], *later, values(macrotrend="<b>new")), mode="update")
    report = page.context["result"].report
    assert (report.created, report.updated, report.duplicates) == (1, 2, 1)
    grown, twice = page.context["result"].updated_trends
    changed = [(each["old"], each["new"]) for each in grown["columns"] if each["is_changed"]]
    assert (grown["macrotrend"], grown["merged"], changed) == ("grown", 0, [("10", "25"), ("Pilot", "unknown")])
    assert (twice["macrotrend"], twice["merged"], twice["columns"][0]["old"]) == ("twice", 1, "11")
    text = page.content.decode()
    assert '<del>10</del> → <ins class="font-semibold">25</ins>' in text
    assert "&lt;b&gt;new" in text and "<b>new" not in text
    assert Trend.objects.filter(total_count_of_publications=25).count() == 0


@pytest.mark.parametrize("mode", ["add", "update"])
def test_a_preview_lists_the_first_new_trends(desk: DjangoClient, mode: str) -> None:
    rows = [values(macrotrend=f"Trend {n}") for n in range(60)]
    page = preview(desk, csv_bytes(rows[0], *rows), mode=mode)
    names = [trend["macrotrend"] for trend in page.context["result"].report.created_trends]
    assert len(names) == 50 and len(set(names)) == 50
    assert "New trends (the first 50)" in page.content.decode()


def test_a_preview_stores_no_file(desk: DjangoClient, settings: Any) -> None:
    preview(desk, sample("trends_sample.csv"))
    assert not settings.FILES_DIR.exists() or not [path for path in settings.FILES_DIR.rglob("*") if path.is_file()]


def test_a_file_that_is_too_large_is_rejected(desk: DjangoClient, settings: Any) -> None:
    settings.TRENDS_MAX_UPLOAD = 1000
    assert "The file is larger than" in preview(desk, sample("trends_sample.csv")).content.decode()


def test_exports_are_the_same_as_in_the_api(desk: DjangoClient) -> None:
    TrendFactory(challenges_and_research_gaps="=1+1")
    form = {"format": "0", "resource": "0"}
    text = body(desk.post("/admin/trends/trend/export/", form)).decode()
    assert ";'=1+1;" in text
    book = body(desk.post("/admin/trends/trend/export/", {**form, "format": "1"}))
    assert openpyxl.load_workbook(io.BytesIO(book)).active["C2"].value == "=1+1"
    assert b"Smart grids" in body(desk.post("/admin/trends/trend/export/", {**form, "format": "2"}))


def test_an_export_applies_the_filters_of_the_list(desk: DjangoClient) -> None:
    TrendFactory(steepl="S", macrotrend="kept")
    TrendFactory(steepl="P", macrotrend="left")
    text = body(desk.post("/admin/trends/trend/export/?steepl__exact=S", {"format": "0", "resource": "0"})).decode()
    assert "kept" in text
    assert "left" not in text


def test_an_edit_is_visible_at_once_and_changes_nothing_else(desk: DjangoClient, api: Client) -> None:
    trend = TrendFactory(challenges_and_research_gaps=" one\ntwo\r\nthree ")
    assert api.get("/api/v1/trends/").json()["results"][0]["steepl"] == "T"
    before = stored()
    url = reverse("admin:trends_trend_change", args=[trend.pk])
    form = {name: "" if value is None else value for name, value in values().items()}
    form |= {
        "macrotrend": trend.macrotrend, "steepl": "T",
        "challenges_and_research_gaps": " one\r\ntwo\r\nthree ",
    }  # fmt: skip
    assert desk.post(url, form).status_code == 302
    assert stored() == before
    assert desk.post(url, {**form, "steepl": "L"}).status_code == 302
    assert api.get("/api/v1/trends/").json()["results"][0]["steepl"] == "L"
    assert desk.post(reverse("admin:trends_trend_delete", args=[trend.pk]), {"post": "yes"}).status_code == 302
    assert api.get("/api/v1/trends/").json()["count"] == 0


def test_a_duplicate_trend_is_rejected_in_the_form(desk: DjangoClient) -> None:
    trend = TrendFactory()
    form = {name: "" if getattr(trend, name) is None else getattr(trend, name) for name in values()}
    page = desk.post(reverse("admin:trends_trend_add"), form)
    assert page.status_code == 200
    assert "already stored" in page.content.decode()
    assert Trend.objects.count() == 1


def test_deleting_selected_trends_is_visible_at_once(desk: DjangoClient, api: Client) -> None:
    trends = [TrendFactory() for _ in range(3)]
    assert api.get("/api/v1/trends/").json()["count"] == 3
    desk.post(
        reverse("admin:trends_trend_changelist"),
        {"action": "delete_selected", "_selected_action": [trend.pk for trend in trends[:2]], "post": "yes"},
    )
    assert api.get("/api/v1/trends/").json()["count"] == 1


@pytest.mark.thorough
def test_every_list_and_page_opens(desk: DjangoClient, send: Send) -> None:
    run = send(sample("trends_messy.csv"))
    for path in (
        "trend/", "trend/?q=grids", "trend/?total_count_of_publications_from=5&steepl__exact=S", "trend/add/",
        "trend/import/", "trend/export/", "importrun/", f"importrun/{run['id']}/change/",
        "importrun/?status__exact=failed",
        "rowerror/", "rowerror/?q=trends",
    ):  # fmt: skip
        assert desk.get(f"/admin/trends/{path}").status_code == 200, path
    page = desk.get(f"/admin/trends/importrun/{run['id']}/change/").content.decode()
    assert f"/api/v1/trends/imports/{run['id']}/errors.csv" in page
    assert desk.get(f"/api/v1/trends/imports/{run['id']}/errors.csv").status_code == 200
    assert desk.post(f"/admin/trends/importrun/{run['id']}/delete/", {"post": "yes"}).status_code == 403


def test_staff_without_add_permission_cannot_import(client: DjangoClient) -> None:
    client.force_login(UserFactory(is_staff=True), backend="accounts.backends.EmailOrUsernameBackend")
    assert client.get(IMPORT).status_code == 403
    assert client.post(PROCESS, {}).status_code in (302, 403)
    assert client.get("/admin/trends/trend/export/").status_code == 403
    assert not ImportRun.objects.exists()
