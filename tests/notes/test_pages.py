"""The page of a note, and the admin of notes."""

import re
from html import unescape

import orjson
import pytest
from django.test import Client as Browser

from accounts.models import User
from notes.models import Note, Role
from tests.conftest import Client

from .factories import LabelFactory, make_note, share


@pytest.fixture
def browser(user: User) -> Browser:
    client = Browser()
    client.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    return client


def test_the_page_of_a_note_is_visible_to_members_only(browser: Browser, user: User, viewer_user: User) -> None:
    note = make_note(user, title="A plan")
    assert browser.get(f"/notes/{note.pk}/").status_code == 200
    stranger = Browser()
    assert stranger.get(f"/notes/{note.pk}/")["Location"] == f"/login/?next=/notes/{note.pk}/"
    stranger.force_login(viewer_user, backend="accounts.backends.EmailOrUsernameBackend")
    assert stranger.get(f"/notes/{note.pk}/").status_code == 404
    share(note, viewer_user)
    assert stranger.get(f"/notes/{note.pk}/").status_code == 200


def inline_page(content: bytes) -> re.Match[str] | None:
    return re.search(r'<script type="application/json" id="first-page" ([^>]*)>(.*?)</script>', content.decode(), re.S)


def test_the_page_contains_what_its_first_request_would_return(browser: Browser, user: User) -> None:
    make_note(user, title="</script><script>alert(1)</script> & co")
    page = inline_page(browser.get("/notes/").content)
    assert page and "<" not in page[2]
    path, etag = (unescape(re.search(f'{name}="([^"]*)"', page[1])[1]) for name in ("data-path", "data-etag"))
    answer = browser.get(path)
    assert orjson.loads(page[2]) == answer.json()
    assert browser.get(path, headers={"If-None-Match": etag}).status_code == 304
    make_note(user, title="newer")
    fresh = inline_page(browser.get("/notes/", headers={"If-None-Match": etag}).content)
    assert fresh and [each["title"] for each in orjson.loads(fresh[2])["results"]][0] == "newer"


def test_large_notes_and_other_views_are_fetched(browser: Browser, user: User) -> None:
    assert inline_page(browser.get("/notes/?view=archive").content) is None
    for _ in range(15):
        make_note(user, body="x" * 19_000)
    assert inline_page(browser.get("/notes/").content) is None


def test_a_visitor_of_the_notes_page_signs_in_first(db: None) -> None:
    answer = Browser().get("/notes/?view=archive&q=milk")
    assert answer["Location"] == "/login/?next=/notes/%3Fview%3Darchive%26q%3Dmilk"


@pytest.mark.thorough
@pytest.mark.parametrize("model", ["note", "membership", "label", "membershiplabel", "reminder", "noteimport"])
def test_every_model_is_in_the_admin(
    owner: Client, user: User, staff: User, viewer_user: User, model: str, note: Note
) -> None:
    label = LabelFactory(owner=user, name="Home")
    owner.post(f"/api/v1/notes/{note.pk}/labels/", {"label_ids": [label.pk]})
    owner.put(f"/api/v1/notes/{note.pk}/reminder/", {"remind_at": "2100-01-01T00:00:00Z"})
    admin = Browser()
    admin.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    page = admin.get(f"/admin/notes/{model}/?q=home")
    assert page.status_code == 200
    assert b"for the weekend" not in admin.get(f"/admin/notes/{model}/").content
    assert admin.get(f"/admin/notes/{model}/add/").status_code == 403
    assert Browser().get(f"/admin/notes/{model}/").status_code == 302


def test_a_note_in_the_admin_shows_its_members_and_is_read_only(note: Note, staff: User, viewer_user: User) -> None:
    share(note, viewer_user, Role.VIEWER) if not note.memberships.filter(user=viewer_user).exists() else None
    admin = Browser()
    admin.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    page = admin.get(f"/admin/notes/note/{note.pk}/change/")
    assert page.status_code == 200
    assert viewer_user.username.encode() in page.content
    assert admin.post(f"/admin/notes/note/{note.pk}/change/", {"title": "x"}).status_code == 403
