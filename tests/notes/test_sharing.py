"""Collaborators: what each role may do, and how fast somebody is out."""

import pytest

from notes.models import Membership, Role
from tests.factories import UserFactory

from .factories import LabelFactory, make_note, share

NOTES = "/api/v1/notes/"


@pytest.fixture
def path(note):
    return f"{NOTES}{note.pk}/"


@pytest.mark.parametrize("by", ["email", "usercode"])
def test_the_owner_shares_by_address_or_code(owner, path, api, by):
    person = UserFactory()
    named = {"email": person.email.upper(), "usercode": person.usercode.lower()}[by]
    answer = owner.post(f"{path}collaborators/", {by: named, "role": "editor"})
    assert answer.status_code == 201
    assert answer.json() == {"usercode": person.usercode, "username": person.username, "role": "editor"}
    assert owner.get(path).json()["collaborators"] == [answer.json()]
    seen = api.as_user(person).get(path).json()
    assert (seen["role"], seen["owner"]["usercode"]) == ("editor", owner.get(path).json()["owner"]["usercode"])
    assert [note["id"] for note in api.as_user(person).get(NOTES).json()["results"]] == [seen["id"]]


def test_a_new_collaborator_may_read_unless_told_otherwise(owner, path):
    assert owner.post(f"{path}collaborators/", {"usercode": UserFactory().usercode}).json()["role"] == "viewer"


