"""The mail viewer of ``bin/dev``."""

from typing import Any

import pytest
from django.test import Client
from django.urls import clear_url_caches, include, path

from config import mail, urls
from config.http import dev_mail

urlpatterns = [*urls.urlpatterns, path("dev/mail/", include(dev_mail.urlpatterns))]


@pytest.fixture
def viewer(db: None, settings: Any, client: Client) -> Client:
    """A client of a site with the viewer and one e-mail."""
    settings.ROOT_URLCONF = __name__
    settings.DEV_MAIL = True
    settings.EMAIL_BACKEND = "config.mail.FileBackend"
    clear_url_caches()
    context = {"username": "ada", "url": f"{settings.PUBLIC_URL}/v/abc/", "expires": "one day"}
    mail.deliver(mail.compose(to="ada@example.org", template="verify_email", context=context, key="test"))
    return client


def test_mails_are_listed_and_shown(viewer: Client) -> None:
    page = viewer.get("/dev/mail/")
    text = page.content.decode()
    assert page.status_code == 200
    assert "ada@example.org" in text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in text
    assert "frame-src 'self'" in page["Content-Security-Policy"]


def test_the_html_part_runs_no_script_and_opens_links_in_a_new_tab(viewer: Client, settings: Any) -> None:
    name = next(settings.MAIL_DIR.glob("*.eml")).stem
    frame = viewer.get(f"/dev/mail/{name}/html/")
    assert frame["X-Frame-Options"] == "SAMEORIGIN"
    assert frame["Content-Security-Policy"].startswith("sandbox allow-popups")
    assert "script-src" not in frame["Content-Security-Policy"]
    assert frame.content.startswith(b'<base target="_blank">')
    assert b"/v/" in frame.content


@pytest.mark.parametrize("name", ["..%2Fenv", "unknown", ".hidden"])
def test_other_files_are_not_found(viewer: Client, name: str) -> None:
    assert viewer.get(f"/dev/mail/{name}/").status_code == 404


def test_pages_link_to_the_viewer(viewer: Client) -> None:
    answer = viewer.post("/forgot/", {"email": "ada@example.org"}, follow=True)
    assert 'href="/dev/mail/"' in answer.content.decode()


def test_the_viewer_does_not_exist_without_the_setting(db: None, client: Client) -> None:
    assert client.get("/dev/mail/").status_code == 404
