"""What changes between the data of a page and its stream is shown as soon as the stream is open."""

from collections.abc import Callable
from subprocess import Popen

import pytest
from django.db import transaction
from playwright.sync_api import Page, expect

from accounts.models import User
from contacts.models import Contact, FileMetadata
from contacts.services.contacts import delete_contacts, delete_waiting_rows
from contacts.services.notifications import notify_owner
from messaging.services import receipts, sending
from notes.services import memberships
from tests.notes.factories import make_note

from .conftest import Browse, Watch
from .held import hold
from .test_contacts import make_people, make_waiting

pytestmark = pytest.mark.django_db(transaction=True)
OpenPage = Callable[[str], tuple[Page, Callable[[], None]]]


@pytest.fixture
def open_before_the_stream(browse: Browse, events: Popen, ada: User) -> OpenPage:
    """A function that opens a page of ada; it returns the page and a function that lets the stream open."""

    def open_page(path: str) -> tuple[Page, Callable[[], None]]:
        page = browse(None, user=ada)
        release = hold(page, "**/api/v1/events/**")
        page.goto(path)
        return page, release

    return open_page


def test_a_message_and_a_note_on_the_home_page(open_before_the_stream: OpenPage, ada: User, bob: User) -> None:
    message = sending.send_message(sender=bob, body="Hello", usercodes=[ada.usercode])
    note = make_note(ada, title="Pinned meanwhile")
    page, open_stream = open_before_the_stream("/")
    expect(page.get_by_role("link", name="Hello")).to_be_visible()
    expect(page.locator("#unread")).to_be_visible()
    receipts.mark_message_read(reader=ada, message=message)
    memberships.update_memberships(by=ada, note_ids=[note.pk], pinned=True)
    open_stream()
    expect(page.get_by_text("No unread messages.")).to_be_visible()
    expect(page.locator("#unread")).to_be_hidden()
    expect(page.get_by_role("link", name="Pinned meanwhile")).to_be_visible()


def test_a_message_in_a_conversation(browse: Browse, events: Popen, watch: Watch, ada: User, bob: User) -> None:
    watch.allow("status of 503")
    page = browse(None, user=ada)
    # The page loads its data when the stream is open, or when it could not be opened.
    page.route("**/api/v1/events/**", lambda route: route.fulfill(status=503))
    sending.send_message(sender=bob, body="First", usercodes=[ada.usercode])
    page.goto(f"/messager/#{bob.usercode}")
    expect(page.get_by_role("log").get_by_text("First")).to_be_visible()
    sending.send_message(sender=bob, body="Second", usercodes=[ada.usercode])
    page.unroute("**/api/v1/events/**")
    expect(page.get_by_role("log").get_by_text("Second")).to_be_visible()


def test_a_message_in_a_conversation_that_was_opened_before_the_data_was_loaded(
    open_before_the_stream: OpenPage, ada: User, bob: User
) -> None:
    sending.send_message(sender=bob, body="First", usercodes=[ada.usercode])
    page, open_stream = open_before_the_stream("/messager/")
    page.locator("#search").fill(bob.usercode)
    page.keyboard.press("Enter")
    expect(page.get_by_role("log").get_by_text("First")).to_be_visible()
    sending.send_message(sender=bob, body="Second", usercodes=[ada.usercode])
    open_stream()
    expect(page.get_by_role("log").get_by_text("Second")).to_be_visible()


def test_a_note(open_before_the_stream: OpenPage, ada: User) -> None:
    make_note(ada, title="First")
    page, open_stream = open_before_the_stream("/notes/")
    expect(page.get_by_role("article", name="First")).to_be_visible()
    make_note(ada, title="Second")
    open_stream()
    expect(page.get_by_role("article", name="Second")).to_be_visible()


def test_a_contact(open_before_the_stream: OpenPage, ada: User) -> None:
    make_people(ada, 2)
    page, open_stream = open_before_the_stream("/contacts/")
    expect(page.get_by_role("link", name="Person 000001")).to_be_visible()
    delete_contacts(owner=ada, ids=[Contact.objects.get(name="Person 000001").pk])
    open_stream()
    expect(page.get_by_role("link", name="Person 000001")).to_have_count(0)
    expect(page.get_by_role("link", name="Person 000000")).to_be_visible()


@pytest.mark.parametrize("path", ["/contacts/uploads/", "/contacts/uploads/{id}/"])
def test_an_upload(open_before_the_stream: OpenPage, ada: User, path: str) -> None:
    upload = make_people(ada, 1)
    FileMetadata.objects.update(status="processing", done_at=None)
    page, open_stream = open_before_the_stream(path.format(id=upload.pk))
    expect(page.get_by_role("progressbar")).to_be_visible()
    FileMetadata.objects.update(status="completed", done_at=upload.done_at)
    with transaction.atomic():
        notify_owner(FileMetadata.objects.get())
    open_stream()
    expect(page.locator("main").get_by_text("Done", exact=True)).to_be_visible()


def test_a_row_that_waits(open_before_the_stream: OpenPage, ada: User) -> None:
    row = make_waiting(ada, make_people(ada, 1))
    page, open_stream = open_before_the_stream("/contacts/waiting/")
    expect(page.get_by_text("Wanda", exact=True)).to_be_visible()
    delete_waiting_rows(owner=ada, ids=[row.pk])
    open_stream()
    expect(page.get_by_text("No rows wait.")).to_be_visible()
