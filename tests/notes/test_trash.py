"""The trash: seven days, for everybody, and the owner's to decide."""

from datetime import datetime, timedelta

import pytest
from django.db.models.functions import Now

from notes.models import Membership, Note
from notes.tasks import purge_trash

from .factories import make_note, share

NOTES = "/api/v1/notes/"


@pytest.fixture
def path(note):
    return f"{NOTES}{note.pk}/"


def test_trashing_says_when_the_note_will_be_purged(owner, path):
    answer = owner.post(f"{path}trash/")
    assert answer.status_code == 200
    note = answer.json()
    lasts = datetime.fromisoformat(note["purge_at"]) - datetime.fromisoformat(note["trashed_at"])
    assert (lasts, note["version"]) == (timedelta(days=7), 2)
    back = owner.post(f"{path}restore/").json()
    assert (back["trashed_at"], back["purge_at"], back["version"]) == (None, None, 3)


def test_trash_and_restore_where_they_are_done_already_are_409(owner, path):
    assert owner.post(f"{path}restore/").json()["errors"][0]["code"] == "note_not_in_trash"
    owner.post(f"{path}trash/")
    again = owner.post(f"{path}trash/")
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "note_in_trash")


def test_the_trash_is_the_notes_and_everybody_sees_it(owner, viewer, path, titles):
    owner.post(f"{path}trash/")
    assert titles(viewer.get(NOTES)) == []
    assert titles(viewer.get(f"{NOTES}trashed/")) == ["Groceries"]
    owner.post(f"{path}restore/")
    assert titles(viewer.get(NOTES)) == ["Groceries"]


def test_what_is_in_the_trash_is_not_written_to(owner, editor, path):
    owner.post(f"{path}trash/")
    for client in (owner, editor):
        assert client.patch(path, {"title": "x"}).status_code == 409
    assert owner.post(f"{path}pin/").status_code == 200


def test_emptying_the_trash_deletes_ones_own_alone(owner, user, viewer_user, api, note, titles):
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


def test_the_purge_takes_what_is_a_week_old_with_its_memberships(owner, viewer, user, note, settings, titles):
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


def test_the_purge_works_in_batches(owner, user, monkeypatch):
    from notes.services import content

    monkeypatch.setattr(content, "PURGE_BATCH", 2)
    for n in range(5):
        make_note(user, title=str(n))
    Note.objects.update(trashed_at=Now() - timedelta(days=8))
    assert purge_trash() == 5
