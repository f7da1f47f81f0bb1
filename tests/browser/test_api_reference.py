"""Swagger and Redoc in both themes: accessible as far as this site can change it, with one field for the token."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from accounts.models import User

from .conftest import PICTURES

pytestmark = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])

# What the vendored scripts write into the page and this site can change neither by styles nor by settings.
SWAGGER_MARKUP = {
    "button-name": "the cross that closes the dialog for the token has no name",
    "heading-order": "an h3 follows the h1 of the page",
    "label": "the text field of a request's body has no label",
    "nested-interactive": "the buttons that open an operation contain one that copies its path",
    "region": "the title, the filter and the dialog are outside of Swagger's main landmark",
    "scrollable-region-focusable": "examples of responses scroll, and the keyboard does not reach them",
    "select-name": "the lists of examples have no label",
}
REDOC_MARKUP = {"heading-order": "an h5 follows the h2 of an operation"}
# Both pages list all operations, and axe would take a minute for them. These parts contain each kind of element.
SWAGGER_PARTS = [".api-bar", ".information-container", ".scheme-container", ".filter-container"]
SWAGGER_PARTS += [
    f"#operations-{part}"
    for part in ("tag-notes", "notes-notes_list", "notes-notes_create", "notes-notes_update", "notes-notes_destroy")
]
REDOC_PARTS = [".api-bar", ".menu-content", ".api-info", "#operation\\/notes_list", "#operation\\/notes_create"]


def violations(page: Page, name: str, vendored: dict[str, str], parts: list[str]) -> list[str]:
    """Return what axe finds in ``parts`` except the rules in ``vendored``, and store a screenshot."""
    page.screenshot(path=PICTURES / f"{name}.png")
    options: Any = {"rules": {rule: {"enabled": False} for rule in vendored}}
    response = Axe().run(page, context={"include": parts}, options=options).response
    return [
        f"{violation['id']}: {node['target']} {node['html'][:120]}"
        for violation in response["violations"]
        for node in violation["nodes"]
    ]


def is_dark(page: Page) -> bool:
    """Return whether the page has a dark background."""
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return max(int(part) for part in re.findall(r"\d+", colour)[:3]) < 64


def show_notes(page: Page) -> None:
    """Filter by the tag of notes: Swagger UI renders only what is near the visible part of the page."""
    page.get_by_placeholder("Filter by tag").fill("notes")


def test_swagger_is_accessible(browse: Callable[..., Page], dark: bool) -> None:
    theme = "dark" if dark else "light"
    page = browse("/swagger/", dark=dark)
    show_notes(page)
    operation = page.locator("#operations-notes-notes_create")
    operation.wait_for()
    assert is_dark(page) is dark
    expect(page.get_by_role("main")).to_have_count(1)
    assert violations(page, f"swagger-{theme}", SWAGGER_MARKUP, SWAGGER_PARTS) == []
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.scroll_into_view_if_needed()
    expect(operation.get_by_role("button", name="Execute")).to_be_visible()
    assert violations(page, f"swagger-operation-{theme}", SWAGGER_MARKUP, ["#operations-notes-notes_create"]) == []


def test_swagger_asks_for_an_access_token_a_personal_token_or_the_session(
    browse: Callable[..., Page], dark: bool
) -> None:
    page = browse("/swagger/", dark=dark)
    page.get_by_role("button", name="Authorize").first.click()
    dialog = page.locator(".modal-ux")
    expect(dialog.locator("input")).to_have_count(3)
    expect(dialog.get_by_text("access token").first).to_be_visible()
    assert violations(page, f"swagger-authorize-{'dark' if dark else 'light'}", SWAGGER_MARKUP, [".modal-ux"]) == []


def test_redoc_is_accessible(browse: Callable[..., Page], dark: bool) -> None:
    page = browse("/redoc/", dark=dark)
    page.locator(REDOC_PARTS[-1]).scroll_into_view_if_needed()
    expect(page.get_by_role("main")).to_have_count(1)
    assert is_dark(page) is dark
    assert violations(page, f"redoc-{'dark' if dark else 'light'}", REDOC_MARKUP, REDOC_PARTS) == []


def test_swagger_shows_the_call_for_the_typed_client(browse: Callable[..., Page], user: User, dark: bool) -> None:
    page = browse("/swagger/", dark=dark, user=user)
    show_notes(page)
    operation = page.locator("#operations-notes-notes_list")
    operation.get_by_role("button").first.click()
    operation.get_by_role("button", name="Try it out").click()
    operation.get_by_placeholder("search").fill("grid")
    operation.get_by_role("button", name="Execute").click()
    snippets = operation.locator(".request-snippets")
    expect(snippets).to_contain_text("curl -X 'GET'")
    snippets.get_by_text("@atrium/client").click()
    expect(snippets).to_contain_text('await atrium.get("/notes/"')
    expect(snippets).to_contain_text('search: "grid"')


def test_redoc_shows_the_call_for_the_typed_client(browse: Callable[..., Page], dark: bool) -> None:
    page = browse("/redoc/", dark=dark)
    operation = page.locator(REDOC_PARTS[-1])
    operation.scroll_into_view_if_needed()
    operation.get_by_role("tab", name="@atrium/client").click()
    expect(operation).to_contain_text('await atrium.post("/notes/"')
