"""The admin lists every table; staff undo uploads and erase rows, and change nothing else."""

import pytest
from django.contrib.auth.models import Permission
from django.http import HttpResponse
from django.test import Client

from accounts.models import User
from contacts.models import Contact, FileMetadata, RejectedRow
from tests.conftest import Client as APIClient
from tests.factories import UserFactory

from .conftest import URL, Send

TABLES = ("filemetadata", "contact", "unprocessedcontact", "rejectedrow", "keygate", "uploadundo")


@pytest.fixture
def admin_client(staff: User) -> Client:
    client = Client()
    client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    return client


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_listed_searched_and_read_only(
    admin_client: Client, signed_in: APIClient, imported: Send, table: str
) -> None:
    imported(signed_in, "contacts_messy.xlsx")
    assert admin_client.get(f"/admin/contacts/{table}/?q=ana").status_code == 200
    assert admin_client.get(f"/admin/contacts/{table}/add/").status_code == 403


def test_nothing_can_be_changed(admin_client: Client, signed_in: APIClient, imported: Send) -> None:
    imported(signed_in, "contacts_sample.xlsx")
    contact = Contact.objects.first()
    assert contact is not None
    address = f"/admin/contacts/contact/{contact.pk}/"
    assert admin_client.get(f"{address}change/").status_code == 200
    assert admin_client.post(f"{address}change/", {"name": "other"}).status_code == 403


def act(client: Client, table: str, action: str, *ids: int, **fields: str) -> HttpResponse:
    """Run an action of a list page on the rows ``ids``."""
    return client.post(f"/admin/contacts/{table}/", {"action": action, "_selected_action": ids, **fields}, follow=True)


def test_staff_erase_rows_on_request_and_the_owner_sees_it_at_once(
    admin_client: Client, signed_in: APIClient, imported: Send
) -> None:
    imported(signed_in, [("Ana", "5550001", ""), ("Bo", "5550002", ""), ("Cy", "5550001", "")])
    ids = [contact["id"] for contact in signed_in.get(URL).json()["results"]]
    waiting = signed_in.get(f"{URL}unprocessed/").json()["results"][0]["id"]
    assert admin_client.post(f"/admin/contacts/contact/{ids[0]}/delete/", {"post": "yes"}).status_code == 302
    assert [contact["id"] for contact in signed_in.get(URL).json()["results"]] == ids[1:]
    act(admin_client, "contact", "delete_selected", *ids[1:], post="yes")
    assert signed_in.get(URL).json()["results"] == []
    act(admin_client, "unprocessedcontact", "delete_selected", waiting, post="yes")
    assert signed_in.get(f"{URL}unprocessed/").json()["results"] == []


def test_staff_undo_uploads(admin_client: Client, signed_in: APIClient, imported: Send, send: Send) -> None:
    upload = imported(signed_in, [("Ana", "5550001", ""), ("Bo", "5550001", "")])
    queued = send(signed_in, [("Cy", "5550003", "")]).json()
    page = act(admin_client, "filemetadata", "undo_uploads", upload["id"], queued["id"]).content.decode()
    assert f"Upload {upload['id']}: 1 contacts and 1 waiting rows were removed." in page
    assert f"Upload {queued['id']}: The upload is still being processed." in page
    assert signed_in.get(f"{URL}uploads/{upload['id']}/").json()["status"] == "undone"


def test_staff_delete_an_upload_with_its_original_and_keep_its_contacts(
    admin_client: Client, signed_in: APIClient, imported: Send, send: Send
) -> None:
    upload = imported(signed_in, [("Ana", "5550001", ""), ("Bo", "bad", "")])
    queued = send(signed_in, [("Cy", "5550003", "")]).json()
    original = f"{URL}uploads/{upload['id']}/original/"
    assert signed_in.get(original).status_code == 200
    page = act(admin_client, "filemetadata", "delete_uploads", upload["id"], queued["id"]).content.decode()
    assert f"Upload {upload['id']} was deleted with its original and its rejected rows." in page
    assert f"Upload {queued['id']}: The upload is still being processed." in page
    assert signed_in.get(original).status_code == 404
    assert not RejectedRow.objects.exists()
    assert [contact["name"] for contact in signed_in.get(URL).json()["results"]] == ["Ana"]


def test_staff_without_the_permission_can_neither_undo_nor_erase(signed_in: APIClient, imported: Send) -> None:
    upload = imported(signed_in, [("Ana", "5550001", "")])
    reader = UserFactory(is_staff=True)
    reader.user_permissions.set(
        Permission.objects.filter(content_type__app_label="contacts", codename__startswith="view")
    )
    client = Client()
    client.force_login(reader, backend="accounts.backends.EmailOrUsernameBackend")
    contact = Contact.objects.get()
    act(client, "filemetadata", "undo_uploads", upload["id"])
    act(client, "filemetadata", "delete_uploads", upload["id"])
    act(client, "contact", "delete_selected", contact.pk, post="yes")
    assert client.post(f"/admin/contacts/contact/{contact.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Contact.objects.count() == 1
    assert FileMetadata.objects.get().deleted_at is None


def test_only_staff_can_download_an_original(
    admin_client: Client, user: User, signed_in: APIClient, imported: Send
) -> None:
    imported(signed_in, "contacts_sample.xlsx")
    address = f"/admin/contacts/filemetadata/{FileMetadata.objects.get().pk}/original/"
    assert address.encode() in admin_client.get("/admin/contacts/filemetadata/").content
    answer = admin_client.get(address)
    assert answer.status_code == 302
    file = admin_client.get(answer["Location"].removeprefix("http://testserver"))
    assert b"".join(file.streaming_content).startswith(b"PK")
    person = Client()
    person.force_login(user, backend="accounts.backends.EmailOrUsernameBackend")
    assert person.get(address)["Location"].startswith("/admin/login/")
