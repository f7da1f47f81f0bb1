"""The page that a reminder links to, and the admin."""

import pytest
from django.test import Client

from notes.models import Role

from .factories import LabelFactory, make_note, share


@pytest.fixture
def browser(user):
    client = Client()
    client.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    return client


def test_the_page_shows_the_note_to_those_who_see_it(browser, user, api, viewer_user):
    note = make_note(user, title="A <b>plan</b>", body="one\ntwo", items=[{"text": "<script>", "checked": True}])
    page = browser.get(f"/notes/{note.pk}/")
    assert page.status_code == 200
    assert b"A &lt;b&gt;plan&lt;/b&gt;" in page.content
    assert b"&lt;script&gt;" in page.content
    assert b"Your note" in page.content
    stranger = Client()
    assert stranger.get(f"/notes/{note.pk}/")["Location"] == f"/login/?next=/notes/{note.pk}/"
    stranger.force_login(viewer_user, backend="accounts.backends.EmailOrUsernameBackend")
    assert stranger.get(f"/notes/{note.pk}/").status_code == 404
    share(note, viewer_user)
    assert f"Shared by {user.username}".encode() in stranger.get(f"/notes/{note.pk}/").content


def test_a_trashed_empty_note_has_a_page_too(browser, owner, user):
    note = make_note(user, title="", body="")
    owner.post(f"/api/v1/notes/{note.pk}/trash/")
    page = browser.get(f"/notes/{note.pk}/").content
    assert b"A note without a title" in page
    assert b"in the trash" in page


@pytest.mark.parametrize("model", ["note", "membership", "label", "membershiplabel", "reminder", "noteimport"])
def test_every_table_is_in_the_admin(owner, user, staff, viewer_user, model, note):
    label = LabelFactory(owner=user, name="Home")
    owner.post(f"/api/v1/notes/{note.pk}/labels/", {"label_ids": [label.pk]})
    owner.put(f"/api/v1/notes/{note.pk}/reminder/", {"remind_at": "2100-01-01T00:00:00Z"})
    desk = Client()
    desk.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    page = desk.get(f"/admin/notes/{model}/?q=home")
    assert page.status_code == 200
    assert b"for the weekend" not in desk.get(f"/admin/notes/{model}/").content
    assert desk.get(f"/admin/notes/{model}/add/").status_code == 403
    assert Client().get(f"/admin/notes/{model}/").status_code == 302


def test_a_note_in_the_admin_shows_who_sees_it_and_changes_nothing(note, staff, viewer_user):
    share(note, viewer_user, Role.VIEWER) if not note.memberships.filter(user=viewer_user).exists() else None
    desk = Client()
    desk.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    page = desk.get(f"/admin/notes/note/{note.pk}/change/")
    assert page.status_code == 200
    assert viewer_user.username.encode() in page.content
    assert desk.post(f"/admin/notes/note/{note.pk}/change/", {"title": "x"}).status_code == 403
