"""One action on several notes: all or nothing."""

import pytest

from notes.models import Note
from tests.factories import UserFactory

from .factories import LabelFactory, make_note, share

BULK, NOTES = "/api/v1/notes/bulk/", "/api/v1/notes/"


@pytest.fixture
def three(user):
    return [make_note(user, title=title).pk for title in ("one", "two", "three")]


@pytest.mark.parametrize("action, field, value", [
    ("archive", "archived", True), ("unarchive", "archived", False),
    ("pin", "pinned", True), ("unpin", "pinned", False),
])  # fmt: skip
def test_ones_own_view(owner, three, action, field, value):
    answer = owner.post(BULK, {"ids": three, "action": action})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["action"], body["count"], [note["id"] for note in body["results"]]) == (action, 3, three)
    assert all(note[field] is value for note in body["results"])


def test_trash_restore_and_delete(owner, three):
    assert all(n["trashed_at"] for n in owner.post(BULK, {"ids": three, "action": "trash"}).json()["results"])
    assert not any(n["trashed_at"] for n in owner.post(BULK, {"ids": three, "action": "restore"}).json()["results"])
    deleted = owner.post(BULK, {"ids": [*three, three[0]], "action": "delete"}).json()
    assert (deleted["count"], deleted["results"]) == (3, [])
    assert not Note.objects.exists()


def test_labels_are_put_on_and_taken_off(owner, user, three):
    label = LabelFactory(owner=user)
    body = {"ids": three, "action": "add_labels", "label_ids": [label.pk]}
    assert all(note["labels"] for note in owner.post(BULK, body).json()["results"])
    body["action"] = "remove_labels"
    assert not any(note["labels"] for note in owner.post(BULK, body).json()["results"])


@pytest.mark.parametrize("wrong, code", [("foreign", 404), ("absent", 404), ("viewed", 403), ("trashed", 409)])
def test_one_that_cannot_be_done_leaves_all_as_they_were(owner, user, three, wrong, code):
    if wrong == "foreign":
        odd = make_note(UserFactory()).pk
    elif wrong == "absent":
        odd = 999_999
    elif wrong == "viewed":
        theirs = make_note(UserFactory())
        share(theirs, user)
        odd = theirs.pk
    else:
        odd = make_note(user).pk
        owner.post(f"{NOTES}{odd}/trash/")
    assert owner.post(BULK, {"ids": [*three, odd], "action": "trash"}).status_code == code
    assert not Note.objects.filter(pk__in=three, trashed_at__isnull=False).exists()


def test_a_foreign_label_leaves_all_as_they_were(owner, user, three):
    body = {"ids": three, "action": "add_labels", "label_ids": [LabelFactory(owner=user).pk, LabelFactory().pk]}
    assert owner.post(BULK, body).status_code == 400
    assert not any(note["labels"] for note in owner.get(NOTES).json()["results"])


@pytest.mark.parametrize("body", [
    {}, {"ids": [], "action": "pin"}, {"ids": [1]}, {"ids": [1], "action": "burn"}, {"ids": ["x"], "action": "pin"},
    {"ids": [1] * 201, "action": "pin"}, {"ids": [1], "action": "add_labels"}, {"ids": 1, "action": "pin"}, [],
    {"ids": [1], "action": "pin", "label_ids": [1]}, {"ids": [2**63], "action": "pin"}, {"ids": [-1], "action": "pin"},
])  # fmt: skip
def test_a_request_that_says_nothing_sensible_is_400(owner, body):
    assert owner.post(BULK, body).status_code == 400


def test_it_is_for_those_signed_in(api):
    assert api.post(BULK, {"ids": [1], "action": "pin"}).status_code == 401


def test_many_notes_take_as_many_queries_as_few(owner, user, three, django_assert_max_num_queries):
    ids = three + [make_note(user, title=str(n)).pk for n in range(30)]
    with django_assert_max_num_queries(14):
        owner.post(BULK, {"ids": ids, "action": "trash"})
