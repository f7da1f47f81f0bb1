"""The trash: owned by the owner, seen by all members, purged after seven days."""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.db.models.functions import Now

from accounts.models import User
from notes.models import Membership, Note
from notes.services.trash import purge_expired_trash
from notes.tasks import purge_trash
from tests.conftest import Client

from .conftest import Titles
from .factories import make_note, share

NOTES = "/api/v1/notes/"


def test_a_trashed_note_has_a_purge_date(owner: Client, path: str) -> None:
    answer = owner.post(f"{path}trash/")
    assert answer.status_code == 200
    note = answer.json()
    delay = datetime.fromisoformat(note["purge_at"]) - datetime.fromisoformat(note["trashed_at"])
    assert (delay, note["version"]) == (timedelta(days=7), 2)
    back = owner.post(f"{path}restore/").json()
    assert (back["trashed_at"], back["purge_at"], back["version"]) == (None, None, 3)


def test_trashing_or_restoring_twice_is_409(owner: Client, path: str) -> None:
    assert owner.post(f"{path}restore/").json()["errors"][0]["code"] == "note_not_in_trash"
    owner.post(f"{path}trash/")
    again = owner.post(f"{path}trash/")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "note_in_trash")


def test_all_members_see_a_note_in_the_trash(owner: Client, viewer: Client, path: str, titles: Titles) -> None:
    owner.post(f"{path}trash/")
    assert titles(viewer.get(NOTES)) == []
    assert titles(viewer.get(f"{NOTES}trashed/")) == ["Groceries"]
    owner.post(f"{path}restore/")
    assert titles(viewer.get(NOTES)) == ["Groceries"]


def test_a_trashed_note_cannot_be_edited(owner: Client, editor: Client, path: str) -> None:
    owner.post(f"{path}trash/")
    for client in (owner, editor):
        assert client.patch(path, {"title": "x"}).status_code == 409
    assert owner.post(f"{path}pin/").status_code == 200


def test_emptying_the_trash_deletes_own_notes_only(
    owner: Client, user: User, viewer_user: User, api: Client, note: Note, titles: Titles
) -> None:
    theirs = make_note(viewer_user, title="theirs")
    share(theirs, user)
    friend = api.as_user(viewer_user)
    friend.post(f"{NOTES}{theirs.pk}/trash/")
    owner.post(f"{NOTES}{note.pk}/trash/")
    kept = make_note(user, title="kept")
    assert owner.delete(f"{NOTES}trashed/").status_code == 204
    assert titles(owner.get(f"{NOTES}?state=all")) == ["kept", "theirs"]
    assert set(Note.objects.values_list("pk", flat=True)) == {kept.pk, theirs.pk}
    assert owner.delete(f"{NOTES}trashed/").status_code == 204


def test_emptying_the_trash_until_an_instant_keeps_what_was_moved_there_later(owner: Client, user: User) -> None:
    seen, later = make_note(user, title="seen"), make_note(user, title="later")
    owner.post(f"{NOTES}{seen.pk}/trash/")
    (listed,) = owner.get(f"{NOTES}trashed/").json()["results"]
    owner.post(f"{NOTES}{later.pk}/trash/")
    assert owner.delete(f"{NOTES}trashed/?{urlencode({'trashed_until': listed['trashed_at']})}").status_code == 204
    assert set(Note.objects.values_list("pk", flat=True)) == {later.pk}


@pytest.mark.parametrize("instant", ["", "yesterday", "2026-02-30T00:00:00Z", "2026-11-27T10:00:00"])
def test_emptying_the_trash_until_no_instant_deletes_nothing(owner: Client, note: Note, instant: str) -> None:
    owner.post(f"{NOTES}{note.pk}/trash/")
    answer = owner.delete(f"{NOTES}trashed/?{urlencode({'trashed_until': instant})}")
    assert answer.status_code == 400
    assert [error["attr"] for error in answer.json()["errors"]] == ["trashed_until"]
    assert Note.objects.exists()


def test_the_purge_deletes_notes_after_seven_days(
    owner: Client, viewer: Client, user: User, note: Note, settings: Any, titles: Titles
) -> None:
    fresh, kept = make_note(user, title="fresh"), make_note(user, title="kept")
    for pk in (note.pk, fresh.pk):
        owner.post(f"{NOTES}{pk}/trash/")
    Note.objects.filter(pk=note.pk).update(trashed_at=Now() - timedelta(days=7, seconds=1))
    Note.objects.filter(pk=fresh.pk).update(trashed_at=Now() - timedelta(days=7) + timedelta(seconds=60))
    assert titles(viewer.get(f"{NOTES}trashed/")) == ["Groceries"]
    assert purge_trash() == 1
    assert set(Note.objects.values_list("pk", flat=True)) == {fresh.pk, kept.pk}
    assert Membership.objects.count() == 2
    assert titles(viewer.get(f"{NOTES}trashed/")) == []
    settings.NOTES_TRASH_DAYS = 1
    assert purge_trash() == 1


def test_the_purge_runs_in_batches(user: User) -> None:
    for n in range(5):
        make_note(user, title=str(n))
    Note.objects.update(trashed_at=Now() - timedelta(days=8))
    assert purge_expired_trash(batch_size=2) == 5
