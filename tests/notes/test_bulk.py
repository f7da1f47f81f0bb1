"""One action on several notes: on all or on none."""

from typing import Any

import pytest

from accounts.models import User
from notes.models import Note
from tests.conftest import Client
from tests.factories import UserFactory

from .factories import LabelFactory, make_note, share

BULK, NOTES = "/api/v1/notes/bulk/", "/api/v1/notes/"


@pytest.fixture
def three(user: User) -> list[int]:
    return [make_note(user, title=title).pk for title in ("one", "two", "three")]


@pytest.mark.parametrize("action, field, value", [
    ("archive", "archived", True), ("unarchive", "archived", False),
    ("pin", "pinned", True), ("unpin", "pinned", False),
])  # fmt: skip
def test_pin_and_archive_change_the_own_membership(
    owner: Client, three: list[int], action: str, field: str, value: Any
) -> None:
    answer = owner.post(BULK, {"ids": three, "action": action})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["action"], body["count"], [note["id"] for note in body["results"]]) == (action, 3, three)
    assert all(note[field] is value for note in body["results"])


def test_trash_restore_and_delete_change_all_notes(owner: Client, three: list[int]) -> None:
    assert all(n["trashed_at"] for n in owner.post(BULK, {"ids": three, "action": "trash"}).json()["results"])
    assert not any(n["trashed_at"] for n in owner.post(BULK, {"ids": three, "action": "restore"}).json()["results"])
    deleted = owner.post(BULK, {"ids": [*three, three[0]], "action": "delete"}).json()
    assert (deleted["count"], deleted["results"]) == (3, [])
    assert not Note.objects.exists()


def test_labels_are_added_and_removed(owner: Client, user: User, three: list[int]) -> None:
    label = LabelFactory(owner=user)
    body = {"ids": three, "action": "add_labels", "label_ids": [label.pk]}
    assert all(note["labels"] for note in owner.post(BULK, body).json()["results"])
    body["action"] = "remove_labels"
    assert not any(note["labels"] for note in owner.post(BULK, body).json()["results"])


@pytest.mark.parametrize("wrong, code", [("foreign", 404), ("absent", 404), ("viewed", 403), ("trashed", 409)])
def test_an_error_for_one_note_changes_no_note(
    owner: Client, user: User, three: list[int], wrong: str, code: Any
) -> None:
    if wrong == "foreign":
        other = make_note(UserFactory()).pk
    elif wrong == "absent":
        other = 999_999
    elif wrong == "viewed":
        other_note = make_note(UserFactory())
        share(other_note, user)
        other = other_note.pk
    else:
        other = make_note(user).pk
        owner.post(f"{NOTES}{other}/trash/")
    assert owner.post(BULK, {"ids": [*three, other], "action": "trash"}).status_code == code
    assert not Note.objects.filter(pk__in=three, trashed_at__isnull=False).exists()


def test_a_label_of_another_user_changes_no_note(owner: Client, user: User, three: list[int]) -> None:
    body = {"ids": three, "action": "add_labels", "label_ids": [LabelFactory(owner=user).pk, LabelFactory().pk]}
    assert owner.post(BULK, body).status_code == 400
    assert not any(note["labels"] for note in owner.get(NOTES).json()["results"])


@pytest.mark.parametrize("body", [
    {}, {"ids": [], "action": "pin"}, {"ids": [1]}, {"ids": [1], "action": "burn"}, {"ids": ["x"], "action": "pin"},
    {"ids": [1] * 201, "action": "pin"}, {"ids": [1], "action": "add_labels"}, {"ids": 1, "action": "pin"}, [],
    {"ids": [1], "action": "pin", "label_ids": [1]}, {"ids": [2**63], "action": "pin"}, {"ids": [-1], "action": "pin"},
])  # fmt: skip
def test_an_invalid_request_is_400(owner: Client, body: Any) -> None:
    assert owner.post(BULK, body).status_code == 400


def test_anonymous_requests_are_401(api: Client) -> None:
    assert api.post(BULK, {"ids": [1], "action": "pin"}).status_code == 401


def test_the_number_of_queries_does_not_grow_with_the_notes(
    owner: Client, user: User, three: list[int], django_assert_max_num_queries: Any
) -> None:
    ids = three + [make_note(user, title=str(n)).pk for n in range(30)]
    with django_assert_max_num_queries(14):
        owner.post(BULK, {"ids": ids, "action": "trash"})
