"""Labels: create, rename, delete, and attach them to notes."""

from typing import Any

import pytest

from accounts.models import User
from config.models import OutgoingEvent
from notes.models import Label, Note
from tests.conftest import Client

from .conftest import Titles
from .factories import LabelFactory, make_note

LABELS, NOTES = "/api/v1/labels/", "/api/v1/notes/"


def test_create_list_get_rename_delete(owner: Client, user: User) -> None:
    created = owner.post(LABELS, {"name": "  Home   sweet home "})
    assert created.status_code == 201
    label = created.json()
    assert label == {"id": label["id"], "name": "Home sweet home", "note_count": 0}
    path = f"{LABELS}{label['id']}/"
    assert owner.get(LABELS).json() == {"next": None, "previous": None, "results": [label]}
    assert owner.get(path).json() == label
    assert owner.patch(path, {"name": "Work"}).json()["name"] == "Work"
    assert owner.put(path, {"name": "work"}).json()["name"] == "work"
    assert owner.patch(path, {}).json()["name"] == "work"
    assert owner.delete(path).status_code == 204
    assert owner.get(path).status_code == 404


@pytest.mark.parametrize("first, second", [
    ("Home", "HOME"), ("straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("Ärger", "A\u0308rger"), ("a b", " a  b "),
    ("Home", "Ho\u200bme"), ("\u202aHome\u202c", "home"), ("❤", "❤\ufe0f"),
])  # fmt: skip
def test_names_are_unique_without_case(owner: Client, first: str, second: str) -> None:
    assert owner.post(LABELS, {"name": first}).status_code == 201
    again = owner.post(LABELS, {"name": second})
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "label_exists")
    other = owner.post(LABELS, {"name": "other"}).json()
    assert owner.patch(f"{LABELS}{other['id']}/", {"name": second}).status_code == 409


def test_two_users_can_have_labels_of_the_same_name(owner: Client, stranger: Client) -> None:
    assert owner.post(LABELS, {"name": "Home"}).status_code == 201
    assert stranger.post(LABELS, {"name": "Home"}).status_code == 201


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 101, None, ["x"], "a\x00b", "\u200b", "\u2800", "\u3164 \ufeff", "e" + "\u0301" * 31]
)
def test_an_invalid_name_is_400(owner: Client, name: Any) -> None:
    assert owner.post(LABELS, {"name": name}).status_code == 400
    assert owner.post(LABELS, {}).status_code == 400


def test_a_label_of_another_user_is_404(stranger: Client, user: User) -> None:
    path = f"{LABELS}{LabelFactory(owner=user).pk}/"
    for method in (stranger.get, stranger.put, stranger.patch, stranger.delete):
        assert method(path, {"name": "mine"}).status_code == 404
    assert stranger.get(f"{path}notes/").status_code == 404
    assert Label.objects.get().name != "mine"


def test_labels_are_added_and_removed(owner: Client, user: User, note: Note) -> None:
    home, work = LabelFactory(owner=user, name="Home"), LabelFactory(owner=user, name="Work")
    path = f"{NOTES}{note.pk}/labels/"
    owner.post(path, {"label_ids": [work.pk]})
    labelled = owner.post(path, {"label_ids": [home.pk, work.pk, home.pk]})
    assert labelled.status_code == 200
    assert labelled.json()["labels"] == [{"id": home.pk, "name": "Home"}, {"id": work.pk, "name": "Work"}]
    assert owner.delete(f"{path}{home.pk}/").status_code == 204
    assert owner.delete(f"{path}{home.pk}/").status_code == 404
    assert owner.get(f"{NOTES}{note.pk}/").json()["labels"] == [{"id": work.pk, "name": "Work"}]


def test_deleting_a_label_keeps_its_notes(owner: Client, user: User, note: Note) -> None:
    label = LabelFactory(owner=user)
    owner.post(f"{NOTES}{note.pk}/labels/", {"label_ids": [label.pk]})
    owner.delete(f"{LABELS}{label.pk}/")
    assert owner.get(f"{NOTES}{note.pk}/").json()["labels"] == []


