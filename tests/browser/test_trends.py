"""The trends page: charts that filter, a table that follows, an upload that tells its errors."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import expect

from tests.factories import UserFactory
from tests.trends.factories import DATA, sample
from trends import importing, services
from trends.models import ImportRun, Trend

from .conftest import PICTURES
from .test_landing import sideways


@pytest.fixture
def stored(transactional_db) -> int:
    file = SimpleUploadedFile("sample.csv", sample("trends_sample.csv"))
    services.start_import(file=file, key=services.file_key(), origin="upload", by=None)
    importing.import_waiting()
    return Trend.objects.count()


def drawn(page):
    """Wait for the five charts: each is drawn, and its numbers written, in one go."""
    expect(page.locator("figure.chart table tbody")).to_have_count(5)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_shows_what_is_stored_and_fits_the_window(browse, stored, width, dark):
    page = browse("/trends/", width=width, dark=dark, reduced_motion="reduce")  # the bars need not grow first
    page.get_by_text(f"{stored} trends").wait_for()
    page.locator("#rows tr").nth(4).wait_for()
    drawn(page)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"trends-{width}-{'dark' if dark else 'light'}.png", full_page=True)
    assert page.locator("figure.chart canvas").count() == 5
    assert page.locator("#upload").count() == 0
    assert sideways(page) <= 0


def test_every_chart_is_a_table_too_for_those_who_do_not_see_it(browse, stored):
    page = browse("/trends/")
    page.get_by_text(f"{stored} trends").wait_for()
    for canvas in page.locator("figure.chart canvas").all():
        assert "same numbers" in canvas.get_attribute("aria-label")
    for summary in page.locator("figure.chart summary").all():
        summary.click()
    counts = page.locator("#chart-steepl tbody td").all_inner_texts()
    assert sum(map(int, counts)) == stored
    assert page.locator("#chart-output thead th").all_inner_texts() == ["Megatrend", "Publications", "Patents"]


def test_a_choice_by_keyboard_filters_charts_and_table_and_is_in_the_address(browse, stored):
    page = browse("/trends/")
    page.get_by_text(f"{stored} trends").wait_for()
    summary = page.locator("#chart-impact_strength summary")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first category: Low
    low = Trend.objects.filter(impact_strength="Low").count()
    page.get_by_text(f"{low} trends").wait_for()
    page.locator("#place").get_by_text(re.compile(f"of {low}$")).wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Low"
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert "impact_strength=Low" in page.url
    assert set(page.locator("#rows tr:not(.more) td:nth-child(4)").all_inner_texts()) == {"Low"}

    page.reload()
    page.get_by_text(f"{low} trends").wait_for()
    page.get_by_role("button", name="Impact: Low").click()
    page.get_by_text(f"{stored} trends").wait_for()


def test_a_bar_that_is_clicked_filters(browse, stored):
    page = browse("/trends/", reduced_motion="reduce")
    page.get_by_text(f"{stored} trends").wait_for()
    drawn(page)
    canvas = page.locator("#chart-steepl canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] * 0.5, "y": 20})
    social = Trend.objects.filter(steepl="S").count()
    page.get_by_text(re.compile(rf"^{social} trends")).wait_for()
    page.get_by_role("button", name="STEEPL: S · Social").wait_for()
    page.get_by_role("button", name="Clear all").click()
    page.get_by_text(f"{stored} trends").wait_for()


def test_search_order_and_pages(browse, stored):
    page = browse("/trends/")
    page.get_by_text(f"1–25 of {stored}").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_text(f"26–50 of {stored}").wait_for()
    page.get_by_role("button", name="Publications", exact=True).click()
    most = max(filter(None, Trend.objects.values_list("total_count_of_publications", flat=True)))
    page.locator("#rows tr").first.get_by_text(f"{most:,}").wait_for()
    assert page.locator("th[data-order=publications]").get_attribute("aria-sort") == "descending"
    page.get_by_label("Search the trends").fill("smart GRIDS")
    grids = Trend.objects.matching("smart grids").count()
    page.get_by_text(re.compile(rf"^{grids} trends")).wait_for()
    page.get_by_role("button", name="More of Smart grids").first.click()
    assert page.get_by_text("Relevant industries").first.is_visible()
    page.get_by_label("Search the trends").fill("nothing has this")
    page.get_by_text("No trend fits these filters.").wait_for()


def test_staff_check_a_file_and_import_it_and_see_its_errors(browse, transactional_db, worker):
    page = browse("/trends/", user=UserFactory(is_staff=True))
    page.get_by_text("0 trends").wait_for()
    page.get_by_label("Drop a file here, or choose one").set_input_files(DATA / "trends_messy.csv")
    page.get_by_label("Only check it").check()
    page.get_by_role("button", name="Import").click()
    page.get_by_text("trends_messy.csv would bring: 57 new, 1 duplicate, 4 bad of 62 rows.").wait_for()
    assert not ImportRun.objects.exists()

    page.get_by_label("Only check it").uncheck()
    page.get_by_role("button", name="Import").click()
    page.get_by_text("trends_messy.csv is imported: 57 new, 1 duplicate, 4 bad of 62 rows.").wait_for(timeout=30_000)
    assert (
        page.get_by_role("region", name="Bad rows").get_by_text("This must be one of Low, Medium, High.").is_visible()
    )
    page.get_by_text("57 trends").wait_for()
    page.locator("#report").scroll_into_view_if_needed()
    page.screenshot(path=PICTURES / "trends-upload.png", full_page=True)
    with page.expect_download() as download:
        page.get_by_role("link", name="All of them as CSV").click()
    assert download.value.suggested_filename == "trends_messy-errors.csv"

    page.get_by_label("Drop a file here, or choose one").set_input_files(DATA / "trends_over_limit.csv")
    page.get_by_role("button", name="Import").click()
    page.get_by_text("trends_over_limit.csv was not imported. 8 of 40 rows are bad").wait_for(timeout=30_000)


def test_trouble_is_said_and_can_be_tried_again(browse, watch, stored):
    watch.allow("status of 503|Failed to load resource")
    page = browse(None)
    page.route("**/api/v1/trends/**", lambda route: route.fulfill(status=503, body="{}"))
    page.goto("/trends/")
    page.get_by_role("alert").get_by_text("The server answered 503.").wait_for()
    page.unroute("**/api/v1/trends/**")
    page.get_by_role("button", name="Try again").click()
    page.get_by_text(f"{stored} trends").wait_for()


def test_that_nothing_fits_is_seen_wherever_the_table_was_scrolled(browse, stored):
    page = browse("/trends/", width=390)
    page.get_by_role("button", name=re.compile("^More of")).first.click()
    page.get_by_label("Search the trends").fill("nothing of the kind")
    words = page.get_by_text("No trend fits these filters.")
    words.wait_for()
    assert words.evaluate("cell => cell.getBoundingClientRect().left >= 0")
