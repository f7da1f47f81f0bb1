"""Personal access tokens and activity on the account page, with a real browser."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db.models.functions import Now
from playwright.sync_api import expect

from accounts.models import User, UserSession

from ..factories import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
PICTURES = Path(__file__).resolve().parents[2] / "reports" / "browser"


def test_a_token_is_created_used_and_revoked(browse: Callable[..., Any], watch: Any, site: str, user: User) -> None:
    page = browse("/account/", user=user)
    UserSession.objects.update(authenticated_at=Now() - timedelta(hours=1))
    page.reload()
    section = page.locator("#tokens")
    section.get_by_role("link", name="confirm that it is you").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    section.get_by_text("Create a token").click()
    watch.allow("status of 400")  # without a scope
    section.get_by_label("Name").fill("Backup script")
    section.get_by_role("button", name="Create token").click()
    expect(section.get_by_text("This field is required.")).to_be_visible()
    section.get_by_label("Read notes and labels").check()
    section.get_by_role("button", name="Create token").click()
    expect(section.get_by_text("It is not shown again.")).to_be_visible()
    expect(section.get_by_role("button", name="Copy")).to_be_visible()
    raw = section.locator(".code pre").inner_text().strip()

    def status(path: str) -> int:
        return requests.get(f"{site}{path}", headers={"Authorization": f"Bearer {raw}"}, timeout=20).status_code

    assert status("/api/v1/notes/") == 200
    assert status("/api/v1/webhooks/") == 403
    page.goto("/account/")
    expect(page.get_by_text(raw)).to_have_count(0)
    expect(section.get_by_text("Last used")).to_be_visible()
    section.get_by_role("button", name="Revoke Backup script").click()
    expect(section.get_by_text("You have no tokens.")).to_be_visible()
    assert status("/api/v1/notes/") == 401
    page.get_by_role("link", name="Show all activity").click()
    expect(page.get_by_text("Personal access token revoked: Backup script")).to_be_visible()


@pytest.mark.parametrize("width, dark", [(360, False), (1280, True)])
def test_the_sections_fit_every_window(browse: Callable[..., Any], user: User, width: int, dark: bool) -> None:
    page = browse("/account/", user=user, width=width, dark=dark)
    section = page.locator("#tokens")
    section.get_by_text("Create a token").click()
    section.get_by_label("Name").fill("A nightly backup of all notes with a name that is as long as names can be")
    section.get_by_label("Read notes and labels").check()
    section.get_by_label("Change notes and labels").check()
    theme = "dark" if dark else "light"
    section.screenshot(path=PICTURES / f"tokens-form-{width}-{theme}.png")
    section.get_by_role("button", name="Create token").click()
    expect(section.get_by_role("button", name="Copy")).to_be_visible()

    def check(name: str, part: Any) -> None:
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        part.screenshot(path=PICTURES / f"{name}-{width}-{theme}.png")

    check("tokens", section)
    check("activity-card", page.locator("#activity"))
    page.goto("/account/activity/")
    check("activity", page.locator("main"))
