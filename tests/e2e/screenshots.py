"""``bin/screenshots``: take the pictures of README.md from a private product with demo data."""

import io
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ..places import CHROMIUM, HEADLESS_SHELL, ROOT, browser_program, free_port
from .product import Product

PROGRAM = browser_program(*CHROMIUM, *HEADLESS_SHELL)
FOLDER = ROOT / "docs" / "images"
COLORS = 128  # of a picture's palette
MAX_BYTES = 120_000
SHEET = """First Name,Last Name,Mobile,Mail
Ana,Petrosyan,+374 91 123456,ana@example.com
Bob,Meyer,call me,bob@example.com
Cem,Aydin,,not-an-address
Dana,Novak,+420 601 123 456,dana@example.com
Eva,Petrosyan,+374 91 123456,
Grace,Ito,+81 90 1234 5678,grace@example.com
"""


class Picture(NamedTuple):
    """One screenshot. ``prepare`` brings the page into the state that is shown."""

    name: str
    path: str
    prepare: Callable[[Page], None]
    width: int = 1280
    height: int = 800
    dark: bool = False


def loaded(page: Page) -> None:
    expect(page.locator("main [aria-busy=true]")).to_have_count(0)


def notes(page: Page) -> None:
    page.get_by_role("article", name="Groceries").wait_for()


def chat(page: Page) -> None:
    page.get_by_text("cleo", exact=True).first.click()
    page.locator("#log-box .bubble .text").first.wait_for()


def contacts_import(page: Page) -> None:
    file = {"name": "export.csv", "mimeType": "text/csv", "buffer": SHEET.encode()}
    page.get_by_label("Choose a file").set_input_files(file)
    page.get_by_role("button", name="Continue").click()
    page.get_by_label("Phone Number of row 3").fill("+374 91 222222")
    page.get_by_role("button", name="Check corrections").click()
    page.get_by_text("Corrected", exact=True).wait_for()


def radar(page: Page) -> None:
    page.locator("#radar-plot svg").wait_for()
    page.locator("#radar").scroll_into_view_if_needed()
    page.evaluate("scrollBy(0, document.querySelector('#radar').getBoundingClientRect().top - 12)")


def dashboard(page: Page) -> None:
    expect(page.get_by_text("Checking…")).to_have_count(0)


PICTURES = (
    Picture("home", "/", loaded),
    Picture("notes", "/notes/", notes, dark=True),
    Picture("messages", "/messager/", chat),
    Picture("contacts-import", "/contacts/import/", contacts_import),
    Picture("trends-radar", "/trends/", radar, dark=True),
    Picture("dashboard", "/admin/", dashboard),
)


def sign_in(browser: Browser, product: Product, login: str, password: str) -> Any:
    """Return the cookies of a signed-in user."""
    context = browser.new_context(base_url=product.url)
    page = context.new_page()
    page.goto("/login/")
    page.get_by_label("E-mail address or username").fill(login)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Account menu").wait_for()
    state = context.storage_state()
    context.close()
    return state


def take(browser: Browser, product: Product, state: Any, picture: Picture) -> int:
    """Store ``picture`` as a PNG with a palette and return its bytes."""
    context = browser.new_context(
        base_url=product.url,
        storage_state=state,
        viewport={"width": picture.width, "height": picture.height},
        color_scheme="dark" if picture.dark else "light",
        reduced_motion="reduce",
        locale="en-GB",
    )
    page = context.new_page()
    page.goto(picture.path)
    picture.prepare(page)
    page.wait_for_load_state("load")
    page.mouse.move(0, 0)
    image = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    file = FOLDER / f"{picture.name}.png"
    image.quantize(COLORS, dither=Image.Dither.NONE).save(file, optimize=True)
    context.close()
    return file.stat().st_size


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="atrium-screenshots-") as folder, sync_playwright() as playwright:
        product = Product(Path(folder) / "home", free_port(), EVENTS_PORT=str(free_port()), WEB_PORT=str(free_port()))
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=["--disable-gpu", "--no-sandbox"])
        try:
            product.start()
            staff, *_ = json.loads(product.manage("demo", "--json"))
            product.manage("shell", "--no-imports", "-c", "from config.tasks import record_figures; record_figures()")
            state = sign_in(browser, product, staff["login"], staff["password"])
            too_large = []
            for picture in PICTURES:
                size = take(browser, product, state, picture)
                print(f"{picture.name}.png: {size / 1000:.0f} kB")
                if size > MAX_BYTES:
                    too_large.append(picture.name)
            return 1 if too_large else 0
        finally:
            browser.close()
            product.stop()


if __name__ == "__main__":
    sys.exit(main())
