"""The staff dashboard in a browser: live parts, the drop zone, accessibility, and its weight."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db.models.functions import Now
from django.utils import timezone
from playwright.sync_api import Route, expect

from config import audit
from config.dashboard import services
from config.models import Backup, OutgoingMail
from tests.browser.conftest import PICTURES
from tests.factories import UserFactory
from tests.waiting import wait_until
from trends.models import ImportRun


def findings(page: Any) -> list[str]:
    """Return what axe finds in the content; the frame around it is that of django-unfold."""
    response = Axe().run(page, context="main").response
    return [f"{each['id']}: {node['target'][0]}" for each in response["violations"] for node in each["nodes"]]


def fill(state: str) -> None:
    """Create the rows of a busy or a failing system."""
    if state == "empty":
        return
    people = [UserFactory(date_joined=timezone.now() - timedelta(days=days)) for days in range(12)]
    for person in people:
        audit.record("login", user=person)
    for number in range(4):
        ImportRun.objects.create(
            origin="upload", name=f"megatrends-{number}.csv", total_rows=100, created=60, duplicates=20,
            rejected=20 if number else 0, started_at=Now(), done_at=Now(),
        )  # fmt: skip
    OutgoingMail.objects.create(to="ann@example.org", template="welcome")
    services.record_figures()
    if state == "failing":
        for number in range(3):
            OutgoingMail.objects.create(
                to=f"ann{number}@example.org", template="welcome", attempts=5, failed_at=Now(),
                error="SMTPRecipientsRefused: 550 no such mailbox",
            )  # fmt: skip
        Backup.objects.create(failed_at=Now(), attempts=3, error="OSError: [Errno 28] No space left on device")
        ImportRun.objects.create(origin="upload", name="stuck.csv", due_at=timezone.now() - timedelta(hours=3))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("state", ["empty", "busy", "failing"])
def test_the_dashboard_is_accessible(browse: Callable, transactional_db: None, state: str, dark: bool) -> None:
    staff = UserFactory(username="root1", is_staff=True, is_superuser=True)
    fill(state)
    page = browse("/admin/", user=staff, dark=dark, height=1000)
    page.get_by_text("As of").first.wait_for()
    page.get_by_text("checks fail").wait_for()
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"dashboard-{state}-{'dark' if dark else 'light'}.png", full_page=True)
    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_page_with_everything_that_it_loads_weighs_less_than_300_kb(
    browse: Callable, transactional_db: None
) -> None:
    """As the front process sends it to a browser with an empty cache: fonts as they are, the rest compressed."""
    fill("failing")
    page = browse(None, user=UserFactory(is_staff=True, is_superuser=True))
    responses: list[Any] = []
    page.on("response", lambda response: responses.append(response))
    page.goto("/admin/")
    page.get_by_text("checks fail").wait_for()
    page.wait_for_load_state("networkidle")
    sizes = {each.url: len(gzip.compress(each.body(), 5)) + 300 for each in responses}  # 300 for the headers
    for kind in (".css", ".js", ".woff2"):
        assert any(url.partition("?")[0].endswith(kind) for url in sizes), kind
    assert sum(sizes.values()) < 300_000, sorted(sizes.items(), key=lambda each: -each[1])


def test_all_rows_are_selected_and_discarded(browse: Callable, transactional_db: None) -> None:
    staff = UserFactory(is_staff=True, is_superuser=True)
    for _ in range(3):
        OutgoingMail.objects.create(to="ann@example.org", template="welcome", failed_at=Now(), error="550")
    page = browse("/admin/", user=staff)
    page.get_by_label("Select all").check()
    page.get_by_role("button", name="Discard selected").click()
    page.get_by_text("Discarded 3 rows.").wait_for()
    page.get_by_text("Nothing. No job has failed").wait_for()


def test_a_dropped_csv_is_imported_as_trends(browse: Callable, transactional_db: None) -> None:
    page = browse("/admin/", user=UserFactory(is_staff=True, is_superuser=True))
    page.get_by_text("checks fail").wait_for()  # they move the form
    page.get_by_role("rowheader", name="Outgoing mail").wait_for()
    page.get_by_label("Import a file").set_input_files(
        {"name": "t.csv", "mimeType": "text/csv", "buffer": b"Megatrend"}
    )
    page.get_by_role("button", name="Import", exact=True).click()
    page.get_by_role("link", name="Open its report").click()
    page.get_by_text("t.csv").first.wait_for()
    assert ImportRun.objects.get().name == "t.csv"


@pytest.mark.parametrize("width", [360, 1280])
def test_the_tables_that_follow_move_what_is_below_by_less_than_half_a_window(
    browse: Callable, transactional_db: None, width: int
) -> None:
    page = browse(None, user=UserFactory(is_staff=True, is_superuser=True), width=width, height=800)
    held: list[Route] = []
    page.route("**/admin/dashboard/*/", lambda route: held.append(route))
    page.goto("/admin/")
    wait_until(lambda: page.evaluate("true") and len(held) == 2, what="the requests of both tables")
    before = page.locator("#drop").bounding_box()["y"]
    for route in held:
        route.continue_()
    page.get_by_text("checks fail").wait_for()
    page.get_by_role("rowheader", name="Outgoing mail").wait_for()
    # How much exactly depends on the texts of the checks, such as what to do about one that fails.
    assert abs(page.locator("#drop").bounding_box()["y"] - before) < 400


def test_the_queues_update_themselves(browse: Callable, transactional_db: None) -> None:
    page = browse("/admin/", user=UserFactory(is_staff=True, is_superuser=True))
    row = page.locator("#queues tr", has_text="Outgoing mail")
    expect(row.locator("td").first).to_have_text("0")
    OutgoingMail.objects.create(to="ann@example.org", template="welcome")
    page.wait_for_function("document.querySelector('#queues').innerText.match(/Outgoing mail\\s+1/)")
