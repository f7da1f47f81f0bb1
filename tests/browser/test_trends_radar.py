"""The radar, the changes since the last import, and the lines of counts over time."""

import random
import re
from collections.abc import Callable

import pytest
from defusedxml import ElementTree
from django.core.files.uploadedfile import SimpleUploadedFile
from playwright.sync_api import Page, expect

from tests.trends.factories import TrendFactory, csv_bytes, values
from trends.models import Trend
from trends.services import import_runner, imports

from .accessibility import violations
from .conftest import PICTURES
from .test_landing import overflow

READINESS = ["Pilot", "Pilot", "Development", "Deploy", ""]
# The marks as circles: place, and how far each reaches from it.
CIRCLES = """() => [...document.querySelectorAll('#radar-plot .mark')].map((mark) => {
  const [x, y] = mark.getAttribute('transform').match(/-?[0-9.]+/g).map(Number);
  const shape = mark.querySelector('circle, polygon');
  const corner = shape.getAttribute('points')?.split(' ')[0].split(',').map(Number);
  return { x, y, reach: corner ? Math.hypot(...corner) : Number(shape.getAttribute('r')) };
})"""


def trends(count: int, *, one_cell: bool = False) -> list[Trend]:
    """Store ``count`` trends that are a group each, spread over the radar or all in one of its cells."""
    chance = random.Random(count)
    return Trend.objects.bulk_create(
        TrendFactory.build(
            megatrend=f"Megatrend {n % 9}",
            macrotrend=f"Macrotrend number {n}",
            total_count_of_publications=int(chance.paretovariate(0.8) * 40),
            total_count_of_patents=chance.choice([None, chance.randrange(900)]),
            steepl="T" if one_cell else chance.choice("STTTEPL"),
            technology_readiness_level="Deploy" if one_cell else chance.choice(READINESS),
            impact_strength="High" if one_cell else chance.choice(["Low", "Medium", "High"]),
        )
        for n in range(count)
    )


def radar(page: Page, count: int) -> None:
    """Wait until the radar is drawn."""
    expect(page.locator("#radar-plot .mark")).to_have_count(count)
    expect(page.locator("#radar")).not_to_have_attribute("aria-busy", "true")


def shows(page: Page, count: int) -> None:
    """Wait until the page shows the totals of ``count`` trends."""
    expect(page.locator("#totals")).to_have_text(re.compile(rf"^{count:,} trends?,"), timeout=15_000)


def update(*files: bytes) -> None:
    """Import the files, each an update of those before it."""
    for content in files:
        file = SimpleUploadedFile("trends.csv", content)
        imports.start_import(file=file, key=imports.new_file_key(), origin="upload", by=None, mode="update")
        import_runner.import_waiting()


def assert_no_mark_on_another(page: Page) -> None:
    marks = page.evaluate(CIRCLES)
    for n, one in enumerate(marks):
        for other in marks[:n]:
            distance = ((one["x"] - other["x"]) ** 2 + (one["y"] - other["y"]) ** 2) ** 0.5
            assert distance >= one["reach"] + other["reach"] - 0.1


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("count", [5, 60, 300])
def test_no_mark_of_the_radar_covers_another(
    browse: Callable[..., Page], transactional_db: None, count: int, dark: bool
) -> None:
    trends(count)
    page = browse("/trends/", dark=dark, reduced_motion="reduce")
    radar(page, count)
    name = f"radar-{count}-{'dark' if dark else 'light'}"
    page.locator("#radar").screenshot(path=PICTURES / f"{name}.png")
    assert_no_mark_on_another(page)
    page.set_viewport_size({"width": 360, "height": 800})
    expect(page.locator("#radar-plot svg")).not_to_have_attribute("width", re.compile("^[4-9]|....$"))
    page.locator("#radar").screenshot(path=PICTURES / f"{name}-360.png")
    assert_no_mark_on_another(page)
    assert overflow(page) <= 0


