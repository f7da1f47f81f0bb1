"""Collaborators: sharing, roles, and the permissions of each role."""

from typing import Any

import pytest

from accounts.models import Block, User
from config.models import OutgoingEvent
from notes.models import Membership, Note, Role
from tests.conftest import Client
from tests.factories import UserFactory

from .factories import LabelFactory, make_note, share

NOTES = "/api/v1/notes/"


@pytest.mark.parametrize("by", ["email", "usercode"])
def test_the_owner_shares_by_address_or_usercode(owner: Client, path: str, api: Client, by: str) -> None:
    person = UserFactory()
    named = {"email": person.email.upper(), "usercode": person.usercode.lower()}[by]
    answer = owner.post(f"{path}collaborators/", {by: named, "role": "editor"})
    assert answer.status_code == 201
    assert answer.json() == {"usercode": person.usercode, "username": person.username, "role": "editor"}
    assert owner.get(path).json()["collaborators"] == [answer.json()]
    seen = api.as_user(person).get(path).json()
    assert (seen["role"], seen["owner"]["usercode"]) == ("editor", owner.get(path).json()["owner"]["usercode"])
    assert [note["id"] for note in api.as_user(person).get(NOTES).json()["results"]] == [seen["id"]]


def test_a_new_collaborator_is_a_viewer_by_default(owner: Client, path: str) -> None:
    assert owner.post(f"{path}collaborators/", {"usercode": UserFactory().usercode}).json()["role"] == "viewer"


