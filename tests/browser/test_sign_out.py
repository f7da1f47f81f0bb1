"""A sign-out loses nothing: what waits in a page is sent before the session ends."""

from subprocess import Popen

import pytest
from playwright.sync_api import Route, expect

from accounts.models import Block, User, UserSession
from accounts.services import sessions
from contacts.models import Contact
from notes.models import Note
from notes.services.trash import trash_notes
from tests.factories import UserFactory
from tests.notes.factories import make_note

from .conftest import Browse, Watch, sign_out
from .held import handled
from .test_contacts import make_people

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_note_that_is_being_deleted(browse: Browse, watch: Watch, ada: User) -> None:
    trash_notes(by=ada, note_ids=[make_note(ada).pk])
    page = browse("/notes/?view=trash", user=ada)
    page.get_by_role("button", name="Empty trash").click()
    expect(page.get_by_text("The trash is empty.")).to_be_visible()
    sign_out(page, watch)
    assert not Note.objects.exists()


def test_text_that_is_being_typed(browse: Browse, watch: Watch, ada: User) -> None:
    watch.allow("status of 401")  # what the page requests besides
    note = make_note(ada)
    page = browse(f"/notes/{note.pk}/", user=ada)
    page.get_by_label("Title").fill("Changed")
    page.evaluate("document.querySelector('form[action=\"/logout/\"]').requestSubmit()")  # behind the dialog
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    note.refresh_from_db()
    assert note.title == "Changed"


def test_a_contact_that_is_being_deleted(browse: Browse, watch: Watch, ada: User) -> None:
    make_people(ada, 2)
    page = browse("/contacts/", user=ada)
    page.get_by_role("link", name="Person 000001").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".person.leaving")).to_have_count(1)
    sign_out(page, watch)
    assert [contact.name for contact in Contact.objects.all()] == ["Person 000000"]


def test_a_person_who_is_being_blocked(browse: Browse, watch: Watch, events: Popen, ada: User) -> None:
    bob = UserFactory(username="bob")
    page = browse(None, user=ada)
    page.clock.install()  # the seven seconds do not end by themselves
    page.goto(f"/messager/#{bob.usercode}")
    page.get_by_role("button", name="Block").click()
    page.get_by_role("button", name="Undo blocking").wait_for()
    sign_out(page, watch)
    assert Block.objects.filter(blocker=ada, blocked=bob).exists()


def test_a_request_without_an_answer_does_not_prevent_the_sign_out(browse: Browse, watch: Watch, ada: User) -> None:
    watch.allow("ERR_")
    make_people(ada, 2)
    page = browse("/contacts/", user=ada)
    page.route("**/api/v1/contacts/*/", lambda route: None)  # no answer
    page.get_by_role("link", name="Person 000001").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".person.leaving")).to_have_count(1)
    sign_out(page, watch)
    assert Contact.objects.count() == 2


@pytest.mark.parametrize("path", ["/trends/", "/messager/"])
def test_a_page_that_is_signing_out_does_not_say_that_its_session_has_ended(
    browse: Browse, watch: Watch, ada: User, path: str
) -> None:
    watch.allow("status of 401")
    page = browse(path, user=ada)
    handled(page)
    notices: list[str] = []
    page.on("console", lambda message: notices.append(message.text) if message.type == "info" else None)
    page.evaluate(
        """async () => {
          const { live } = await import("/static/atrium/live.js");
          setInterval(() => live.dispatchEvent(new Event("resync")), 100); // the page requests its data again
          new MutationObserver((changes) => {
            for (const { target } of changes) if (target.closest("#toasts, #banner")) console.info(target.textContent);
          }).observe(document.body, { subtree: true, childList: true });
        }"""
    )
    sign_outs: list[Route] = []
    page.route("**/logout/", lambda route: sign_outs.append(route))
    with page.expect_request("**/logout/"):
        page.evaluate("document.querySelector('form[action=\"/logout/\"]').requestSubmit()")
    with page.expect_response(lambda response: response.status == 401):
        sessions.end_sessions(UserSession.objects.filter(user=ada))
    sign_outs[0].continue_()
    expect(page.get_by_role("link", name="Sign in").first).to_be_visible()
    assert [text for text in notices if "signed out" in text] == []