def test_three_hundred_groups_in_one_cell_do_not_cover_each_other(
    browse: Callable[..., Page], transactional_db: None
) -> None:
    trends(300, one_cell=True)
    page = browse("/trends/", width=360)
    radar(page, 300)
    page.locator("#radar").screenshot(path=PICTURES / "radar-one-cell.png")
    assert_no_mark_on_another(page)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_is_accessible(browse: Callable[..., Page], transactional_db: None, width: int, dark: bool) -> None:
    before = [values(macrotrend=f"Macrotrend {n}", total_count_of_patents=3) for n in range(6)]
    update(csv_bytes(*before), csv_bytes(*[{**row, "total_count_of_publications": 99} for row in before[:2]]))
    page = browse("/trends/", width=width, dark=dark, reduced_motion="reduce")
    radar(page, 6)
    page.locator("#radar summary").click()
    page.locator("#changes summary").click()
    page.locator("#rows svg.sparkline").first.wait_for()
    page.locator(".changes tbody tr").first.wait_for()
    page.screenshot(path=PICTURES / f"trends-all-{width}-{'dark' if dark else 'light'}.png", full_page=True)
    assert page.locator("#upload").count() == 0
    assert overflow(page) <= 0
    assert violations(page) == []
    page.get_by_role("button", name="Macrotrend", exact=True).first.click()
    expect(page.get_by_role("dialog").get_by_role("checkbox")).to_have_count(6)
    page.screenshot(path=PICTURES / f"trends-filter-{width}-{'dark' if dark else 'light'}.png")
    assert overflow(page) <= 0
    assert violations(page) == []


def test_hover_shows_the_values_and_a_click_filters(browse: Callable[..., Page], transactional_db: None) -> None:
    for n in range(3):
        TrendFactory(macrotrend="Smart grids", total_count_of_publications=1000, relevant_industries=f"Industry {n}")
    TrendFactory(macrotrend="Quiet seas", steepl="L", technology_readiness_level="")
    page = browse("/trends/")
    radar(page, 2)
    mark = page.get_by_role("button", name=re.compile("^Smart grids"))
    mark.hover()
    tip = page.locator("#radar-tip")
    expect(tip).to_contain_text("Smart grids")
    expect(tip).to_contain_text("Technological · Pilot · High impact")
    expect(tip).to_contain_text("3 trends, 3,000 publications, 0 patents.")
    mark.click()
    page.get_by_text("3 trends, 3,000 publications").first.wait_for()
    expect(page.get_by_role("button", name="Macrotrend: Smart grids")).to_be_visible()
    expect(page.locator("#rows tr:not(.more)")).to_have_count(3)
    assert "macrotrend=Smart+grids" in page.url
    expect(mark).to_have_attribute("aria-pressed", "true")
    radar(page, 2)  # the other group stays in its place

    page.reload()
    expect(page.locator("#rows tr:not(.more)")).to_have_count(3)
    page.get_by_role("button", name="Macrotrend: Smart grids").click()
    expect(page.locator("#rows tr:not(.more)")).to_have_count(4)


def test_the_keyboard_reads_out_every_group_and_filters(browse: Callable[..., Page], transactional_db: None) -> None:
    trends(5)
    page = browse("/trends/")
    radar(page, 5)
    page.locator("#radar-download").focus()
    page.keyboard.press("Tab")
    read = []
    for _ in range(5):
        read.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
        expect(page.locator("#radar-tip")).to_be_visible()
        page.keyboard.press("ArrowRight")
    assert {label.partition(".")[0] for label in read} == {f"Macrotrend number {n}" for n in range(5)}
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == read[0]  # once around
    page.keyboard.press("Escape")
    expect(page.locator("#radar-tip")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator("#rows tr:not(.more)")).to_have_count(1)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == read[0]


def test_the_table_has_the_same_groups_and_filters_too(browse: Callable[..., Page], transactional_db: None) -> None:
    trends(20)
    page = browse("/trends/")
    radar(page, 20)
    page.locator("#radar summary").click()
    names = page.locator("#radar-table tbody th").all_inner_texts()
    labels = [mark.get_attribute("aria-label") or "" for mark in page.locator("#radar-plot .mark").all()]
    assert [label.partition(".")[0] for label in labels] == names
    button = page.locator("#radar-table button").nth(3)
    button.click()
    expect(page.locator("#rows tr:not(.more)")).to_have_count(1)
    expect(button).to_be_focused()
    expect(button).to_have_attribute("aria-pressed", "true")


