"""Sign-in through a real, certified provider (the npm package oidc-provider), in a real browser."""

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect

from accounts.models import OidcIdentity, User

from ..browser.conftest import Watch, browse, browser, site, watch
from ..clients.node import node_modules
from ..factories import PASSWORD, UserFactory
from ..places import free_port
from ..waiting import wait_until
from .conftest import use_provider
from .fake import CLIENT_ID, CLIENT_SECRET

__all__ = ["browse", "browser", "site", "watch"]

pytestmark = pytest.mark.django_db(transaction=True)

HERE = Path(__file__).parent / "provider"
ACCOUNTS = {
    "ada": {"email": "ada@example.org", "email_verified": True, "preferred_username": "ada"},
    "eve": {"email": "ada@example.org", "email_verified": False, "preferred_username": "eve"},
    "grace": {"email": "grace@example.org", "email_verified": True, "preferred_username": "grace"},
}


@pytest.fixture
def real_provider(site: str, settings: Any, watch: Watch, tmp_path: Path) -> Iterator[str]:
    """The issuer of a running provider, which the site uses."""
    for name in ("package.json", "server.mjs"):
        (tmp_path / name).write_bytes((HERE / name).read_bytes())
    (tmp_path / "node_modules").symlink_to(node_modules(HERE))
    port = free_port()
    given = {
        "port": port, "redirectUri": f"{site}/oidc/callback/", "clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET,
        "accounts": ACCOUNTS,
    }  # fmt: skip
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        ["node", "server.mjs"], cwd=tmp_path, env={**os.environ, "PROVIDER": json.dumps(given)},
        stdout=log, stderr=subprocess.STDOUT,
    )  # fmt: skip
    issuer = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        assert process.poll() is None, (tmp_path / "log").read_text()
        try:
            return requests.get(f"{issuer}/.well-known/openid-configuration", timeout=2).ok
        except requests.RequestException:
            return False

    wait_until(is_ready, what="a ready provider")
    use_provider(settings, issuer)
    watch.hosts.add(f"127.0.0.1:{port}")
    yield issuer
    process.terminate()
    process.wait(10)


def at_the_provider(page: Page, account: str) -> None:
    page.get_by_role("button", name=f"Continue as {account}", exact=True).click()


def test_people_sign_in_through_the_real_provider(
    browse: Callable[..., Page], watch: Watch, real_provider: str, settings: Any
) -> None:
    ada = UserFactory(username="ada", email="ada@example.org")
    page = browse("/account/")
    page.get_by_role("link", name="Sign in with Example ID").click()
    at_the_provider(page, "ada")
    expect(page).to_have_url(re.compile("/account/$"))
    expect(page.get_by_role("heading", name="ada", level=1)).to_be_visible()
    identity = OidcIdentity.objects.get()
    assert (identity.user, identity.issuer, identity.subject) == (ada, real_provider, "ada")

    # A refused sign-in is a page with status 403, which the browser's console reports.
    watch.allow("status of 403")
    page = browse("/oidc/login/")
    at_the_provider(page, "eve")
    expect(page.get_by_text("did not confirm an e-mail address")).to_be_visible()

    settings.OIDC_SIGNUP = True
    page = browse("/oidc/login/?next=/account/")
    at_the_provider(page, "grace")
    expect(page.get_by_role("heading", name="grace", level=1)).to_be_visible()
    expect(page.get_by_text("Your account has no password.").first).to_be_visible()
    assert User.objects.get(username="grace").email_verified

    page.goto("/oidc/login/?reauth=1&next=/account/")
    at_the_provider(page, "grace")
    expect(page).to_have_url(re.compile("/account/$"))


def test_staff_connect_their_account_at_the_real_provider(browse: Callable[..., Page], real_provider: str) -> None:
    boss = UserFactory(username="boss", email="grace@example.org", is_staff=True)
    page = browse("/login/")
    page.get_by_label("E-mail address or username").fill("boss")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).not_to_have_url(re.compile("/login/"))
    page.goto("/account/")
    page.get_by_role("link", name="Connect Example ID").click()
    at_the_provider(page, "grace")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_text("Your account is connected to Example ID.")).to_be_visible()
    assert OidcIdentity.objects.get().user == boss
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("no longer connected")).to_be_visible()
    assert not OidcIdentity.objects.exists()
