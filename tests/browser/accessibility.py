"""What axe finds on a page."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def violations(page: Page, **options: Any) -> list[str]:
    """Return axe's findings as ``rule: selector`` lines; an accessible page has none."""
    response = Axe().run(page, options=options or None).response
    return [f"{each['id']}: {node['target'][0]}" for each in response["violations"] for node in each["nodes"]]
