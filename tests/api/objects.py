"""Objects made through the API, for tests of every route."""

import io
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

from contacts.services.importing import import_due

from ..accounts.authenticator import Authenticator
from ..conftest import Client
from ..factories import UserFactory
from .routes import Operation, operations

DATA = Path(__file__).parents[1] / "data"
OPERATIONS = sorted((each for each in operations() if each.path_names), key=str)
Values = dict[str, object]


def a_session(owner: Client) -> Values:
    return {"id": owner.get("/api/v1/auth/sessions/").json()[0]["id"]}


def an_invitation(owner: Client) -> Values:
    return {"id": owner.post("/api/v1/auth/invitations/", {"email": "invited@example.org"}).json().get("id")}


def a_passkey(owner: Client) -> Values:
    start = owner.post("/api/v1/auth/mfa/passkeys/options/").json()
    body = {"ticket": start["ticket"], "name": "Phone", "credential": Authenticator().create(start["options"])}
    return {"id": owner.post("/api/v1/auth/mfa/passkeys/", body).json()["id"]}


def a_token(owner: Client) -> Values:
    return {"id": owner.post("/api/v1/auth/tokens/", {"name": "script", "scopes": ["notes:read"]}).json()["id"]}


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


def a_contact(owner: Client) -> Values:
    an_upload(owner)
    import_due()
    return {"id": owner.get("/api/v1/contacts/").json()["results"][0]["id"]}


def a_waiting_row(owner: Client) -> Values:
    a_contact(owner)
    an_upload(owner)
    import_due()
    return {"id": owner.get("/api/v1/contacts/unprocessed/").json()["results"][0]["id"]}


def a_trend(owner: Client) -> Values:
    trend = {"megatrend": "a", "macrotrend": "b", "steepl": "T", "impact_strength": "High"}
    return {"id": owner.post("/api/v1/trends/", trend).json().get("id")}


def a_webhook(owner: Client) -> Values:
    made = owner.post("/api/v1/webhooks/", {"url": "https://hooks.example.org/", "kinds": ["note"]}).json()
    test = owner.post(f"/api/v1/webhooks/{made['id']}/test/").json()
    return {"id": made["id"], "delivery_id": test["id"]}


def another_user(owner: Client) -> Values:
    return {"usercode": UserFactory().usercode}


# Path prefix -> the function that creates an object through the API and returns its path parameters.
OBJECTS: dict[str, Callable[[Client], Values]] = {
    "/api/v1/auth/sessions/{id}/": a_session,
    "/api/v1/auth/invitations/{id}/": an_invitation,
    "/api/v1/auth/mfa/passkeys/{id}/": a_passkey,
    "/api/v1/auth/tokens/{id}/": a_token,
    "/api/v1/notes/{id}/": a_note,
    "/api/v1/notes/imports/{id}/": a_notes_import,
    "/api/v1/labels/{id}/": a_label,
    "/api/v1/messages/{id}/": a_message,
    "/api/v1/contacts/uploads/{id}/": an_upload,
    "/api/v1/contacts/unprocessed/{id}/": a_waiting_row,
    "/api/v1/contacts/{id}/": a_contact,
    "/api/v1/trends/{id}/": a_trend,
    "/api/v1/webhooks/{id}/": a_webhook,
    "/api/v1/blocks/{usercode}/": another_user,
    "/api/v1/people/{usercode}/": another_user,
}
# Objects without an owner: read by everybody or by staff. Each app tests its own permissions.
WITHOUT_OWNER = (
    "/api/v1/auth/invitations/",
    "/api/v1/trends/",
    "/api/v1/blocks/{usercode}/",
    "/api/v1/people/{usercode}/",
)
OWNED = [each for each in OPERATIONS if not each.path.startswith(WITHOUT_OWNER)]


def maker(operation: Operation) -> Callable[[Client], Values]:
    prefixes = [path for path in OBJECTS if operation.path.startswith(path)]
    assert prefixes, f"{operation} is new: add a function to OBJECTS that creates its object"
    return OBJECTS[max(prefixes, key=len)]
