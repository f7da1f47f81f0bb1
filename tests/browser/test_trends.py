"""The trends pages: filters, charts, the list, the import of staff, and the page of one trend."""

import gzip
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import Page, Response, Route, expect

from tests.factories import UserFactory
from tests.trends.factories import DATA, TrendFactory, csv_bytes, sample, values
from trends.files.columns import HEADINGS
from trends.models import ImportRun, Trend
from trends.services import import_runner, imports

from .accessibility import violations
from .conftest import PICTURES, Watch
from .test_landing import overflow
from .test_trends_radar import shows, update


@pytest.fixture
def stored(transactional_db: None) -> int:
    file = SimpleUploadedFile("sample.csv", sample("trends_sample.csv"))
    imports.start_import(file=file, key=imports.new_file_key(), origin="upload", by=None)
    import_runner.import_waiting()
    return Trend.objects.count()


def test_every_chart_is_a_table_and_a_row_of_it_filters(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/")
    shows(page, stored)
    counts = page.locator("#chart-steepl tbody td").all_inner_texts()
    assert sum(map(int, counts)) == stored
    heads = page.locator("#chart-megatrend thead th").all_inner_texts()
    assert [head.split("\n")[0] for head in heads] == ["Megatrend", "Trends", "Publications", "Patents"]

    # By keyboard.
    low = Trend.objects.filter(impact_strength="Low").count()
    button = page.locator("#chart-impact_strength").get_by_role("button", name="Low")
    button.focus()
    page.keyboard.press("Enter")
    shows(page, low)
    page.locator("#position").get_by_text(re.compile(f"of {low}$")).wait_for()
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-pressed", "true")
    assert "impact_strength=Low" in page.url
    assert set(page.locator("#rows tr:not(.more) td:nth-child(4)").all_inner_texts()) == {"Low"}
    page.reload()
    shows(page, low)
    page.get_by_role("button", name="Impact: Low").click()
    shows(page, stored)

    # A click on a bar.
    bar = page.locator("#chart-steepl tbody tr").first.locator(".track")
    bar.click()
    social = Trend.objects.filter(steepl="S").count()
    shows(page, social)
    page.get_by_role("button", name="STEEPL: S · Social").wait_for()
    page.get_by_role("button", name="Clear all").click()
    shows(page, stored)
    assert page.url.endswith("/trends/")


def test_the_filter_bar_takes_several_values_by_keyboard_and_is_in_the_address(
    browse: Callable[..., Page], transactional_db: None
) -> None:
    for megatrend in ("Energy", "Health, ageing", "Mobility"):
        TrendFactory.create_batch(2, megatrend=megatrend)
    page = browse("/trends/")
    shows(page, 6)
    page.get_by_role("button", name="Megatrend", exact=True).first.focus()
    page.keyboard.press("Enter")
    menu = page.get_by_role("dialog", name="Filter by Megatrend")
    expect(menu.get_by_role("checkbox")).to_have_count(3)
    for place in (1, 2):
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        shows(page, 2 * place)
    expect(menu.get_by_label("Mobility")).not_to_be_checked()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(page.get_by_role("button", name="Megatrend, 2 selected")).to_be_focused()
    assert page.url.endswith("?megatrend=Energy&megatrend=Health%2C+ageing")
    expect(page.locator("#rows tr:not(.more)")).to_have_count(4)

    page.go_back()
    shows(page, 2)
    page.get_by_role("button", name="Megatrend, 1 selected").click()
    expect(menu.get_by_label("Energy")).to_be_checked()
    expect(menu.get_by_label("Health, ageing")).not_to_be_checked()
    page.go_forward()
    expect(menu.get_by_label("Health, ageing")).to_be_checked()
    menu.get_by_role("button", name="Clear").click()
    shows(page, 6)


def test_a_long_menu_can_be_searched_and_finds_macrotrends_that_the_radar_leaves_out(
    browse: Callable[..., Page], transactional_db: None
) -> None:
    Trend.objects.bulk_create(TrendFactory.build(macrotrend=f"Field {n:03}") for n in range(301))
    page = browse("/trends/")
    page.get_by_text("The 300 largest of 301 groups.").wait_for()
    page.get_by_role("button", name="Macrotrend", exact=True).first.click()
    menu = page.get_by_role("dialog", name="Filter by Macrotrend")
    expect(menu.get_by_role("checkbox")).to_have_count(300)
    menu.get_by_label("Find in Macrotrend").fill("field 300")
    menu.get_by_label("Field 300").check()
    shows(page, 1)
    assert page.url.endswith("?macrotrend=Field+300")


def test_back_and_forward_move_through_the_selections(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/")
    shows(page, stored)
    page.locator("#chart-steepl").get_by_role("button", name="S · Social").click()
    page.locator("#chart-steepl").get_by_role("button", name="L · Legal").click()
    page.get_by_label("Search trends").press_sequentially("in")
    page.wait_for_url("**/trends/?search=in&steepl=S&steepl=L")

    both = Trend.objects.filter(steepl__in="SL").count()
    page.go_back()
    shows(page, both)
    expect(page.get_by_label("Search trends")).to_have_value("")
    expect(page.get_by_role("button", name="STEEPL: L · Legal")).to_be_visible()
    page.go_back()
    shows(page, Trend.objects.filter(steepl="S").count())
    page.go_forward()
    shows(page, both)
    page.locator("#position").get_by_text(re.compile(f"of {both}$")).wait_for()


POSITIONS = """() => ['changes-place', 'totals', 'radar', 'radar-plot', 'charts', 'chart-steepl', 'rows-wrap'].map(
  (id) => [id, Math.round(document.getElementById(id).getBoundingClientRect().top + scrollY)])"""


@pytest.mark.parametrize("width", [360, 800, 1280])
def test_nothing_moves_while_the_page_loads_or_when_a_filter_is_selected(
    browse: Callable[..., Page], stored: int, width: int
) -> None:
    page, held = browse(None, width=width, reduced_motion="reduce"), list[Route]()
    page.route("**/api/v1/trends/**", lambda route: held.append(route))
    page.goto("/trends/")
    expect(page.locator("#chart-steepl tbody tr")).to_have_count(5)  # drawn, without numbers
    before = page.evaluate(POSITIONS)
    for route in held:
        route.continue_()
    page.unroute("**/api/v1/trends/**")
    shows(page, stored)
    page.locator("#radar-plot svg").wait_for()
    page.locator("#rows tr").nth(4).wait_for()
    assert page.evaluate(POSITIONS) == before

    rows = page.locator("#chart-impact_strength tbody tr")
    for n in (0, 1):
        rows.nth(n).locator(".track").click()
    low_or_medium = Trend.objects.filter(impact_strength__in=["Low", "Medium"]).count()
    shows(page, low_or_medium)
    assert page.evaluate(POSITIONS) == before
    page.get_by_role("button", name="Impact: Low").click()
    expect(page.get_by_role("button", name="Impact: Medium")).to_be_focused()
    page.get_by_role("button", name="Impact: Medium").click()
    expect(page.get_by_label("Search trends")).to_be_focused()
    assert page.evaluate(POSITIONS) == before


def test_patents_have_a_scale_of_their_own(browse: Callable[..., Page], transactional_db: None) -> None:
    TrendFactory(total_count_of_publications=90_000, total_count_of_patents=30)
    page = browse("/trends/", reduced_motion="reduce")
    page.get_by_text("90,000 publications").wait_for()
    chart = page.locator("#chart-megatrend")
    publications, patents = (chart.locator(f"[data-measure={name}] .bar") for name in ("publications", "patents"))
    assert round(publications.bounding_box()["width"]) == round(patents.bounding_box()["width"])
    expect(chart.locator("thead")).to_contain_text(re.compile("Publications0 to 90,000.*Patents0 to 30"))


def test_a_trend_has_a_page_and_the_way_back_keeps_the_filters(
    browse: Callable[..., Page], transactional_db: None
) -> None:
    first = values(macrotrend="Heat pumps", total_count_of_publications=900, total_count_of_patents=4)
    other = values(macrotrend="Heat pumps", steepl="S", total_count_of_publications=50)
    changed = {**first, "total_count_of_publications": 1200, "impact_strength": "Medium"}
    update(csv_bytes(first, other), csv_bytes(changed, values(macrotrend="New")))
    page = browse("/trends/?search=heat&steepl=T")
    page.locator("#rows").get_by_role("link", name="Heat pumps").click()
    expect(page.get_by_role("heading", level=1, name="Heat pumps")).to_be_visible()
    since = page.locator("#since")
    expect(since).to_contain_text("Updated since the import of")
    columns = "Total count of publications.*900 → 1,200.*Impact Strength.*High → Medium"
    expect(since).to_contain_text(re.compile(columns, re.S))
    expect(page.locator("#lines svg")).to_have_count(2)
    page.locator("#history summary").click()
    assert [row.split("\t")[1:] for row in page.locator("#states tr").all_inner_texts()] == [
        ["1,200", "4", "Pilot", "Medium"], ["900", "4", "Pilot", "High"],
    ]  # fmt: skip
    macrotrend = page.locator("#groups tr", has_text="Macrotrend")
    expect(macrotrend).to_contain_text(re.compile("Heat pumps\\s*2\\s*1,250\\s*4"))
    for dark in (False, True):
        page.emulate_media(color_scheme="dark" if dark else "light")
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            page.screenshot(path=PICTURES / f"trend-{width}-{'dark' if dark else 'light'}.png", full_page=True)
            assert overflow(page) <= 0
        assert violations(page) == []
    page.get_by_role("link", name="Trends", exact=True).last.click()
    expect(page).to_have_url(re.compile(r"/trends/\?search=heat&steepl=T$"))
    expect(page.locator("#rows tr:not(.more)")).to_have_count(1)
    page.go_back()
    page.locator("#groups").get_by_role("link", name="Heat pumps").click()
    expect(page).to_have_url(re.compile(r"/trends/\?macrotrend=Heat%20pumps$"))
    expect(page.locator("#rows tr:not(.more)")).to_have_count(2)


def test_the_pages_are_small_and_people_without_staff_load_no_import(browse: Callable[..., Page], stored: int) -> None:
    trend = Trend.objects.latest("pk")
    for user in (None, UserFactory(is_staff=True)):
        for path in ("/trends/", f"/trends/{trend.pk}/"):
            page, responses = browse(None, user=user), list[Response]()
            page.on("response", partial(list.append, responses))
            page.goto(path, wait_until="networkidle")
            size = sum(len(gzip.compress(response.body())) for response in responses)  # as the front sends them
            assert 10_000 < size < 80_000, path
            names = {response.url.rpartition("/")[2].partition(".")[0] for response in responses}
            assert ("upload" in names) == (user is not None and path == "/trends/")
            assert not names & {"changes", "palette"}


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
    shows(page, grids)
    page.get_by_role("button", name="Details of Smart grids").first.click()
    assert page.get_by_text("Relevant industries").first.is_visible()
    page.get_by_label("Search trends").fill("nothing has this")
    page.get_by_text("No trends match these filters.").wait_for()


def test_staff_can_check_a_file_import_it_and_see_its_errors(
    browse: Callable[..., Page], transactional_db: None, worker: Any
) -> None:
    page = browse("/trends/", user=UserFactory(is_staff=True, is_superuser=True))
    shows(page, 0)
    page.get_by_text("Rules for the ten columns").click()
    assert page.locator(".columns dt").all_inner_texts() == list(HEADINGS.values())
    for name, title in (("csv", "CSV"), ("xlsx", "Excel")):
        with page.expect_download() as download:
            page.locator(".card-head").get_by_role("link", name=title).click()
        assert download.value.suggested_filename == f"trends-template.{name}"
    page.get_by_label("Drop a file here or choose one").set_input_files(DATA / "trends_messy.csv")
    page.get_by_label("Only check the file").check()
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("trends_messy.csv can be imported: 57 new, 1 duplicate, 4 invalid of 62 rows.").wait_for()
    assert not ImportRun.objects.exists()

    page.get_by_role("button", name="Import it now").click()
    page.get_by_text("trends_messy.csv was imported: 57 new, 1 duplicate, 4 invalid of 62 rows.").wait_for(
        timeout=30_000
    )
    assert (
        page.get_by_role("region", name="Invalid rows")
        .get_by_text("This must be one of Low, Medium, High.")
        .is_visible()
    )
    shows(page, 57)
    expect(page.locator("#changes-counts")).to_have_text("57 created, 0 updated.")
    assert page.request.get(page.get_by_role("link", name="Open this import").get_attribute("href")).ok
    page.locator("#report").scroll_into_view_if_needed()
    page.screenshot(path=PICTURES / "trends-upload.png", full_page=True)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all invalid rows (CSV)").click()
    assert download.value.suggested_filename == "trends_messy-errors.csv"

    page.get_by_label("Drop a file here or choose one").set_input_files(DATA / "trends_over_limit.csv")
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_text("trends_over_limit.csv was not imported. 8 of 40 rows are invalid").wait_for(timeout=30_000)


def test_an_error_is_shown_and_can_be_retried(browse: Callable[..., Page], watch: Watch, stored: int) -> None:
    watch.allow("status of 503|Failed to load resource")
    page = browse(None)
    page.route("**/api/v1/trends/**", lambda route: route.fulfill(status=503, body="{}"))
    page.goto("/trends/")
    page.get_by_role("alert").get_by_text("The server answered with status 503.").wait_for()
    page.unroute("**/api/v1/trends/**")
    page.get_by_role("button", name="Try again").click()
    shows(page, stored)


def test_no_match_is_visible_wherever_the_list_was_scrolled(browse: Callable[..., Page], stored: int) -> None:
    page = browse("/trends/", width=390)
    page.get_by_role("button", name=re.compile("^Details of")).first.click()
    page.get_by_label("Search trends").fill("no such words")
    message = page.get_by_text("No trends match these filters.")
    message.wait_for()
    assert message.evaluate("cell => cell.getBoundingClientRect().left >= 0")
