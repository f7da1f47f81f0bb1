"""What a person types stays where they type it, whatever is drawn or answered meanwhile."""

from subprocess import Popen

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from contacts.models import Contact
from messaging.models import Message
from notes.models import Membership
from tests.factories import UserFactory
from tests.notes.factories import LabelFactory, make_note
from tests.waiting import wait_until

from .conftest import Browse, Watch
from .held import handled, hold
from .messager.steps import insert_messages, log, send, write
from .test_contacts import make_people

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def notes(browse: Browse, ada: User) -> Page:
    """Ada's notes "One" and "Two", on a page that draws only when its clock is moved."""
    for title in ("Two", "One"):
        make_note(ada, title=title, body="")
    page = browse(None, user=ada)
    page.clock.install()
    page.goto("/notes/")
    page.get_by_role("article").nth(1).wait_for()
    handled(page)
    page.clock.pause_at(page.evaluate("Date.now() / 1000 + 1"))
    return page


def test_a_note_that_is_written_while_another_one_is_archived(notes: Page) -> None:
    notes.get_by_role("article").first.get_by_role("link").focus()
    notes.keyboard.press("e")
    notes.keyboard.press("n")
    notes.clock.run_for(1000)
    notes.keyboard.type("keen")  # the keys of the page are among the letters
    expect(notes.get_by_label("Text", exact=True)).to_have_value("keen")
    wait_until(lambda: Membership.objects.filter(archived=True).count() == 1, what="one note in the archive")


def test_the_next_note_gets_the_focus_also_where_the_archived_one_stays(browse: Browse, ada: User) -> None:
    for title in ("Milk two", "Milk one"):
        make_note(ada, title=title, body="")
    page = browse("/notes/?q=milk", user=ada)
    first, second = (page.get_by_role("article", name=title).get_by_role("link") for title in ("Milk one", "Milk two"))
    first.focus()
    page.keyboard.press("e")
    wait_until(lambda: Membership.objects.filter(archived=True).count() == 1, what="one note in the archive")
    expect(second).to_be_focused()
    expect(first).to_be_visible()


def test_a_search_that_is_begun_while_a_note_is_closed(notes: Page) -> None:
    notes.get_by_role("article").first.get_by_role("link").click()
    notes.clock.run_for(1000)
    expect(notes.get_by_role("dialog")).to_be_visible()
    notes.keyboard.press("Escape")
    expect(notes.locator("dialog.editor")).not_to_be_visible()
    notes.keyboard.press("/")
    notes.clock.run_for(1000)
    expect(notes.locator("#search")).to_be_focused()


def test_a_new_label_of_a_note_that_is_typed_while_one_is_created(browse: Browse, ada: User) -> None:
    make_note(ada, title="Plan")
    page = browse("/notes/", user=ada)
    page.get_by_role("article").hover()
    page.get_by_role("button", name="Labels: Plan").click()
    release = hold(page, "**/api/v1/labels/")
    field = page.get_by_label("Find or create a label")
    field.fill("Work")
    field.press("Enter")
    field.fill("Home")
    release()
    expect(page.get_by_label("Work", exact=True)).to_have_count(0)  # it does not fit what is searched for
    expect(page.get_by_role("button", name="Create “Home”")).to_be_visible()
    expect(page.get_by_text("labelled “Work”")).to_be_visible()
    expect(field).to_have_value("Home")


def test_the_name_of_a_label_that_was_refused(browse: Browse, watch: Watch, ada: User) -> None:
    watch.allow("status of 409")
    LabelFactory(owner=ada, name="Home")
    page = browse("/notes/", user=ada)
    page.get_by_role("button", name="Edit labels").click()
    page.get_by_label("New label").fill("home")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("status")).to_contain_text("already")
    expect(page.get_by_label("New label")).to_have_value("home")


def test_a_second_person_who_is_typed_while_a_note_is_shared_with_the_first(
    browse: Browse, ada: User, bob: User
) -> None:
    note = make_note(ada, title="Trip")
    page = browse("/notes/", user=ada)
    page.get_by_role("article").hover()
    page.get_by_role("button", name="Share: Trip").click()
    handled(page)
    release = hold(page, "**/collaborators/")
    field = page.get_by_label("E-mail address or code")
    field.fill(bob.email)
    field.press("Enter")
    field.fill("eve@")
    release()
    expect(page.get_by_label("Role of bob")).to_be_visible()
    handled(page)
    expect(field).to_have_value("eve@")
    assert note.memberships.count() == 2


def test_a_contact_that_is_changed_again_while_it_is_saved(browse: Browse, ada: User) -> None:
    make_people(ada, 1)
    page = browse("/contacts/", user=ada)
    page.get_by_role("link", name="Person 000000").click()
    drawer = page.get_by_role("dialog", name="Person 000000")
    release = hold(page, "**/api/v1/contacts/*/")
    drawer.get_by_label("Name").fill("Zoe")
    drawer.get_by_role("button", name="Save").click()
    drawer.get_by_label("Phone number").fill("+374 91 999999")
    release()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(drawer.get_by_label("Phone number")).to_have_value("+374 91 999999")
    drawer.get_by_role("button", name="Save").click()
    expect(drawer).to_be_hidden()
    [contact] = Contact.objects.all()
    assert (contact.name, contact.phone_number) == ("Zoe", "+374 91 999999")