@pytest.mark.parametrize("body, attr", [
    ({"email": "nobody@example.org", "role": "viewer"}, "email"),
    ({"usercode": "ZZZZZZ", "role": "viewer"}, "usercode"),
    ({"usercode": "ZZZZZZ", "email": "nobody@example.org"}, None),
    ({"role": "viewer"}, None),
    ({"email": "not an address"}, "email"),
    ({"email": "nobody@example.org", "role": "owner"}, "role"),
])  # fmt: skip
def test_sharing_with_an_unknown_or_invalid_user_is_400(owner: Client, path: str, body: Any, attr: Any) -> None:
    answer = owner.post(f"{path}collaborators/", body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["attr"] in (attr, "non_field_errors")


def test_sharing_with_oneself_is_400_and_sharing_again_is_409(
    owner: Client, path: str, user: User, viewer_user: User
) -> None:
    assert owner.post(f"{path}collaborators/", {"email": user.email, "role": "viewer"}).status_code == 400
    assert owner.post(f"{path}collaborators/", {"usercode": viewer_user.usercode, "role": "editor"}).status_code == 409
    assert Membership.objects.get(user=viewer_user).role == "viewer"


def test_an_inactive_account_is_unknown(owner: Client, path: str) -> None:
    person = UserFactory(is_active=False)
    assert owner.post(f"{path}collaborators/", {"usercode": person.usercode}).status_code == 400


@pytest.mark.parametrize("by", ["email", "usercode"])
def test_an_unconfirmed_account_is_unknown(owner: Client, path: str, by: str) -> None:
    person = UserFactory(email_verified_at=None)
    answer = owner.post(f"{path}collaborators/", {by: getattr(person, by)})
    unknown = owner.post(f"{path}collaborators/", {by: {"email": "nobody@example.org", "usercode": "ZZZZZZ"}[by]})
    assert answer.status_code == 400
    assert answer.json() == unknown.json()


def test_a_note_shared_by_a_blocked_user_is_withheld_and_the_owner_cannot_tell(
    owner: Client, user: User, api: Client, path: str, note: Note
) -> None:
    blocker, other = UserFactory(), UserFactory()
    Block.objects.create(blocker=blocker, blocked=user)
    client = api.as_user(blocker)
    answers = [owner.post(f"{path}collaborators/", {"usercode": each.usercode}) for each in (blocker, other)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert [each["usercode"] for each in owner.get(path).json()["collaborators"]] == [blocker.usercode, other.usercode]
    assert owner.post(f"{path}collaborators/", {"usercode": blocker.usercode}).status_code == 409

    def sees_nothing() -> bool:
        lists = [client.get(f"{NOTES}{query}").json()["results"] for query in ("", "?state=all", "?search=groceries")]
        page = client.get(f"{path}collaborators/").status_code, client.post(f"{path}pin/").status_code
        return lists == [[], [], []] and client.get(path).status_code == 404 and page == (404, 404)

    assert sees_nothing()
    assert owner.patch(f"{path}collaborators/{blocker.usercode}/", {"role": "editor"}).status_code == 200
    owner.patch(path, {"title": "Groceries, changed"})
    assert sees_nothing()
    assert client.get("/api/v1/auth/export/").json()["notes"]["notes"] == []
    # The share of the past stays withheld after unblocking; a new one arrives.
    Block.objects.all().delete()
    assert sees_nothing()
    owner.delete(f"{path}collaborators/{blocker.usercode}/")
    assert not OutgoingEvent.objects.filter(user_ids__contains=[blocker.pk]).exists()
    owner.post(f"{path}collaborators/", {"usercode": blocker.usercode})
    assert client.get(path).status_code == 200


def test_the_owner_sees_the_new_name_of_a_withheld_member(owner: Client, user: User, path: str) -> None:
    blocker: Any = UserFactory()
    Block.objects.create(blocker=blocker, blocked=user)
    owner.post(f"{path}collaborators/", {"usercode": blocker.usercode})
    assert owner.get(path).json()["collaborators"][0]["username"] == blocker.username
    blocker.username = "Synesius"
    blocker.save()
    assert owner.get(path).json()["collaborators"][0]["username"] == "Synesius"
    blocker.delete()
    assert owner.get(path).json()["collaborators"] == []


def test_a_note_has_at_most_fifty_collaborators(owner: Client, path: str, note: Note) -> None:
    for person in UserFactory.create_batch(50):
        Membership.objects.create(note=note, user=person, role=Role.VIEWER)
    answer = owner.post(f"{path}collaborators/", {"usercode": UserFactory().usercode})
    assert answer.status_code == 400
    assert "50" in answer.json()["errors"][0]["detail"]
    assert len(owner.get(path).json()["collaborators"]) == 50


def test_a_changed_role_applies_at_once(owner: Client, viewer: Client, viewer_user: User, path: str) -> None:
    assert viewer.patch(path, {"title": "x"}).status_code == 403
    answer = owner.patch(f"{path}collaborators/{viewer_user.usercode}/", {"role": "editor"})
    assert (answer.status_code, answer.json()["role"]) == (200, "editor")
    assert viewer.patch(path, {"title": "x"}).status_code == 200
    assert viewer.get(path).json()["role"] == "editor"


def test_removing_a_collaborator_removes_their_labels_and_reminder(
    owner: Client, viewer: Client, viewer_user: User, path: str
) -> None:
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


def test_a_collaborator_leaves_with_their_own_usercode(
    owner: Client, editor: Client, editor_user: User, path: str
) -> None:
    assert editor.delete(f"{path}collaborators/{editor_user.usercode}/").status_code == 204
    assert editor.get(path).status_code == 404
    assert owner.get(path).status_code == 200


def test_the_owner_cannot_leave_or_change_role(owner: Client, user: User, path: str) -> None:
    mine = f"{path}collaborators/{user.usercode}/"
    assert owner.delete(mine).status_code == 409
    assert owner.patch(mine, {"role": "viewer"}).status_code == 403


def test_every_member_sees_the_list_of_collaborators(
    owner: Client, viewer: Client, editor: Client, stranger: Client, editor_user: User, viewer_user: User, path: str
) -> None:
    people = {editor_user.usercode: "editor", viewer_user.usercode: "viewer"}
    for client in (owner, viewer, editor):
        page = client.get(f"{path}collaborators/").json()
        assert {person["usercode"]: person["role"] for person in page["results"]} == people
    assert stranger.get(f"{path}collaborators/").status_code == 404
    assert owner.delete(f"{path}collaborators/ZZZZZZ/").status_code == 404
    assert owner.patch(f"{path}collaborators/ZZZZZZ/", {"role": "viewer"}).status_code == 404


def test_labels_pins_archive_and_reminder_are_private(
    owner: Client, editor: Client, editor_user: User, path: str
) -> None:
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


# The status of every route for each role; strangers get 404 everywhere.
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


@pytest.mark.thorough
@pytest.mark.parametrize("method, route, body, by_owner, by_editor, by_viewer", ROUTES)
def test_every_route_checks_the_role(
    api: Client,
    owner: Client,
    editor: Client,
    viewer: Client,
    stranger: Client,
    note: Note,
    path: str,
    method: str,
    route: str,
    body: Any,
    by_owner: int,
    by_editor: int,
    by_viewer: int,
) -> None:
    def status(client: Client) -> int:
        return getattr(client, method)(path + route, body).status_code

    assert status(api) == 401
    assert status(stranger) == 404
    assert status(viewer) == by_viewer
    assert status(editor) == by_editor
    assert status(owner) == by_owner


def test_a_viewer_cannot_remove_another_member(viewer: Client, editor: Client, editor_user: User, path: str) -> None:
    assert viewer.delete(f"{path}collaborators/{editor_user.usercode}/").status_code == 403


def test_a_trashed_note_cannot_be_shared(owner: Client, user: User, path: str) -> None:
    owner.post(f"{path}trash/")
    assert owner.post(f"{path}collaborators/", {"usercode": UserFactory().usercode}).status_code == 409


def test_deleting_an_account_deletes_its_own_notes_only(api: Client, note: Note, user: User) -> None:
    friend = UserFactory()
    share(note, friend, Role.EDITOR)
    theirs = make_note(friend, title="theirs")
    share(theirs, user)
    reader = api.as_user(friend)
    assert len(reader.get(NOTES).json()["results"]) == 2
    user.delete()
    (left,) = reader.get(NOTES).json()["results"]
    assert (left["title"], left["collaborators"]) == ("theirs", [])