def test_filters_of_the_charts_and_the_search_apply_to_the_radar(
    browse: Callable[..., Page], transactional_db: None
) -> None:
    stored = trends(40)
    page = browse("/trends/")
    radar(page, 40)
    page.locator("#chart-steepl").get_by_role("button", name="T · Technological").click()
    radar(page, sum(trend.steepl == "T" for trend in stored))
    page.get_by_role("button", name="Clear all").click()
    page.get_by_label("Search trends").fill("number 7")
    radar(page, Trend.objects.matching("number 7").count())


def test_the_radar_can_be_downloaded_as_svg(browse: Callable[..., Page], transactional_db: None) -> None:
    trends(30)
    TrendFactory(macrotrend='<b> & "grids"', steepl="L")
    page = browse("/trends/", width=360)
    radar(page, 31)
    with page.expect_download() as download:
        page.locator("#radar-download").click()
    assert download.value.suggested_filename == "trends-radar.svg"
    text = download.value.path().read_text()
    assert "var(" not in text and "script" not in text and "style=" not in text
    root = ElementTree.fromstring(text)
    titles = [title.text or "" for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert len(titles) == 32
    assert any(title.startswith('<b> & "grids".') for title in titles)


def test_size_follows_the_chosen_count(browse: Callable[..., Page], transactional_db: None) -> None:
    TrendFactory(macrotrend="Papers", total_count_of_publications=900, total_count_of_patents=1)
    TrendFactory(macrotrend="Patents", total_count_of_publications=1, total_count_of_patents=900, steepl="L")
    page = browse("/trends/")
    radar(page, 2)

    def reach() -> dict[str, float]:
        labels = [mark.get_attribute("aria-label") or "" for mark in page.locator("#radar-plot .mark").all()]
        marks = page.evaluate(CIRCLES)
        return {label.partition(".")[0]: mark["reach"] for label, mark in zip(labels, marks, strict=True)}

    page.get_by_label("Size").select_option("Publications")
    assert reach()["Papers"] > 2 * reach()["Patents"]
    page.get_by_label("Size").select_option("Patents")
    assert reach()["Patents"] > 2 * reach()["Papers"]


def test_the_page_shows_what_the_last_import_changed(browse: Callable[..., Page], transactional_db: None) -> None:
    first = [values(macrotrend=f"Trend {n}", total_count_of_publications=1000, impact_strength="Low") for n in range(3)]
    grown = {**first[0], "total_count_of_publications": 1500, "impact_strength": "High"}
    shrunk = {**first[1], "total_count_of_publications": 990}
    update(csv_bytes(*first), csv_bytes(grown, shrunk, first[2], values(macrotrend="New")))
    page = browse("/trends/")
    section = page.locator("#changes")
    section.get_by_text("1 created, 2 updated.").wait_for()
    section.locator("summary").click()
    section.get_by_text("1 created, 2 updated, 0 deleted.").wait_for()
    rows = section.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text(re.compile("Trend 0.*▲up: 1,000 → 1,500.*Pilot.*▲up: Low → High"))
    expect(rows.nth(1)).to_contain_text(re.compile("Trend 1.*▼down: 1,000 → 990"))
    line = page.locator("#rows tr:not(.more)", has_text="Trend 0").locator("svg.sparkline")
    expect(line).to_have_attribute("aria-label", re.compile("publications 1,000, 1,500;"))
    expect(page.locator("#rows svg.sparkline")).to_have_count(2)


def test_without_an_import_there_is_no_section_of_changes(browse: Callable[..., Page], transactional_db: None) -> None:
    page = browse("/trends/")
    shows(page, 0)
    radar(page, 0)
    assert page.locator("#changes").count() == 0
    assert page.locator("#radar-plot svg").count() == 1