def test_the_errors_of_a_contact_are_not_shown_at_another_one(browse: Browse, watch: Watch, ada: User) -> None:
    watch.allow("status of 400")
    make_people(ada, 2)
    page = browse("/contacts/", user=ada)
    page.get_by_role("link", name="Person 000000").click()
    drawer = page.get_by_role("dialog")
    release = hold(page, "**/api/v1/contacts/*/")
    drawer.get_by_label("Phone number").fill("call me")
    drawer.get_by_role("button", name="Save").click()
    for _ in range(2):  # the second one discards the change
        drawer.get_by_role("button", name="Close").click()
    page.get_by_role("link", name="Person 000001").click()
    release()
    expect(page.get_by_text("Not saved: ")).to_be_visible()
    expect(drawer.get_by_label("Phone number")).not_to_have_attribute("aria-invalid", "true")


def test_a_search_that_is_typed_while_the_conversation_of_the_address_is_loaded(
    browse: Browse, events: Popen, ada: User, bob: User
) -> None:
    send(bob, ada, "Hello")
    page = browse(None, user=ada)
    release = hold(page, "**/api/v1/conversations/")
    page.goto(f"/messager/#{bob.usercode}")
    page.locator("#search").press_sequentially("he")
    release()
    expect(log(page)).to_contain_text("Hello")
    page.keyboard.type("llo")
    expect(page.locator("#search")).to_have_value("hello")
    expect(page.locator("#body")).to_have_value("")


def test_a_search_that_goes_on_while_a_person_is_looked_up(browse: Browse, events: Popen, ada: User) -> None:
    stranger = UserFactory(username="eve", usercode="EV3EV3")
    page = browse("/messager/", user=ada)
    handled(page)
    release = hold(page, f"**/people/{stranger.usercode}/")
    page.locator("#search").fill(stranger.usercode)
    page.keyboard.press("Enter")
    page.keyboard.type(" and more")
    release()
    handled(page)
    expect(page.locator("#search")).to_have_value(f"{stranger.usercode} and more")
    expect(page.locator("#thread")).to_be_hidden()


def test_a_message_that_is_written_while_a_found_one_is_loaded(
    browse: Browse, events: Popen, ada: User, bob: User
) -> None:
    insert_messages(bob, ada, 200)
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    expect(log(page)).to_contain_text("message 1")
    page.locator("#search").fill("message 20")
    found = page.locator("#found-messages button").first
    found.wait_for()
    release = hold(page, "**/api/v1/messages/*")
    found.click()
    page.locator("#body").focus()
    page.keyboard.type("No")
    release()
    expect(log(page).get_by_role("listitem").filter(has_text="message 120")).to_be_in_viewport()
    expect(page.locator("#body")).to_be_focused()


def test_text_and_searches_that_are_typed_while_an_edit_is_saved(
    browse: Browse, events: Popen, ada: User, bob: User
) -> None:
    page = browse(f"/messager/#{bob.usercode}", user=ada)
    write(page, "Lunch?")
    log(page).get_by_text("Sent").wait_for()
    field, search = page.locator("#body"), page.locator("#search")
    for body, more, last in (("Lunch at two?", " Or tea?", field), ("Lunch at three?", "", search)):
        field.press("ArrowUp")
        release = hold(page, "**/api/v1/messages/*/")
        field.fill(body)
        field.press("Enter")
        page.keyboard.type(more)
        last.focus()
        release()
        expect(log(page)).to_contain_text(body)
        handled(page)
        expect(last).to_be_focused()
        expect(field).to_have_value(f"{body}{more}" if more else "")
        field.press("Escape")
    assert Message.objects.get().body == "Lunch at three?"


def test_a_second_recipient_who_is_typed_while_the_first_is_looked_up(browse: Browse, events: Popen, ada: User) -> None:
    eve = UserFactory(username="eve")
    page = browse("/messager/", user=ada)
    page.get_by_role("button", name="Message several people").click()
    dialog = page.get_by_role("dialog", name="Message several people")
    release = hold(page, f"**/people/{eve.usercode}/")
    field = dialog.get_by_label("To", exact=True)
    field.fill(eve.usercode)
    field.press("Enter")
    field.fill("ZZ")
    release()
    expect(dialog.get_by_role("status")).to_have_text("1 recipient")
    expect(field).to_have_value("ZZ")


def test_a_field_that_is_corrected_while_the_form_is_checked(browse: Browse, watch: Watch, ada: User) -> None:
    watch.allow("status of 400")
    page = browse("/register/")
    name, email, password = page.get_by_label("Username"), page.get_by_label("E-mail address"), "correct horse 5"
    email.fill("new@example.org")
    name.fill(ada.username)
    page.get_by_label("Password", exact=True).fill(password)
    release = hold(page, "**/register/")
    name.press("Enter")
    email.fill("newer@example.org")
    release()
    expect(page.get_by_text("This username is taken")).to_be_visible()
    expect(email).to_have_value("newer@example.org")
    expect(email).to_be_focused()
    expect(page.get_by_label("Password", exact=True)).to_have_value(password)


def test_a_field_to_which_a_person_goes_before_the_script_is_loaded(browse: Browse, watch: Watch, ada: User) -> None:
    watch.allow("status of 400")
    page = browse("/register/")
    page.get_by_label("Username").fill(ada.username)
    release = hold(page, "**/atrium/fields.js")
    page.evaluate("document.querySelector('form[method=post]').submit()")
    expect(page.get_by_text("This username is taken")).to_be_visible()
    password = page.get_by_label("Password", exact=True)
    password.press_sequentially("corr")
    release()
    page.get_by_role("button", name="Show the password").wait_for()
    page.keyboard.type("ect")
    expect(password).to_have_value("correct")
