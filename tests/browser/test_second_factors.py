"""Two-step sign-in in a real browser, with Chromium's virtual authenticator."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Page, expect

from accounts.models import Passkey, Totp, User, UserSession

from ..accounts.factors import App, add_passkey, set_up_app
from ..factories import PASSWORD
from .conftest import Browse, Watch

pytestmark = pytest.mark.django_db(transaction=True)


def add_authenticator(page: Page) -> None:
    """Give the window a device that creates passkeys and confirms each use by itself."""
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    device.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def enter_password(page: Page, user: User, path: str = "/login/?next=/account/") -> None:
    page.goto(path)
    page.get_by_label("E-mail address or username").fill(user.username)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def forget_session(page: Page, watch: Watch) -> None:
    """Forget the cookies, as on another device. What the page still requests is refused."""
    watch.allow("status of 401")
    page.context.clear_cookies()


def test_a_passkey_is_registered_and_signs_in_without_a_password(browse: Browse, watch: Watch, user: User) -> None:
    page = browse("/account/", user=user)
    add_authenticator(page)
    page.get_by_role("link", name="Set up").click()
    page.get_by_label("Name").fill("Laptop")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="The passkey was added")).to_be_visible()
    assert len(page.locator("#recovery-codes").inner_text().split()) == 10
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert len(Path(download.value.path()).read_text().split()) == 10
    page.get_by_role("link", name="I have stored the codes").click()
    expect(page.get_by_text("Laptop", exact=True)).to_be_visible()

    forget_session(page, watch)
    page.goto("/login/?next=/account/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page).to_have_url(re.compile("//[^/]+/account/$"))
    assert UserSession.objects.filter(user=user).latest("created_at").signed_in_with == "passkey"

    forget_session(page, watch)
    enter_password(page, user)
    expect(page.get_by_role("heading", name="Confirm your sign-in")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    expect(page).to_have_url(re.compile("//[^/]+/account/$"))
    assert UserSession.objects.filter(user=user).latest("created_at").signed_in_with == "password+passkey"

    page.goto("/account/two-step/")
    page.get_by_text("Rename").click()
    page.get_by_label("New name").fill("Old laptop")
    page.get_by_role("button", name="Save name").click()
    page.get_by_role("button", name="Delete Old laptop").click()
    expect(page.get_by_text("The passkey was deleted.")).to_be_visible()
    assert not Passkey.objects.exists()


def test_an_app_is_set_up_and_a_recovery_code_signs_in(browse: Browse, watch: Watch, user: User) -> None:
    page = browse("/account/two-step/", user=user)
    page.get_by_role("button", name="Set up an app").click()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    app = App(page.locator(".code pre").inner_text())
    watch.allow("status of 400")
    page.get_by_role("textbox", name="Code").fill("000000")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("This code is wrong.")).to_be_visible()
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    page.get_by_role("textbox", name="Code").fill(app.code())
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="Your authenticator app is set up")).to_be_visible()
    codes = page.locator("#recovery-codes").inner_text().split()

    forget_session(page, watch)
    enter_password(page, user)
    page.get_by_role("textbox", name="Code").fill(codes[0])
    page.get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(re.compile("//[^/]+/account/$"))
    expect(page.get_by_text("9 recovery codes left")).to_be_visible()

    forget_session(page, watch)
    enter_password(page, user)
    page.get_by_role("textbox", name="Code").fill(codes[0])
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("This code is wrong, or it was already used.")).to_be_visible()
    page.get_by_role("textbox", name="Code").fill(app.code(1))
    page.get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(re.compile("//[^/]+/account/$"))


@pytest.mark.parametrize("has_factor", [False, True])
def test_a_change_asks_again_who_is_there(browse: Browse, user: User, has_factor: bool) -> None:
    app = set_up_app(user).app if has_factor else None
    page = browse("/account/two-step/", user=user)
    UserSession.objects.update(authenticated_at=Now() - timedelta(hours=1))
    page.reload()
    expect(page.get_by_role("button", name="Add a passkey")).to_be_hidden()
    page.get_by_role("link", name="Confirm").click()
    if app:
        page.get_by_role("textbox", name="Code").fill(app.code(1))
    else:
        page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(re.compile("//[^/]+/account/two-step/$"))
    expect(page.get_by_role("button", name="Add a passkey")).to_be_visible()


def test_staff_without_a_required_factor_set_one_up_before_the_admin_opens(
    browse: Browse, watch: Watch, staff: User, settings: Any
) -> None:
    settings.MFA_REQUIRED = "staff"
    watch.allow("status of 403")  # the header of the page asks for unread messages
    page = browse("/admin/login/")
    page.locator("input[name=username]").fill(staff.username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(re.compile("//[^/]+/account/two-step/$"))
    expect(page.get_by_text("This site requires a second factor.")).to_be_visible()
    page.get_by_role("button", name="Set up an app").click()
    app = App(page.locator(".code pre").inner_text())
    page.get_by_role("textbox", name="Code").fill(app.code())
    page.get_by_role("button", name="Confirm").click()
    page.goto("/admin/")
    expect(page).to_have_url(re.compile("//[^/]+/admin/$"))

    forget_session(page, watch)
    page.goto("/admin/")
    page.locator("input[name=username]").fill(staff.username)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("textbox", name="Code").fill(app.code(1))
    page.get_by_role("button", name="Confirm").click()
    expect(page).to_have_url(re.compile("//[^/]+/admin/$"))


@pytest.mark.parametrize("width, dark", [(360, False), (360, True), (1280, False), (1280, True)])
def test_the_pages_fit_every_window(
    browse: Browse, watch: Watch, user: User, width: int, dark: bool, site: str
) -> None:
    page = browse("/account/two-step/", user=user, width=width, dark=dark)
    page.get_by_role("button", name="Set up an app").click()
    pictures = Path(__file__).resolve().parents[2] / "reports" / "browser"

    def check(name: str) -> None:
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
        page.screenshot(path=pictures / f"two-step-{name}-{width}-{'dark' if dark else 'light'}.png", full_page=True)

    check("app")
    app = App(page.locator(".code pre").inner_text())
    page.get_by_role("textbox", name="Code").fill(app.code())
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("#recovery-codes")).to_be_visible()
    check("codes")
    add_passkey(user, "A phone with a long name that somebody typed without thinking of its width", origin=site)
    page.goto("/account/two-step/")
    check("overview")
    forget_session(page, watch)
    page.goto("/login/")
    check("login")
    enter_password(page, user)
    expect(page.get_by_role("heading", name="Confirm your sign-in")).to_be_visible()
    check("second-step")


def test_a_passkey_that_is_refused_by_the_device_is_explained(browse: Browse) -> None:
    page = browse("/login/")
    page.evaluate(
        "() => { navigator.credentials.get = () => Promise.reject(new DOMException('no', 'NotAllowedError')); }"
    )
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("The passkey was not used.")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_enabled()


def test_two_enrolments_at_once_leave_one_app(browse: Browse, user: User) -> None:
    first, second = (browse("/account/two-step/", user=user) for _ in range(2))
    for page in (first, second):
        page.get_by_role("button", name="Set up an app").click()
        expect(page.get_by_role("img", name="QR code")).to_be_visible()
    app = App(second.locator(".code pre").inner_text())
    second.get_by_role("textbox", name="Code").fill(app.code())
    second.get_by_role("button", name="Confirm").click()
    expect(second.locator("#recovery-codes")).to_be_visible()
    first.goto("/account/two-step/app/")
    expect(first).to_have_url(re.compile("//[^/]+/account/two-step/$"))
    assert Totp.objects.count() == 1
