"""The parts of the notes page that only compute: times as people write them, and merging two versions."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

NOW = "2026-11-26T10:00:00Z"  # a Thursday; 11:00 in Berlin


@pytest.fixture
def module(browse: Callable[..., Page]) -> Callable[[str, str, Any], Any]:
    page = browse("/")

    def run(name: str, script: str, argument: Any) -> Any:
        return page.evaluate(
            f"async (given) => {{ const m = await import('/static/notes/{name}.js'); {script} }}", argument
        )

    return run


WHEN = {
    "tomorrow 9": "2026-11-27T08:00:00.000Z",
    "Tomorrow at 9:30": "2026-11-27T08:30:00.000Z",
    "tomorrow": "2026-11-27T08:00:00.000Z",
    "9pm": "2026-11-26T20:00:00.000Z",
    "9": "2026-11-27T08:00:00.000Z",  # 9:00 is over today
    "14:30": "2026-11-26T13:30:00.000Z",
    "tonight": "2026-11-26T19:00:00.000Z",
    "in 2 hours": "2026-11-26T12:00:00.000Z",
    "in 30 min": "2026-11-26T10:30:00.000Z",
    "in 3 days": "2026-11-29T10:00:00.000Z",
    "in a week": "2026-12-03T10:00:00.000Z",
    "monday 10am": "2026-11-30T09:00:00.000Z",
    "thursday": "2026-12-03T08:00:00.000Z",
    "4 may 8pm": "2027-05-04T18:00:00.000Z",  # summer time
    "May 4 2027 at 20:00": "2027-05-04T18:00:00.000Z",
    "24.12. 18:00": "2026-12-24T17:00:00.000Z",
    "2027-01-02 10:15": "2027-01-02T09:15:00.000Z",
    "28 march 2027 2:30": "2027-03-28T01:30:00.000Z",  # clocks skip this time: it is an hour later
    "yesterday": None,
    "today 9": None,
    "30 february": None,
    "25:00": None,
    "lunch with bob": None,
    "": None,
}


def test_times_are_read_as_people_write_them(module: Callable[[str, str, Any], Any]) -> None:
    options = f'{{ now: new Date("{NOW}"), zone: "Europe/Berlin" }}'
    script = f"return given.map((text) => m.parseWhen(text, {options})?.toISOString() ?? null)"
    found = module("when", script, list(WHEN))
    assert dict(zip(WHEN, found, strict=True)) == WHEN


def item(text: str, checked: bool = False) -> dict[str, Any]:
    return {"text": text, "checked": checked}


def content(**fields: Any) -> dict[str, Any]:
    return {"title": "", "body": "", "items": [], "color": "default", **fields}


MERGES = [
    (
        "different fields",
        content(title="a"),
        content(title="a", body="x"),
        content(title="b"),
        content(title="b", body="x"),
    ),
    ("the same text", content(body="a"), content(body="b"), content(body="c"), None),
    ("both wrote the same", content(body="a"), content(body="b"), content(body="b"), content(body="b")),
    (
        "ticks of different items",
        content(items=[item("a"), item("b")]),
        content(items=[item("a", True), item("b")]),
        content(items=[item("a"), item("b", True)]),
        content(items=[item("a", True), item("b", True)]),
    ),
    (
        "both appended",
        content(items=[item("a")]),
        content(items=[item("a"), item("mine")]),
        content(items=[item("a"), item("theirs")]),
        content(items=[item("a"), item("theirs"), item("mine")]),
    ),
    (
        "one ticked, the other removed an item",
        content(items=[item("a"), item("b"), item("c")]),
        content(items=[item("a"), item("b"), item("c", True)]),
        content(items=[item("b"), item("c")]),
        content(items=[item("b"), item("c", True)]),
    ),
    (
        "both moved items",
        content(items=[item("a"), item("b"), item("c")]),
        content(items=[item("b"), item("a"), item("c")]),
        content(items=[item("c"), item("b"), item("a")]),
        None,
    ),
]  # fmt: skip


def test_two_versions_are_merged_or_are_a_conflict(module: Callable[[str, str, Any], Any]) -> None:
    found = module("merge", "return given.map((versions) => m.merge(...versions))", [each[1:4] for each in MERGES])
    for (name, _, mine, _, expected), each in zip(MERGES, found, strict=True):
        assert each["merged"] == (expected or mine), name
        assert bool(each["conflicts"]) == (expected is None), name
