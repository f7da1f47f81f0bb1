"""What people hear of at once: a share, a change by another, a revoke."""

import json

import pytest

from config.models import OutgoingEvent
from notes.models import Role
from tests.factories import UserFactory

from .factories import LabelFactory, make_note, share

NOTES = "/api/v1/notes/"


@pytest.fixture
def heard():
    """The events of a person since the last call: what happened to which note, and by whom."""
    last: dict[int, int] = {}

    def read(person):
        rows = OutgoingEvent.objects.filter(user_ids__contains=[person.pk], kind="note", pk__gt=last.get(person.pk, 0))
        news = []
        for row in rows.order_by("pk"):
            last[person.pk] = row.pk
            data = json.loads(row.data)
            news.append((data["action"], data["id"], data["by"]))
        return news

    return read


def test_share_change_and_revoke_are_heard_by_those_they_concern(owner, user, api, note, heard):
    friend, other = UserFactory(), UserFactory()
    share(note, other)
    assert heard(other) == [("shared", note.pk, user.usercode)]
    path = f"{NOTES}{note.pk}/"
    owner.post(f"{path}collaborators/", {"usercode": friend.usercode, "role": "editor"})
    assert heard(friend) == [("shared", note.pk, user.usercode)]
    assert heard(other) == [("changed", note.pk, user.usercode)]
    api.as_user(friend).patch(path, {"title": "x"})
    assert heard(user) == heard(other) == [("changed", note.pk, friend.usercode)]
    assert heard(friend) == []
    owner.delete(f"{path}collaborators/{friend.usercode}/")
    assert heard(friend) == [("revoked", note.pk, user.usercode)]
    assert heard(other) == [("changed", note.pk, user.usercode)]
    for verb, method in (("trash/", owner.post), ("restore/", owner.post), ("", owner.delete)):
        assert method(path + verb).status_code < 300
    assert [action for action, *_ in heard(other)] == ["trashed", "restored", "deleted"]


def test_what_is_ones_own_or_failed_nobody_hears_of(owner, user, api, note, heard):
    friend = UserFactory()
    share(note, friend, Role.EDITOR)
    heard(friend)
    reader, path = api.as_user(friend), f"{NOTES}{note.pk}/"
    label = LabelFactory(owner=friend)
    reader.post(f"{path}pin/")
    reader.post(f"{path}archive/")
    reader.post(f"{path}labels/", {"label_ids": [label.pk]})
    reader.put(f"{path}reminder/", {"remind_at": "2100-01-01T00:00:00Z"})
    reader.patch(path, {"title": "x"}, headers={"If-Match": '"9"'})
    reader.delete(path)
    make_note(user)
    assert heard(user) == heard(friend) == []
