"""Every route of every object, asked by somebody to whom it does not belong: it is 404, as if it did not exist."""

import io
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from ..conftest import Client
from ..factories import UserFactory
from .routes import Operation, operations

DATA = Path(__file__).parents[1] / "data"
OPERATIONS = sorted((each for each in operations() if each.path_names), key=str)
Values = dict[str, object]


def a_session(owner: Client) -> Values:
    return {"id": owner.get("/api/v1/auth/sessions/").json()[0]["id"]}


def a_note(owner: Client) -> Values:
    friend = UserFactory()
    label = owner.post("/api/v1/labels/", {"name": "mine"}).json()
    note = owner.post("/api/v1/notes/", {"title": "secret", "label_ids": [label["id"]]}).json()
    owner.post(f"/api/v1/notes/{note['id']}/collaborators/", {"usercode": friend.usercode, "role": "viewer"})
    owner.put(f"/api/v1/notes/{note['id']}/reminder/", {"remind_at": "2099-01-01T09:00:00Z"})
    return {"id": note["id"], "label_id": label["id"], "usercode": friend.usercode}


def a_label(owner: Client) -> Values:
    return {"id": owner.post("/api/v1/labels/", {"name": "mine"}).json()["id"]}


def a_notes_import(owner: Client) -> Values:
    packed = io.BytesIO()
    with ZipFile(packed, "w") as archive:
        archive.writestr("Takeout/Keep/a.json", '{"title": "a", "textContent": "b"}')
    packed.seek(0)
    packed.name = "takeout.zip"
    return {"id": owner.post("/api/v1/notes/import/", {"file": packed}, format="multipart").json()["id"]}


def a_message(owner: Client) -> Values:
    friend = UserFactory()
    return {"id": owner.post("/api/v1/messages/", {"body": "secret", "recipients": [friend.usercode]}).json()["id"]}


def an_upload(owner: Client) -> Values:
    with (DATA / "contacts_sample.xlsx").open("rb") as sheet:
        return {"id": owner.post("/api/v1/contacts/uploads/", {"file": sheet}, format="multipart").json()["id"]}


# Path (its beginning) -> what makes an object of that kind through the API and returns its path parameters.
OBJECTS: dict[str, Callable[[Client], Values]] = {
    "/api/v1/auth/sessions/{id}/": a_session,
    "/api/v1/notes/{id}/": a_note,
    "/api/v1/notes/imports/{id}/": a_notes_import,
    "/api/v1/labels/{id}/": a_label,
    "/api/v1/messages/{id}/": a_message,
    "/api/v1/contacts/uploads/{id}/": an_upload,
}
# Routes whose objects belong to everybody or to staff, tested with their domain: reading is public or staff's, and a
# stranger who may not write is told so.
NOBODYS_OWN = ("/api/v1/trends/", "/api/v1/blocks/{usercode}/", "/api/v1/people/{usercode}/")
OWNED = [each for each in OPERATIONS if not each.path.startswith(NOBODYS_OWN)]


def maker(operation: Operation) -> Callable[[Client], Values]:
    fitting = [path for path in OBJECTS if operation.path.startswith(path)]
    assert fitting, f"{operation} is new: say in OBJECTS how an object of its kind is made"
    return OBJECTS[max(fitting, key=len)]


@pytest.mark.django_db
@pytest.mark.parametrize("operation", OWNED, ids=str)
def test_a_stranger_gets_404_and_the_owner_does_not(operation: Operation, api):
    owner, stranger = api.as_user(UserFactory()), api.as_user(UserFactory())
    url = operation.url(**maker(operation)(owner))
    as_stranger = getattr(stranger, operation.method)(url, operation.body, format="json")
    assert as_stranger.status_code == 404, as_stranger.content
    assert as_stranger.json()["errors"][0]["code"] == "not_found"
    as_owner = getattr(owner, operation.method)(url, operation.body, format="json")
    assert as_owner.status_code != 404, "otherwise the stranger's 404 says nothing"


@pytest.mark.django_db
@pytest.mark.parametrize("operation", OWNED, ids=str)
def test_staff_without_a_share_are_strangers_too(operation: Operation, api):
    owner, staff = api.as_user(UserFactory()), api.as_user(UserFactory(is_staff=True, is_superuser=True))
    url = operation.url(**maker(operation)(owner))
    assert getattr(staff, operation.method)(url, operation.body, format="json").status_code == 404
