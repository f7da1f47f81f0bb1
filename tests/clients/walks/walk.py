"""The walk through the five domains with the client that openapi-python-client generated."""

import base64
import io
import json
import os
import time
from typing import Any

from atrium_client import AuthenticatedClient, Client, types
from atrium_client.api.auth import auth_login_create, auth_profile_retrieve
from atrium_client.api.contacts import contacts_list, contacts_uploads_create, contacts_uploads_retrieve
from atrium_client.api.labels import labels_create
from atrium_client.api.messages import messages_list, messages_read_one, messages_send
from atrium_client.api.notes import notes_create, notes_labels_create, notes_list, notes_partial_update
from atrium_client.api.trends import trends_list, trends_summary_retrieve
from atrium_client.models import (
    LabelIdsRequest,
    LabelRequest,
    LoginRequest,
    NoteContentRequest,
    PatchedNoteContentRequest,
    SendMessageRequest,
    UploadSheetRequest,
)

given: dict[str, Any] = json.loads(os.environ["ATRIUM_WALK"])


def sign_in() -> AuthenticatedClient:
    anonymous = Client(base_url=given["url"], raise_on_unexpected_status=True)
    body = LoginRequest(username=given["account"]["login"], password=given["account"]["password"])
    signed_in = auth_login_create.sync(client=anonymous, body=body)
    client = AuthenticatedClient(base_url=given["url"], token=signed_in.access, raise_on_unexpected_status=True)
    assert auth_profile_retrieve.sync(client=client).username == given["account"]["login"]
    return client


def notes(client: AuthenticatedClient) -> None:
    body = NoteContentRequest(title="Walk in Python", body="The body stays.", color="teal")
    note = notes_create.sync(client=client, body=body)
    renamed = notes_partial_update.sync(note.id, client=client, body=PatchedNoteContentRequest(title="Python, renamed"))
    assert (renamed.title, renamed.body, renamed.color) == ("Python, renamed", "The body stays.", "teal")
    label = labels_create.sync(client=client, body=LabelRequest(name="Label of Python"))
    labelled = notes_labels_create.sync(note.id, client=client, body=LabelIdsRequest(label_ids=[label.id]))
    assert [each.name for each in labelled.labels] == ["Label of Python"]
    assert [each.id for each in notes_list.sync(client=client, search="Python, renamed").results] == [note.id]


def messages(client: AuthenticatedClient) -> None:
    usercode = auth_profile_retrieve.sync(client=client).usercode
    body = SendMessageRequest(body="Hello from Python", recipients=[usercode, given["friend"]])
    sent = messages_send.sync(client=client, body=body)
    assert sent.id in [each.id for each in messages_list.sync(client=client).results]
    assert messages_read_one.sync(sent.id, client=client).unread >= 0


def contacts(client: AuthenticatedClient) -> None:
    file = types.File(io.BytesIO(base64.b64decode(given["sheet"])), "contacts.xlsx")
    upload = contacts_uploads_create.sync(client=client, body=UploadSheetRequest(file=file))
    end = time.monotonic() + 60
    while not contacts_uploads_retrieve.sync(upload.id, client=client).status.value.startswith("completed"):
        assert time.monotonic() < end, "the upload was not read within a minute"
        time.sleep(0.3)
    assert contacts_list.sync(client=client, upload=upload.id).results is not None


def trends(client: AuthenticatedClient) -> None:
    count = trends_list.sync(client=client).count
    assert count == trends_summary_retrieve.sync(client=client).count > 0


client = sign_in()
print("accounts: ok")
for domain in (notes, messages, contacts, trends):
    domain(client)
    print(f"{domain.__name__}: ok")
