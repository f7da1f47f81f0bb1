"""The dialogs of labels and sharing: an answer keeps the focus, what is typed meanwhile, and shows what is stored."""

import pytest
from playwright.sync_api import Page, expect

from accounts.models import User
from notes.models import Label, Membership, Role
from notes.services.labels import create_label
from tests.factories import UserFactory
from tests.notes.factories import make_note, share
from tests.waiting import wait_until

from ..conftest import Browse, Watch
from ..held import OldAnswer, handled
from .test_notes_page import card

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def labels(browse: Browse, ada: User) -> Page:
    """The dialog with the labels Home and Work."""
    for name in ("Home", "Work"):
        create_label(owner=ada, name=name)
    page = browse("/notes/", user=ada)
    expect(page.get_by_role("link", name="Work")).to_be_visible()
    page.get_by_role("button", name="Edit labels").click()
    return page


def names() -> list[str]:
    return sorted(Label.objects.values_list("name", flat=True))


def test_a_label_is_created_renamed_and_deleted(labels: Page) -> None:
    labels.get_by_label("New label").fill("Travel")
    labels.keyboard.press("Enter")
    expect(labels.get_by_label("Name of Travel")).to_be_visible()
    labels.get_by_label("Name of Home").fill("House")
    labels.keyboard.press("Enter")
    expect(labels.get_by_label("Name of House")).to_be_focused()
    labels.get_by_role("button", name="Delete Work").click()
    assert names() == ["House", "Travel", "Work"]
    labels.get_by_role("button", name="Delete Work from 0 notes").click()
    expect(labels.get_by_label("Name of Work")).to_have_count(0)
    assert names() == ["House", "Travel"]


def test_a_name_that_is_typed_while_another_is_saved_is_kept(labels: Page) -> None:
    answer = OldAnswer(labels, "**/api/v1/labels/*/")
    labels.get_by_label("Name of Home").fill("House")
    labels.get_by_label("Name of Work").fill("Off")
    answer.wait()
    answer.arrive()
    expect(labels.get_by_label("Name of House")).to_be_visible()
    expect(labels.get_by_label("Name of Work")).to_be_focused()
    labels.keyboard.type("ice")
    labels.keyboard.press("Enter")
    wait_until(lambda: labels.evaluate("true") and names() == ["House", "Office"], what="both names")


def test_a_name_that_another_label_has_is_refused_and_not_shown(labels: Page, watch: Watch) -> None:
    watch.allow("status of 409")
    labels.get_by_label("Name of Home").fill("work")
    labels.keyboard.press("Enter")
    expect(labels.get_by_role("dialog").get_by_role("status")).to_contain_text("already")
    expect(labels.get_by_label("Name of Home")).to_have_value("Home")
    assert names() == ["Home", "Work"]


@pytest.fixture
def sharing(browse: Browse, ada: User) -> Page:
    """The dialog of a note that Ada shares with Bob and Eve, who can view it."""
    note = make_note(ada, title="Trip")
    for name in ("bob", "eve"):
        share(note, UserFactory(username=name))
    page = browse("/notes/", user=ada)
    card(page, "Trip").hover()
    page.get_by_role("button", name="Share: Trip").click()
    handled(page)  # the list of people is requested when the dialog opens
    return page


def test_a_new_role_keeps_the_focus(sharing: Page) -> None:
    role = sharing.get_by_label("Role of eve")
    role.focus()
    role.select_option("editor")
    expect(sharing.get_by_text("eve can edit the note.")).to_be_visible()
    handled(sharing)
    expect(role).to_be_focused()
    expect(role).to_have_value("editor")
    assert Membership.objects.get(user__username="eve").role == Role.EDITOR


def test_a_role_that_was_refused_is_not_shown(sharing: Page, watch: Watch) -> None:
    watch.allow("status of 500")
    sharing.route("**/collaborators/*/", lambda route: route.fulfill(status=500))
    role = sharing.get_by_label("Role of bob")
    role.select_option("editor")
    expect(sharing.get_by_role("alert")).not_to_be_empty()
    expect(role).to_have_value("viewer")


def test_undo_takes_a_note_back_from_the_person_it_was_just_shared_with(sharing: Page) -> None:
    dan = UserFactory(username="dan")
    sharing.get_by_label("E-mail address or code").fill(dan.email)
    sharing.get_by_role("button", name="Share", exact=True).last.click()
    expect(sharing.get_by_label("Role of dan")).to_be_visible()
    sharing.get_by_role("dialog").get_by_role("button", name="Undo").click()
    expect(sharing.get_by_label("Role of dan")).to_have_count(0)
    assert set(Membership.objects.values_list("user__username", flat=True)) == {"ada", "bob", "eve"}
