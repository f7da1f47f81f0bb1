"""Actions and locators of the chat page."""

import re
from contextlib import suppress
from pathlib import Path

from django.db import connection
from playwright.sync_api import APIResponse, Error, Locator, Page, Route

from accounts.models import User
from messaging.models import Message
from messaging.services import sending
from tests.conftest import ROOT

SCREENSHOTS = Path(ROOT) / "reports" / "browser"


def screenshot(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"messager-{name}.png")


def online(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=re.compile("Online now")).get_by_role("button", name=name)


def conversation(page: Page, name: str) -> Locator:
    return page.get_by_role("list", name="Conversations").get_by_role("button", name=re.compile(rf"^{name}\b"))


def write(page: Page, text: str) -> None:
    page.get_by_label(re.compile("^Your message to")).fill(text)
    page.keyboard.press("Enter")


def log(page: Page) -> Locator:
    return page.get_by_role("log")


def messages_in(page: Page) -> Locator:
    """The texts of the conversation that is shown, to wait for them."""
    return log(page).locator(".text")


def texts(page: Page) -> list[str]:
    return messages_in(page).all_inner_texts()


def send(sender: User, to: User, *bodies: str) -> list[Message]:
    return [sending.send_message(sender=sender, body=body, usercodes=[to.usercode]) for body in bodies]


def insert_messages(sender: User, to: User, count: int) -> None:
    """Insert messages of consecutive minutes, without events: "message 0", "message 1" and so on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH sent AS (
                INSERT INTO messaging_message (sender_id, body, broadcast, recipient_count, created_at)
                SELECT %(sender)s, 'message ' || n, false, 1, now() - (%(count)s - n) * interval '1 minute'
                FROM generate_series(0, %(count)s - 1) n ORDER BY n
                RETURNING id
            )
            INSERT INTO messaging_messagerecipient (message_id, recipient_id, sender_id, broadcast, withheld)
            SELECT id, %(to)s, %(sender)s, false, false FROM sent
            """,
            {"sender": sender.pk, "to": to.pk, "count": count},
        )


def select_recipient(page: Page, name: str) -> None:
    page.get_by_role("dialog").get_by_role("checkbox", name=name).check()


def hold_responses(page: Page, address: str) -> list[tuple[Route, APIResponse]]:
    """Hold back the responses to ``address`` from now on; returns the routes with the server's responses."""
    held: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        with suppress(Error):  # the window may be closed before the server has responded
            held.append((route, route.fetch()))

    page.route(address, hold)
    return held
