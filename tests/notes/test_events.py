"""Events about notes: for everybody who sees a note, and for the other devices of the user who changed it."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import User
from config.models import OutgoingEvent
from notes.models import Note, Reminder, Role
from notes.services import reminders
from notes.services.events import MAX_NOTES
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


def test_everybody_who_sees_a_note_gets_an_event_when_it_is_shared_changed_or_revoked(
    owner: Client, user: User, api: Client, note: Note, heard: Callable[[User], list[tuple[str, int, str]]]
) -> None:
    friend, other = UserFactory(), UserFactory()
    heard(user)
    share(note, other)
    assert heard(other) == [("shared", note.pk, user.usercode)]
    path = f"{NOTES}{note.pk}/"
    owner.post(f"{path}collaborators/", {"usercode": friend.usercode, "role": "editor"})
    assert heard(friend) == [("shared", note.pk, user.usercode)]
    assert heard(other) == [("changed", note.pk, user.usercode)]
    assert heard(user) == 2 * [("changed", note.pk, user.usercode)]
    api.as_user(friend).patch(path, {"title": "x"})
    assert heard(user) == heard(other) == heard(friend) == [("changed", note.pk, friend.usercode)]
    owner.delete(f"{path}collaborators/{friend.usercode}/")
    assert heard(friend) == [("revoked", note.pk, user.usercode)]
    assert heard(other) == heard(user) == [("changed", note.pk, user.usercode)]
    for verb, method in (("trash/", owner.post), ("restore/", owner.post), ("", owner.delete)):
        assert method(path + verb).status_code < 300
    assert [action for action, *_ in heard(other)] == ["trashed", "restored", "deleted"]
    assert [action for action, *_ in heard(user)] == ["trashed", "restored", "deleted"]


def test_private_changes_are_events_for_the_users_own_devices_only(
    api: Client, user: User, note: Note, heard: Callable[[User], list[tuple[str, int, str]]]
) -> None:
    friend = UserFactory()
    share(note, friend, Role.EDITOR)
    heard(user), heard(friend)
    reader, path = api.as_user(friend), f"{NOTES}{note.pk}/"
    label = LabelFactory(owner=friend)
    for call in (
        lambda: reader.post(f"{path}pin/"),
        lambda: reader.post(f"{path}archive/"),
        lambda: reader.post(f"{path}labels/", {"label_ids": [label.pk]}),
        lambda: reader.patch(path, {"label_ids": [label.pk]}),
        lambda: reader.patch(f"/api/v1/labels/{label.pk}/", {"name": "renamed"}),
        lambda: reader.delete(f"/api/v1/labels/{label.pk}/"),
        lambda: reader.put(f"{path}reminder/", {"remind_at": "2100-01-01T00:00:00Z"}),
        lambda: reader.delete(f"{path}reminder/"),
    ):
        assert call().status_code < 300
        assert heard(friend) == [("changed", note.pk, friend.usercode)]
    created = reader.post(NOTES, {"title": "mine"}).json()
    assert heard(friend) == [("created", created["id"], friend.usercode)]
    assert heard(user) == []


def test_a_sent_reminder_is_an_event_of_the_system(
    user: User, note: Note, heard: Callable[[User], list[tuple[str, int, str]]]
) -> None:
    reminders.set_reminder(by=user, note_id=note.pk, remind_at=timezone.now() + timedelta(days=1))
    Reminder.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    heard(user)
    reminders.send_due_reminders()
    assert heard(user) == [("changed", note.pk, None)]


def test_failed_writes_send_no_events(
    api: Client, user: User, note: Note, heard: Callable[[User], list[tuple[str, int, str]]]
) -> None:
    friend = UserFactory()
    share(note, friend, Role.EDITOR)
    heard(user), heard(friend)
    reader, path = api.as_user(friend), f"{NOTES}{note.pk}/"
    assert reader.patch(path, {"title": "x"}, headers={"If-Match": '"9"'}).status_code == 412
    assert reader.delete(path).status_code == 403
    assert reader.post(NOTES, {"title": "x", "label_ids": [1]}).status_code == 400
    assert heard(user) == heard(friend) == []


def test_a_change_of_many_notes_is_one_resync(owner: Client, user: User) -> None:
    ids = [make_note(user).pk for _ in range(MAX_NOTES + 1)]
    OutgoingEvent.objects.all().delete()
    for action in ("archive", "trash", "delete"):
        owner.post(f"{NOTES}bulk/", {"action": action, "ids": ids})
    rows = OutgoingEvent.objects.values_list("kind", "user_ids")
    assert list(rows) == 3 * [("resync", [user.pk])]
