"""The pages of a site without HTTPS, opened from another machine: browsers offer fewer functions there.

``crypto.randomUUID``, ``navigator.locks`` and ``navigator.clipboard`` do not exist on such pages, but do on localhost.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from playwright.sync_api import Browser, Page, expect

from accounts.models import User
from contacts.models import FileMetadata
from messaging.models import Message
from notes.models import Note
from tests.factories import UserFactory
from tests.waiting import wait_until

from .conftest import Watch, chromium

HOST = "atrium.test"
SHEET = b"Name,Phone Number,Email Address\nAna,+374 91 123456,ana@example.com\n"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium(f"--host-resolver-rules=MAP {HOST} 127.0.0.1, MAP * ~NOTFOUND") as browser:
        yield browser


@pytest.fixture
def site(live_server: Any, settings: Any) -> str:
    settings.PUBLIC_URL = live_server.url.replace("localhost", HOST).replace("127.0.0.1", HOST)
    settings.ALLOWED_HOSTS = [HOST]
    settings.EVENTS_URL = ""
    return settings.PUBLIC_URL


@pytest.mark.django_db(transaction=True)
def test_notes_messages_and_contacts_can_be_written_without_a_secure_context(
    browse: Callable[..., Page], watch: Watch
) -> None:
    watch.allow("Cross-Origin-Opener-Policy header has been ignored")  # browsers apply it with HTTPS only
    ada = cast(User, UserFactory(username="ada"))
    bob = cast(User, UserFactory(username="bob"))
    page = browse("/notes/", user=ada)
    assert page.evaluate("isSecureContext") is False
    page.get_by_role("button", name="Take a note…").click()
    page.get_by_label("Text", exact=True).fill("Call the plumber")
    expect(page.locator(".save-state")).to_have_text("Saved")
    assert Note.objects.get().body == "Call the plumber"

    page.goto(f"/messager/#{bob.usercode}")
    page.get_by_label(re.compile("^Your message to")).fill("Hello")
    page.keyboard.press("Enter")
    wait_until(lambda: Message.objects.filter(body="Hello").exists(), what="the message")

    page.goto("/contacts/import/")
    file = {"name": "people.csv", "mimeType": "text/csv", "buffer": SHEET}
    page.get_by_label("Choose a file").set_input_files(file)
    page.get_by_role("button", name=re.compile("^Import 1 row")).click()
    expect(page).to_have_url(re.compile(r"/contacts/uploads/\d+/"))
    assert FileMetadata.objects.get().owner == ada
