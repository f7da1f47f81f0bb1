"""Swagger with the token of this site's session, and the chosen theme in Swagger and Redoc."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User

from ..factories import PASSWORD
from .test_api_reference import is_dark

pytestmark = pytest.mark.django_db(transaction=True)


def token_of_request(page: Page) -> str:
    """Send the request for the profile and return the access token that it was sent with."""
    operation = page.locator("#operations-auth-auth_profile_retrieve")
    with page.expect_request("**/api/v1/auth/profile/") as sent:
        operation.get_by_role("button", name="Execute").click()
    kind, _, token = (sent.value.header_value("authorization") or "").partition(" ")
    answer = sent.value.response()
    assert (kind, answer and answer.status) == ("Bearer", 200)
    return token


def test_one_click_signs_in_and_uses_a_token_that_renews_itself(
    browse: Callable[..., Page], watch: Any, user: User
) -> None:
    watch.allow("escaping deep link")  # Swagger UI reports its own links as deprecated
    page = browse(None)
    page.clock.install()
    page.goto("/swagger/#/auth/auth_profile_retrieve")
    page.get_by_role("link", name="Sign in and use the token").click()
    page.get_by_label("E-mail address or username").fill(user.username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text(f"Requests are sent as {user.username}.")).to_be_visible()
    page.get_by_role("button", name="Try it out").click()
    first = token_of_request(page)
    assert token_of_request(page) == first, "it is still valid"
    page.clock.fast_forward("09:30")
    with page.expect_response("**/token/from-session/"):
        renewed = token_of_request(page)
    assert renewed != first
    stored = page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    assert not any(token in page.url + stored for token in (first, renewed))
    page.reload()
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    assert len(json.loads(page.evaluate("JSON.stringify(ui.getState().get('auth').get('authorized'))"))) == 1

    # The session ends elsewhere: the next renewal says so.
    user.sessions.all().delete()
    watch.allow("status of 401")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Requests are sent without your account.")).to_be_visible()
    page.get_by_role("button", name="Use the token of").click()
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    expect(page.get_by_role("link", name="Sign in and use the token")).to_be_visible()


@pytest.mark.parametrize("path", ["/swagger/", "/redoc/"])
def test_the_chosen_theme_applies(browse: Callable[..., Page], path: str) -> None:
    page = browse("/", dark=True)
    page.evaluate("localStorage.setItem('atrium.theme', 'light')")
    page.goto(path)
    page.locator(".information-container, .menu-content").first.wait_for()
    assert not is_dark(page)
