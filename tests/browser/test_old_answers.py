"""An answer never replaces something newer, whether a later answer or a change on the page has brought it."""

from subprocess import Popen

import pytest
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from accounts.models import Block, User
from config.realtime.events import publish
from contacts.models import FileMetadata
from contacts.services.contacts import delete_waiting_rows
from contacts.services.notifications import notify_owner
from messaging.services import receipts, sending
from notes.models import Note
from notes.services.labels import create_label
from tests.notes.factories import make_note
from tests.trends.factories import TrendFactory
from trends.models import Trend

from .conftest import Browse
from .held import OldAnswer
from .messager.steps import online
from .test_contacts import make_people, make_waiting

pytestmark = pytest.mark.django_db(transaction=True)


def look_again(page: Page) -> None:
    """Let the page ask for changes once, as when its tab is shown again: some pages do it after a moment."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))


def block_bob(browse: Browse, ada: User, bob: User) -> tuple[Page, Locator, Locator]:
    """Let ada block bob; the block is sent after seven seconds of the page's clock.

    Returns the page and its buttons Block and Unblock.
    """
    page = browse(None, user=ada)
    page.clock.install()
    page.goto(f"/messager/#{bob.usercode}")
    block, unblock = (page.get_by_role("button", name=name, exact=True) for name in ("Block", "Unblock"))
    block.click()
    page.get_by_role("button", name="Undo blocking").wait_for()
    return page, block, unblock


def test_a_person_who_was_unblocked_meanwhile(browse: Browse, events: Popen, ada: User, bob: User) -> None:
    page, block, unblock = block_bob(browse, ada, bob)
    old = OldAnswer(page, "**/api/v1/blocks/")
    page.clock.fast_forward(7000)
    old.wait()
    unblock.click()
    expect(block).to_be_visible()
    old.arrive()
    expect(block).to_be_visible()
    assert not Block.objects.exists()


def test_a_person_who_is_unblocked_before_the_block_is_answered(
    browse: Browse, events: Popen, ada: User, bob: User
) -> None:
    page, block, unblock = block_bob(browse, ada, bob)
    old = OldAnswer(page, "**/api/v1/blocks/*/")
    page.clock.fast_forward(7000)
    old.wait()
    unblock.click()
    old.arrive()
    expect(block).to_be_visible()
    expect(page.get_by_text("You unblocked bob.")).to_be_visible()
    assert not Block.objects.exists()


def test_messages_that_were_read_meanwhile(browse: Browse, events: Popen, ada: User, bob: User) -> None:
    message = sending.send_message(sender=bob, body="Hello", usercodes=[ada.usercode])
    page = browse(None, user=ada)
    old = OldAnswer(page, "**/api/v1/messages/unread/")
    page.goto("/")
    expect(page.get_by_role("link", name="Hello")).to_be_visible()
    old.wait()
    receipts.mark_message_read(reader=ada, message=message)
    expect(page.get_by_text("No unread messages.")).to_be_visible()  # asked for at the same time as the number
    old.arrive()
    expect(page.locator("#unread")).to_be_hidden()


def test_messages_that_were_read_meanwhile_by_another_tab(browse: Browse, events: Popen, ada: User, bob: User) -> None:
    message = sending.send_message(sender=bob, body="Hello", usercodes=[ada.usercode])
    first = browse("/trends/", user=ada)
    expect(first.locator("#unread")).to_be_visible()
    second = first.context.new_page()
    old = OldAnswer(second, "**/api/v1/messages/unread/")
    second.goto("/trends/")
    old.wait()
    receipts.mark_message_read(reader=ada, message=message)
    expect(first.locator("#unread")).to_be_hidden()
    old.arrive()
    expect(second.locator("#unread")).to_be_hidden()
    expect(first.locator("#unread")).to_be_hidden()


def test_a_message_of_mine_that_was_read_meanwhile(browse: Browse, events: Popen, ada: User, bob: User) -> None:
    message = sending.send_message(sender=ada, body="Hello", usercodes=[bob.usercode])
    first = browse(f"/messager/#{bob.usercode}", user=ada)
    second = first.context.new_page()
    old = OldAnswer(second, "**/api/v1/messages/?with=*")
    second.goto(f"/messager/#{bob.usercode}")
    old.wait()
    receipts.mark_message_read(reader=bob, message=message)
    expect(first.get_by_role("log").get_by_text("Read")).to_be_visible()
    old.arrive()
    expect(second.get_by_role("log").get_by_text("Hello")).to_be_visible()
    expect(second.get_by_role("log").get_by_text("Read")).to_be_visible()


def test_a_person_who_came_online_meanwhile(browse: Browse, events: Popen, ada: User, bob: User) -> None:
    page = browse("/messager/", user=ada)
    expect(page.get_by_text("Nobody else is online.")).to_be_visible()
    old = OldAnswer(page, "**/api/v1/presence/")
    publish([ada.pk], "presence", {"online": [], "offline": [], "refresh": True})
    old.wait()
    browse("/messager/", user=bob)
    expect(online(page, "bob")).to_be_visible()
    old.arrive()
    expect(online(page, "bob")).to_be_visible()


@pytest.mark.parametrize("path", ["/contacts/uploads/", "/contacts/uploads/{id}/"])
def test_an_upload_that_was_completed_meanwhile(browse: Browse, ada: User, path: str) -> None:
    upload = make_people(ada, 1)
    FileMetadata.objects.update(status="processing", done_at=None)
    page = browse(None, user=ada)
    page.clock.install()
    old = OldAnswer(page, "**/api/v1/contacts/uploads/**")
    page.goto(path.format(id=upload.pk))
    old.wait()
    FileMetadata.objects.update(status="completed", done_at=timezone.now())
    with transaction.atomic():
        notify_owner(FileMetadata.objects.get())
    look_again(page)
    old.arrive()
    expect(page.locator("main").get_by_text("Done", exact=True)).to_be_visible()


def test_a_row_that_was_stored_meanwhile(browse: Browse, ada: User) -> None:
    row = make_waiting(ada, make_people(ada, 1))
    page = browse(None, user=ada)
    page.clock.install()
    old = OldAnswer(page, "**/api/v1/contacts/unprocessed/**")
    page.goto("/contacts/waiting/")
    old.wait()
    delete_waiting_rows(owner=ada, ids=[row.pk])
    look_again(page)
    old.arrive()
    expect(page.get_by_text("No rows wait.")).to_be_visible()


def test_a_label_that_was_created_meanwhile(browse: Browse, ada: User) -> None:
    make_note(ada)
    page = browse(None, user=ada)
    page.clock.install()
    old = OldAnswer(page, "**/api/v1/labels/**")
    page.goto("/notes/")
    old.wait()
    create_label(owner=ada, name="Travel")
    look_again(page)
    old.arrive()
    expect(page.get_by_role("link", name="Travel")).to_be_visible()


def test_a_note_that_was_changed_on_the_page_meanwhile(browse: Browse, ada: User) -> None:
    note = make_note(ada, title="Before")
    page = browse(f"/notes/{note.pk}/", user=ada)
    make_note(ada, title="Another")
    old = OldAnswer(page, "**/api/v1/notes/?*")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    old.wait()
    page.get_by_label("Title").fill("After")
    expect(page.locator("dialog.editor .save-state")).to_have_text("Saved")
    page.keyboard.press("Escape")
    old.arrive()
    expect(page.get_by_role("article", name="Another")).to_be_visible()
    expect(page.get_by_role("article", name="After")).to_be_visible()
    assert Note.objects.filter(title="After").exists()


def test_macrotrends_that_were_searched_for_with_fewer_letters_meanwhile(
    browse: Browse, transactional_db: None
) -> None:
    Trend.objects.bulk_create(TrendFactory.build(macrotrend=f"Field {n:03}") for n in range(310))
    page = browse(None)
    page.clock.install()
    page.goto("/trends/")
    page.get_by_text("The 300 largest of 310 groups.").wait_for()
    page.get_by_role("button", name="Macrotrend", exact=True).first.click()
    menu = page.get_by_role("dialog", name="Filter by Macrotrend")
    old = OldAnswer(page, "**/api/v1/trends/radar/?search=*")
    menu.get_by_label("Find in Macrotrend").fill("field 309")
    old.wait()
    menu.get_by_label("Find in Macrotrend").fill("field 30")
    page.clock.fast_forward(1000)
    old.arrive()
    expect(menu.get_by_role("checkbox")).to_have_count(13)  # 30, 130, 230, and 300 to 309
