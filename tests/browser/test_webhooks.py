"""Webhooks on the account page."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from config.webhooks.models import Webhook, WebhookDelivery

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_webhook_is_created_tested_switched_off_and_deleted(
    browse: Callable[..., Any], watch: Any, user: User
) -> None:
    watch.allow("status of 400")  # the refused URL
    page = browse("/account/", user=user)
    page.get_by_text("Add a webhook").click()
    page.get_by_label("URL").fill("http://10.0.0.1/")
    page.get_by_label("messages", exact=True).check()
    page.get_by_role("button", name="Create webhook").click()
    page.get_by_text("The URL must begin with https://.").wait_for()
    page.get_by_label("URL").fill("https://hooks.example.org/atrium")
    page.get_by_role("button", name="Create webhook").click()
    page.get_by_text("whsec_").wait_for()
    section = page.locator("#webhooks")
    section.get_by_role("button", name="Send test").click()
    section.get_by_text("Last deliveries").click()
    section.get_by_role("button", name="Resend").wait_for()
    assert WebhookDelivery.objects.get().type == "ping"
    if folder := os.environ.get("WEBHOOKS_SCREENSHOTS"):
        section.screenshot(path=f"{folder}/light.png")
        page.emulate_media(color_scheme="dark")
        section.screenshot(path=f"{folder}/dark.png")
    section.get_by_role("button", name="Switch off").click()
    section.get_by_role("button", name="Switch on").wait_for()
    section.get_by_role("button", name="Delete").click()
    section.get_by_text("You have no webhooks.").wait_for()
    assert not Webhook.objects.exists()
