"""The accounts pages in a real browser: registration, sign-in, picture, password reset, devices."""

import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import expect

from accounts.models import User, UserProfile

from ..accounts import mails
from ..conftest import Inbox
from ..factories import PASSWORD
from .accessibility import violations
from .conftest import PICTURES

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_new_user_registers_confirms_signs_in_and_changes_the_picture(
    browse: Any, watch: Any, site: str, smtp: Inbox, user: User, tmp_path: Path
) -> None:
    page = browse("/register/", timezone_id="America/New_York")
    watch.allow("status of 400")
    password = page.get_by_label("Password", exact=True)
    page.get_by_label("E-mail address").fill("ada")
    page.get_by_label("Username").fill(user.username)
    password.press_sequentially("12345678")
    expect(page.get_by_text("Very weak.")).to_be_visible()
    page.get_by_role("button", name="Register").click()
    # All errors at once, and what was typed stays.
    for error in ("Enter a valid email address", "This username is taken", "This password is too common"):
        expect(page.get_by_text(error)).to_be_visible()
    expect(password).to_have_value("12345678")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    assert violations(page) == []
    page.get_by_label("E-mail address").fill("ada@example.org")
    page.get_by_label("Username").fill("ada")
    password.fill(PASSWORD)
    expect(page.get_by_text("Strong.")).to_be_visible()
    page.context.set_offline(True)
    watch.allow("ERR_INTERNET_DISCONNECTED")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("Cannot reach the server.")).to_be_visible()
    page.context.set_offline(False)
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()

    mails.send_due_mail()
    (message,) = smtp.to("ada@example.org")
    link = mails.url_in(message)
    assert link.startswith(f"{site}/v/")
    page.goto(link)
    page.get_by_role("button", name="Confirm address").click()
    expect(page.get_by_role("heading", name="Your e-mail address is confirmed")).to_be_visible()

    expect(page.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()
    page.goto("/account/")  # redirects to the sign-in page and back
    page.get_by_label("E-mail address or username").fill("ada")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile("/account/$"))
    expect(page.get_by_label("Time zone")).to_have_value("America/New_York")

    # Larger than the server accepts: red, green, blue and white quarters.
    picture = Image.new("RGB", (6000, 5000), "white")
    for corner, colour in [((0, 0), "red"), ((3000, 0), "green"), ((0, 2500), "blue")]:
        picture.paste(colour, (*corner, corner[0] + 3000, corner[1] + 2500))
    picture.save(tmp_path / "me.png")
    page.get_by_label("New picture").set_input_files(tmp_path / "me.png")
    view = page.get_by_role("application", name="Shown part of the picture")
    expect(view).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Zoom").fill("3")
    view.focus()
    for key in ("ArrowRight", "ArrowDown"):
        for _ in range(25):
            view.press(key)
    page.screenshot(path=PICTURES / "account-picture.png", full_page=True)
    page.get_by_role("button", name="Save picture").click()
    expect(page.get_by_text("Picture saved.")).to_be_visible()
    with UserProfile.objects.get(user__username="ada").image.open() as stored, Image.open(stored) as image:
        assert image.size == (512, 512)
        assert min(image.convert("RGB").getpixel((0, 0))) > 240, "the white quarter was moved into view"


def test_a_forgotten_password_is_reset_with_the_mailed_link(browse: Any, watch: Any, smtp: Inbox, user: User) -> None:
    page = browse("/login/")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_role("button", name="Send link").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    mails.send_due_mail()
    page.goto(mails.url_in(smtp.to(user.email)[0]))
    watch.allow("status of 400")
    page.get_by_label("New password").fill("12345678")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_text("too common")).to_be_visible()
    expect(page.get_by_label("New password")).to_have_value("12345678")
    page.get_by_label("New password").fill("another horse battery staple")
    page.get_by_role("button", name="Set password").click()
    expect(page.get_by_role("heading", name="Your password is changed")).to_be_visible()
    page.goto("/login/?next=/account/")
    page.get_by_label("E-mail address or username").fill(user.email)
    page.get_by_label("Password", exact=True).fill("another horse battery staple")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile("/account/$"))


@pytest.mark.parametrize("width, dark", [(360, False), (360, True), (1280, False), (1280, True)])
def test_the_account_page_fits_every_window(browse: Any, user: User, width: int, dark: bool) -> None:
    page = browse("/account/", user=user, width=width, dark=dark)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_device_is_signed_out_from_another(browse: Any, user: User) -> None:
    phone, desk = browse("/account/", user=user), browse("/account/", user=user)
    row = desk.get_by_role("listitem").filter(has_not=desk.get_by_text("this device"))
    row.get_by_role("button", name="Sign out").click()
    expect(desk.get_by_text("The device is signed out.")).to_be_visible()
    phone.goto("/account/")
    expect(phone).to_have_url(re.compile(r"/login/\?next=/account/"))