def test_label_ids_set_the_labels_of_a_new_note_and_replace_those_of_a_changed_one(owner: Client, user: User) -> None:
    one, two = LabelFactory(owner=user), LabelFactory(owner=user)
    note = owner.post(NOTES, {"title": "x", "label_ids": [one.pk]}).json()
    assert [label["id"] for label in note["labels"]] == [one.pk]
    changed = owner.patch(f"{NOTES}{note['id']}/", {"label_ids": [two.pk]}).json()
    assert [label["id"] for label in changed["labels"]] == [two.pk]
    assert owner.patch(f"{NOTES}{note['id']}/", {"title": "y"}).json()["labels"] == changed["labels"]


def test_label_ids_in_a_change_are_private(
    owner: Client, user: User, editor: Client, editor_user: User, viewer: Client, note: Note
) -> None:
    path = f"{NOTES}{note.pk}/"
    before = owner.get(path), viewer.get(path)
    OutgoingEvent.objects.all().delete()
    mine = LabelFactory(owner=editor_user, name="secret")
    answer = editor.patch(path, {"label_ids": [mine.pk]})
    assert (answer.status_code, [label["name"] for label in answer.json()["labels"]]) == (200, ["secret"])
    assert editor.get(path).json() == answer.json()
    for client, earlier in zip((owner, viewer), before, strict=True):
        assert client.get(path)["ETag"] == earlier["ETag"]
    assert list(OutgoingEvent.objects.values_list("user_ids", flat=True)) == [[editor_user.pk]]
    assert viewer.patch(path, {"label_ids": []}).status_code == 403


def test_label_ids_of_another_user_are_400(owner: Client, note: Note) -> None:
    foreign = LabelFactory()
    for answer in (
        owner.post(f"{NOTES}{note.pk}/labels/", {"label_ids": [foreign.pk]}),
        owner.post(NOTES, {"title": "x", "label_ids": [foreign.pk]}),
        owner.patch(f"{NOTES}{note.pk}/", {"title": "x", "label_ids": [foreign.pk]}),
    ):
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["attr"] == "label_ids"
        assert str(foreign.pk) in answer.json()["errors"][0]["detail"]
    assert Note.objects.get().title == "Groceries"


def test_counts_and_lists_of_a_label_leave_out_the_trash(owner: Client, user: User, titles: Titles) -> None:
    label = LabelFactory(owner=user)
    for title in ("active", "archived", "trashed"):
        make_note(user, title=title, label_ids=[label.pk])
    ids = {note["title"]: note["id"] for note in owner.get(NOTES).json()["results"]}
    owner.post(f"{NOTES}{ids['archived']}/archive/")
    owner.post(f"{NOTES}{ids['trashed']}/trash/")
    assert owner.get(f"{LABELS}{label.pk}/").json()["note_count"] == 2
    assert titles(owner.get(f"{LABELS}{label.pk}/notes/")) == ["archived", "active"]
    assert titles(owner.get(f"{LABELS}{label.pk}/notes/?state=trashed")) == ["trashed"]
    assert titles(owner.get(f"{LABELS}{label.pk}/notes/?search=act")) == ["active"]


def test_labels_are_paged_by_name(owner: Client, user: User) -> None:
    for name in ("zebra", "beta", "Alpha", "éclair", "Über", "œuf", "ärger"):
        LabelFactory(owner=user, name=name)
    found, url = [], f"{LABELS}?page_size=2"
    while url:
        page = owner.get(url).json()
        found += [label["name"] for label in page["results"]]
        url = page["next"]
    assert found == ["Alpha", "ärger", "beta", "éclair", "œuf", "Über", "zebra"]


def test_the_limits_are_enforced_and_named(owner: Client, user: User, note: Note) -> None:
    labels = Label.objects.bulk_create(Label(owner=user, name=f"l{n}", key=f"l{n}") for n in range(1000))
    full = owner.post(LABELS, {"name": "one more"})
    assert full.status_code == 400
    assert "1,000" in full.json()["errors"][0]["detail"]
    path = f"{NOTES}{note.pk}/labels/"
    assert owner.post(path, {"label_ids": [label.pk for label in labels[:100]]}).status_code == 200
    over = owner.post(path, {"label_ids": [labels[100].pk]})
    assert over.status_code == 400
    assert "100" in over.json()["errors"][0]["detail"]
    assert len(owner.get(f"{NOTES}{note.pk}/").json()["labels"]) == 100
