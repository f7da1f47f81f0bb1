"""The trends page: charts that filter, the list, and the upload with its errors."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import Page, expect

from tests.factories import UserFactory
from tests.trends.factories import DATA, TrendFactory, sample
from trends.files.columns import HEADINGS
from trends.files.reader import CSVReader
from trends.models import ImportRun, Trend
from trends.services import import_runner, imports

from .conftest import PICTURES, Watch
from .test_landing import overflow


@pytest.fixture
def stored(transactional_db: None) -> int:
    file = SimpleUploadedFile("sample.csv", sample("trends_sample.csv"))
    imports.start_import(file=file, key=imports.new_file_key(), origin="upload", by=None)
    import_runner.import_waiting()
    return Trend.objects.count()


def drawn(page: Page) -> None:
    """Wait until the five charts and their tables are drawn."""
    expect(page.locator("figure.chart table tbody")).to_have_count(5)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_shows_the_stored_trends_and_fits_the_window(
    browse: Callable[..., Page], stored: int, width: int, dark: bool
) -> None:
    page = browse("/trends/", width=width, dark=dark, reduced_motion="reduce")  # no animation
    page.get_by_text(f"{stored} trends").wait_for()
    page.locator("#rows tr").nth(4).wait_for()
    drawn(page)
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"trends-{width}-{'dark' if dark else 'light'}.png", full_page=True)
    assert page.locator("figure.chart canvas").count() == 5
    assert page.locator("#upload").count() == 0
    assert overflow(page) <= 0


def test_every_chart_is_also_a_table(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/")
    page.get_by_text(f"{stored} trends").wait_for()
    for canvas in page.locator("figure.chart canvas").all():
        assert "shows the same numbers" in canvas.get_attribute("aria-label")
    for summary in page.locator("figure.chart summary").all():
        summary.click()
    counts = page.locator("#chart-steepl tbody td").all_inner_texts()
    assert sum(map(int, counts)) == stored
    assert page.locator("#chart-output thead th").all_inner_texts() == ["Megatrend", "Publications", "Patents"]


def test_a_selection_by_keyboard_filters_charts_and_list_and_is_in_the_address(
    browse: Callable[..., Page], stored: int
) -> None:
    page = browse("/trends/")
    page.get_by_text(f"{stored} trends").wait_for()
    summary = page.locator("#chart-impact_strength summary")
    summary.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first category: Low
    low = Trend.objects.filter(impact_strength="Low").count()
    page.get_by_text(f"{low} trends").wait_for()
    page.locator("#position").get_by_text(re.compile(f"of {low}$")).wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Low"
    assert page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"
    assert "impact_strength=Low" in page.url
    assert set(page.locator("#rows tr:not(.more) td:nth-child(4)").all_inner_texts()) == {"Low"}

    page.reload()
    page.get_by_text(f"{low} trends").wait_for()
    page.get_by_role("button", name="Impact: Low").click()
    page.get_by_text(f"{stored} trends").wait_for()


def test_a_click_on_a_bar_filters(browse: Callable[..., Page], stored: int) -> None:
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


def test_back_and_forward_move_through_the_selections(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/")
    page.get_by_text(f"{stored} trends").wait_for()
    page.locator("#chart-steepl summary").click()
    page.locator("#chart-steepl").get_by_role("button", name="S · Social").click()
    page.locator("#chart-steepl").get_by_role("button", name="L · Legal").click()
    page.get_by_label("Search trends").press_sequentially("in")
    page.wait_for_url("**/trends/?search=in&steepl=S&steepl=L")

    both = Trend.objects.filter(steepl__in="SL").count()
    page.go_back()
    page.get_by_text(re.compile(rf"^{both} trends")).wait_for()
    expect(page.get_by_label("Search trends")).to_have_value("")
    expect(page.get_by_role("button", name="STEEPL: L · Legal")).to_be_visible()
    page.go_back()
    page.get_by_text(re.compile(rf"^{Trend.objects.filter(steepl='S').count()} trends")).wait_for()
    page.go_forward()
    page.get_by_text(re.compile(rf"^{both} trends")).wait_for()
    page.locator("#position").get_by_text(re.compile(f"of {both}$")).wait_for()


def test_a_selection_moves_nothing_and_removing_it_keeps_the_focus(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/", reduced_motion="reduce")
    page.get_by_text(f"{stored} trends").wait_for()
    drawn(page)
    position = "() => ['charts', 'rows-wrap'].map((id) => document.getElementById(id).offsetTop)"
    before = page.evaluate(position)
    canvas = page.locator("#chart-impact_strength canvas")
    box = canvas.bounding_box()
    assert box
    for y in (20, 54):
        canvas.click(position={"x": box["width"] * 0.5, "y": y})
    low_or_medium = Trend.objects.filter(impact_strength__in=["Low", "Medium"]).count()
    page.get_by_text(re.compile(rf"^{low_or_medium} trends")).wait_for()
    assert page.evaluate(position) == before
    page.get_by_role("button", name="Impact: Low").click()
    expect(page.get_by_role("button", name="Impact: Medium")).to_be_focused()
    page.get_by_role("button", name="Impact: Medium").click()
    expect(page.get_by_label("Search trends")).to_be_focused()
    assert page.evaluate(position) == before


def test_patents_have_a_scale_of_their_own(browse: Callable[..., Page], transactional_db: None) -> None:
    TrendFactory(total_count_of_publications=90_000, total_count_of_patents=30)
    page = browse("/trends/", reduced_motion="reduce")
    page.get_by_text("90,000 publications").wait_for()
    drawn(page)
    lengths = page.evaluate(
        "() => [0, 1].map((series) => { const bar = Chart.getChart(document.querySelector('#chart-output canvas'))"
        ".getDatasetMeta(series).data[0]; return bar.x - bar.base; })"
    )
    assert lengths[1] > lengths[0] / 2


def test_a_phone_shows_cards_that_can_be_sorted(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/", width=360)
    page.locator("#rows tr").nth(4).wait_for()
    wrap = page.locator("#rows-wrap")
    assert wrap.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert page.locator("#rows tr").first.evaluate("row => getComputedStyle(row).display") == "grid"
    page.get_by_label("Sort by").select_option("Most publications")
    most = max(filter(None, Trend.objects.values_list("total_count_of_publications", flat=True)))
    page.locator("#rows tr").first.get_by_text(f"{most:,}").wait_for()
    assert "ordering=-publications" in page.url
    page.get_by_role("button", name=re.compile("^Details of")).first.click()
    page.get_by_text("Relevant industries").first.wait_for()


def test_staff_see_the_columns_and_download_a_template(browse: Callable[..., Page], transactional_db: None) -> None:
    page = browse("/trends/", user=UserFactory(is_staff=True))
    page.get_by_text("The ten columns").click()
    assert page.locator(".columns dt").all_inner_texts() == list(HEADINGS.values())
    with page.expect_download() as download:
        page.get_by_role("link", name="Download an empty template").click()
    assert download.value.suggested_filename == "trends-template.csv"
    assert list(CSVReader(download.value.path().open("rb")).batches()) == []


def test_search_order_and_pages(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/")
    page.get_by_text(f"1–25 of {stored}").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_text(f"26–50 of {stored}").wait_for()
    page.get_by_role("button", name="Publications", exact=True).click()
    most = max(filter(None, Trend.objects.values_list("total_count_of_publications", flat=True)))
    page.locator("#rows tr").first.get_by_text(f"{most:,}").wait_for()
    assert page.locator("th[data-order=publications]").get_attribute("aria-sort") == "descending"
    page.get_by_label("Search trends").fill("smart GRIDS")
    grids = Trend.objects.matching("smart grids").count()
    page.get_by_text(re.compile(rf"^{grids} trends")).wait_for()
    page.get_by_role("button", name="Details of Smart grids").first.click()
    assert page.get_by_text("Relevant industries").first.is_visible()
    page.get_by_label("Search trends").fill("nothing has this")
    page.get_by_text("No trends match these filters.").wait_for()


def test_staff_can_check_a_file_import_it_and_see_its_errors(
    browse: Callable[..., Page], transactional_db: None, worker: Any
) -> None:
    page = browse("/trends/", user=UserFactory(is_staff=True))
    page.get_by_text("0 trends").wait_for()
    page.get_by_label("Drop a file here or choose one").set_input_files(DATA / "trends_messy.csv")
    page.get_by_label("Only check the file").check()
    page.get_by_role("button", name="Import").click()
    page.get_by_text("trends_messy.csv can be imported: 57 new, 1 duplicate, 4 invalid of 62 rows.").wait_for()
    assert not ImportRun.objects.exists()

    page.get_by_label("Only check the file").uncheck()
    page.get_by_role("button", name="Import").click()
    page.get_by_text("trends_messy.csv was imported: 57 new, 1 duplicate, 4 invalid of 62 rows.").wait_for(
        timeout=30_000
    )
    assert (
        page.get_by_role("region", name="Invalid rows")
        .get_by_text("This must be one of Low, Medium, High.")
        .is_visible()
    )
    page.get_by_text("57 trends").wait_for()
    page.locator("#report").scroll_into_view_if_needed()
    page.screenshot(path=PICTURES / "trends-upload.png", full_page=True)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all invalid rows (CSV)").click()
    assert download.value.suggested_filename == "trends_messy-errors.csv"

    page.get_by_label("Drop a file here or choose one").set_input_files(DATA / "trends_over_limit.csv")
    page.get_by_role("button", name="Import").click()
    page.get_by_text("trends_over_limit.csv was not imported. 8 of 40 rows are invalid").wait_for(timeout=30_000)


def test_an_error_is_shown_and_can_be_retried(browse: Callable[..., Page], watch: Watch, stored: int) -> None:
    watch.allow("status of 503|Failed to load resource")
    page = browse(None)
    page.route("**/api/v1/trends/**", lambda route: route.fulfill(status=503, body="{}"))
    page.goto("/trends/")
    page.get_by_role("alert").get_by_text("The server returned status 503.").wait_for()
    page.unroute("**/api/v1/trends/**")
    page.get_by_role("button", name="Try again").click()
    page.get_by_text(f"{stored} trends").wait_for()


def test_no_match_is_visible_wherever_the_list_was_scrolled(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/", width=390)
    page.get_by_role("button", name=re.compile("^Details of")).first.click()
    page.get_by_label("Search trends").fill("no such words")
    message = page.get_by_text("No trends match these filters.")
    message.wait_for()
    assert message.evaluate("cell => cell.getBoundingClientRect().left >= 0")