@pytest.mark.parametrize("body, attr", [
    ({"email": "nobody@example.org", "role": "viewer"}, "email"),
    ({"usercode": "ZZZZZZ", "role": "viewer"}, "usercode"),
    ({"usercode": "ZZZZZZ", "email": "nobody@example.org"}, None),
    ({"role": "viewer"}, None),
    ({"email": "not an address"}, "email"),
    ({"email": "nobody@example.org", "role": "owner"}, "role"),
])  # fmt: skip
def test_a_share_with_nobody_is_400(owner, path, body, attr):
    answer = owner.post(f"{path}collaborators/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] in (attr, "non_field_errors")


def test_sharing_with_oneself_is_400_and_twice_is_409(owner, path, user, viewer_user):
    assert owner.post(f"{path}collaborators/", {"email": user.email, "role": "viewer"}).status_code == 400
    assert owner.post(f"{path}collaborators/", {"usercode": viewer_user.usercode, "role": "editor"}).status_code == 409
    assert Membership.objects.get(user=viewer_user).role == "viewer"


def test_a_closed_account_is_nobody(owner, path):
    person = UserFactory(is_active=False)
    assert owner.post(f"{path}collaborators/", {"usercode": person.usercode}).status_code == 400


def test_fifty_collaborators_are_the_most(owner, path, note):
    for person in UserFactory.create_batch(50):
        Membership.objects.create(note=note, user=person, role=Role.VIEWER)
    answer = owner.post(f"{path}collaborators/", {"usercode": UserFactory().usercode})
    assert answer.status_code == 400
    assert "50" in answer.json()["errors"][0]["detail"]
    assert len(owner.get(path).json()["collaborators"]) == 50


def test_a_role_changes_at_once(owner, viewer, viewer_user, path):
    assert viewer.patch(path, {"title": "x"}).status_code == 403
    answer = owner.patch(f"{path}collaborators/{viewer_user.usercode}/", {"role": "editor"})
    assert (answer.status_code, answer.json()["role"]) == (200, "editor")
    assert viewer.patch(path, {"title": "x"}).status_code == 200
    assert viewer.get(path).json()["role"] == "editor"


def test_being_removed_takes_the_note_away_with_all_that_was_made_of_it(owner, viewer, viewer_user, path):
    label = LabelFactory(owner=viewer_user)
    viewer.post(f"{path}labels/", {"label_ids": [label.pk]})
    viewer.put(f"{path}reminder/", {"remind_at": "2100-01-01T00:00:00Z"})
    assert viewer.get(path).status_code == 200
    assert viewer.get(NOTES).json()["results"]
    assert owner.delete(f"{path}collaborators/{viewer_user.usercode}/").status_code == 204
    assert viewer.get(path).status_code == 404
    assert viewer.get(NOTES).json()["results"] == []
    assert viewer.get(f"/api/v1/labels/{label.pk}/").json()["note_count"] == 0
    assert owner.get(path).json()["collaborators"] == []


def test_a_collaborator_leaves_with_their_own_code(owner, editor, editor_user, path):
    assert editor.delete(f"{path}collaborators/{editor_user.usercode}/").status_code == 204
    assert editor.get(path).status_code == 404
    assert owner.get(path).status_code == 200


def test_the_owner_stays_and_stays_owner(owner, user, path):
    mine = f"{path}collaborators/{user.usercode}/"
    assert owner.delete(mine).status_code == 409
    assert owner.patch(mine, {"role": "viewer"}).status_code == 403


def test_the_list_of_collaborators(owner, viewer, editor, stranger, editor_user, viewer_user, path):
    people = {editor_user.usercode: "editor", viewer_user.usercode: "viewer"}
    for client in (owner, viewer, editor):
        page = client.get(f"{path}collaborators/").json()
        assert {person["usercode"]: person["role"] for person in page["results"]} == people
    assert stranger.get(f"{path}collaborators/").status_code == 404
    assert owner.delete(f"{path}collaborators/ZZZZZZ/").status_code == 404
    assert owner.patch(f"{path}collaborators/ZZZZZZ/", {"role": "viewer"}).status_code == 404


def test_what_one_person_makes_of_a_note_nobody_else_sees(owner, editor, editor_user, path):
    label = LabelFactory(owner=editor_user, name="secret plan")
    before = owner.get(path)
    editor.post(f"{path}labels/", {"label_ids": [label.pk]})
    editor.post(f"{path}pin/")
    editor.post(f"{path}archive/")
    editor.put(f"{path}reminder/", {"remind_at": "2100-01-01T00:00:00Z"})
    after = owner.get(path)
    assert after.content == before.content
    assert after["ETag"] == before["ETag"]
    assert owner.get(f"{NOTES}?search=secret").json()["results"] == []
    assert editor.get(f"{NOTES}?search=secret&state=all").json()["results"]


# What each person may do with a note: the owner's and the stranger's side of every route stand beside the others'.
ROUTES = [
    # method, path, body, owner, editor, viewer
    ("get", "", None, 200, 200, 200),
    ("put", "", {"title": "x"}, 200, 200, 403),
    ("patch", "", {"title": "x"}, 200, 200, 403),
    ("delete", "", None, 204, 403, 403),
    ("post", "archive/", None, 200, 200, 200),
    ("post", "unarchive/", None, 200, 200, 200),
    ("post", "pin/", None, 200, 200, 200),
    ("post", "unpin/", None, 200, 200, 200),
    ("post", "trash/", None, 200, 403, 403),
    ("post", "restore/", None, 409, 403, 403),
    ("post", "labels/", {"label_ids": [0]}, 400, 400, 400),
    ("delete", "labels/1/", None, 404, 404, 404),
    ("get", "collaborators/", None, 200, 200, 200),
    ("post", "collaborators/", {"usercode": "ZZZZZZ", "role": "viewer"}, 400, 403, 403),
    ("patch", "collaborators/ZZZZZZ/", {"role": "viewer"}, 404, 403, 403),
    ("delete", "collaborators/ZZZZZZ/", None, 404, 404, 404),
    ("put", "reminder/", {"remind_at": "2100-01-01T00:00:00Z"}, 200, 200, 200),
    ("delete", "reminder/", None, 404, 404, 404),
]


@pytest.mark.parametrize("method, route, body, by_owner, by_editor, by_viewer", ROUTES)
def test_each_route_asked_by_everybody(
    api, owner, editor, viewer, stranger, note, path, method, route, body, by_owner, by_editor, by_viewer
):
    def ask(client):
        return getattr(client, method)(path + route, body).status_code

    assert ask(api) == 401
    assert ask(stranger) == 404
    assert ask(viewer) == by_viewer
    assert ask(editor) == by_editor
    assert ask(owner) == by_owner


def test_a_viewer_may_not_remove_another(viewer, editor, editor_user, path):
    assert viewer.delete(f"{path}collaborators/{editor_user.usercode}/").status_code == 403


def test_a_trashed_note_is_not_shared_further(owner, user, path):
    owner.post(f"{path}trash/")
    assert owner.post(f"{path}collaborators/", {"usercode": UserFactory().usercode}).status_code == 409


def test_a_deleted_account_takes_its_notes_along_and_leaves_those_of_others(api, note, user):
    friend = UserFactory()
    share(note, friend, Role.EDITOR)
    theirs = make_note(friend, title="theirs")
    share(theirs, user)
    reader = api.as_user(friend)
    assert len(reader.get(NOTES).json()["results"]) == 2
    user.delete()
    (left,) = reader.get(NOTES).json()["results"]
    assert (left["title"], left["collaborators"]) == ("theirs", [])
