"""Events about shared notes."""

import json
from collections.abc import Callable

import pytest

from accounts.models import User
from config.models import OutgoingEvent
from notes.models import Note, Role
from tests.conftest import Client
from tests.factories import UserFactory

from .factories import LabelFactory, make_note, share

NOTES = "/api/v1/notes/"


@pytest.fixture
def heard() -> Callable[[User], list[tuple[str, int, str]]]:
    """Return a function that lists the new events of a user as (action, note id, usercode of the author)."""
    last: dict[int, int] = {}

    def read(user: User) -> list[tuple[str, int, str]]:
        rows = OutgoingEvent.objects.filter(user_ids__contains=[user.pk], kind="note", pk__gt=last.get(user.pk, 0))
        events = []
        for row in rows.order_by("pk"):
            last[user.pk] = row.pk
            data = json.loads(row.data)
            events.append((data["action"], data["id"], data["by"]))
        return events

    return read


def test_members_get_events_when_a_note_is_shared_changed_or_revoked(
    owner: Client, user: User, api: Client, note: Note, heard: Callable[[User], list[tuple[str, int, str]]]
) -> None:
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


def test_private_changes_and_failed_writes_send_no_events(
    owner: Client, user: User, api: Client, note: Note, heard: Callable[[User], list[tuple[str, int, str]]]
) -> None:
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
