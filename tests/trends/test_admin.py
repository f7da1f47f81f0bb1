"""The admin: import and export buttons that go the same way as everything else, and pages for every table."""

import io

import openpyxl
import pytest
from django.urls import reverse

from tests.factories import UserFactory
from trends import importing
from trends.models import ImportRun, Trend

from .factories import TrendFactory, sample, stored, upload, values
from .test_exports import body

pytestmark = pytest.mark.django_db
IMPORT, PROCESS = "/admin/trends/trend/import/", "/admin/trends/trend/process_import/"


@pytest.fixture
def desk(client, staff):
    client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    return client


def preview(desk, content: bytes, name="trends.csv"):
    return desk.post(IMPORT, {"import_file": upload(content, name), "format": "0", "resource": "0"})


def confirm(desk, page):
    return desk.post(PROCESS, page.context["confirm_form"].initial)


@pytest.mark.django_db(transaction=True)  # as it is outside of tests: no transaction around the request
@pytest.mark.parametrize(
    "name, total, created, duplicates, rejected",
    [("trends_sample.csv", 72, 72, 0, 0), ("trends_messy.csv", 62, 57, 1, 4), ("trends_other_order.csv", 20, 20, 0, 0)],
)
def test_a_sample_comes_out_as_by_any_other_way(desk, staff, name, total, created, duplicates, rejected):
    page = preview(desk, sample(name), name)
    report = page.context["result"].report
    assert (report.total_rows, report.created, report.duplicates, report.rejected) == (
        total, created, duplicates, rejected,
    )  # fmt: skip
    assert not Trend.objects.exists()
    assert not ImportRun.objects.exists()

    answer = confirm(desk, page)
    run = ImportRun.objects.get()
    assert answer["Location"] == reverse("admin:trends_importrun_change", args=[run.pk])
    assert (run.origin, run.name, run.uploaded_by, run.status) == ("admin", name, staff, "queued")
    importing.import_waiting()
    run.refresh_from_db()
    assert (run.total_rows, run.created, run.duplicates, run.rejected) == (total, created, duplicates, rejected)
    assert Trend.objects.count() == created
    assert confirm(desk, page)["Location"] == IMPORT, "a preview is confirmed once"


def test_a_preview_tells_the_bad_rows_and_a_bad_file_cannot_be_confirmed(desk):
    page = preview(desk, sample("trends_messy.csv"))
    assert "This must be one of Low, Medium, High." in page.content.decode()
    assert "Confirm import" in page.content.decode()
    page = preview(desk, sample("trends_over_limit.csv"))
    assert "8 of 40 rows are bad" in page.content.decode()
    assert "confirm_form" not in page.context
    assert "Confirm import" not in page.content.decode()


def test_a_preview_leaves_no_file_behind(desk, settings):
    preview(desk, sample("trends_sample.csv"))
    assert not settings.FILES_DIR.exists() or not [path for path in settings.FILES_DIR.rglob("*") if path.is_file()]


def test_a_file_that_is_too_large_is_refused(desk, settings):
    settings.TRENDS_MAX_UPLOAD = 1000
    assert "at most" in preview(desk, sample("trends_sample.csv")).content.decode()


def test_exports_are_those_of_the_api(desk):
    TrendFactory(challenges_and_research_gaps="=1+1")
    form = {"format": "0", "resource": "0"}
    text = body(desk.post("/admin/trends/trend/export/", form)).decode()
    assert ";'=1+1;" in text
    book = body(desk.post("/admin/trends/trend/export/", {**form, "format": "1"}))
    assert openpyxl.load_workbook(io.BytesIO(book)).active["C2"].value == "=1+1"
    assert b"Smart grids" in body(desk.post("/admin/trends/trend/export/", {**form, "format": "2"}))


def test_an_export_keeps_to_the_filters_of_the_list(desk):
    TrendFactory(steepl="S", macrotrend="kept")
    TrendFactory(steepl="P", macrotrend="left")
    text = body(desk.post("/admin/trends/trend/export/?steepl__exact=S", {"format": "0", "resource": "0"})).decode()
    assert "kept" in text
    assert "left" not in text


def test_an_edit_is_seen_at_once_and_keeps_what_it_did_not_touch(desk, api):
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


def test_an_equal_trend_is_refused_in_the_form(desk):
    trend = TrendFactory()
    form = {name: "" if getattr(trend, name) is None else getattr(trend, name) for name in values()}
    page = desk.post(reverse("admin:trends_trend_add"), form)
    assert page.status_code == 200
    assert "stored already" in page.content.decode()
    assert Trend.objects.count() == 1


def test_deleting_the_selected_ones_is_seen_at_once(desk, api):
    trends = [TrendFactory() for _ in range(3)]
    assert api.get("/api/v1/trends/").json()["count"] == 3
    desk.post(
        reverse("admin:trends_trend_changelist"),
        {"action": "delete_selected", "_selected_action": [trend.pk for trend in trends[:2]], "post": "yes"},
    )
    assert api.get("/api/v1/trends/").json()["count"] == 1


def test_lists_and_pages_open(desk, send):
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


def test_staff_without_the_right_to_add_cannot_import(client):
    client.force_login(UserFactory(is_staff=True), backend="accounts.backends.EmailOrUsernameBackend")
    assert client.get(IMPORT).status_code == 403
    assert client.post(PROCESS, {}).status_code in (302, 403)
    assert client.get("/admin/trends/trend/export/").status_code == 403
    assert not ImportRun.objects.exists()
