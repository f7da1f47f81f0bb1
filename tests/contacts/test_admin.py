"""The admin shows every table and lets nobody change what the window decided."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from contacts.models import Contact, FileMetadata

TABLES = ("filemetadata", "contact", "unprocessedcontact", "rejectedrow", "keygate")


@pytest.fixture
def admin_client(staff: Any) -> Client:
    client = Client()
    client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    return client


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_listed_searched_and_read_only(
    admin_client: Client, signed_in: Any, imported: Callable, table: str
) -> None:
    imported(signed_in, "contacts_messy.xlsx")
    assert admin_client.get(f"/admin/contacts/{table}/?q=ana").status_code == 200
    assert admin_client.get(f"/admin/contacts/{table}/add/").status_code == 403


def test_nothing_can_be_changed_or_deleted(admin_client: Client, signed_in: Any, imported: Callable) -> None:
    imported(signed_in, "contacts_sample.xlsx")
    contact = Contact.objects.first()
    assert contact is not None
    address = f"/admin/contacts/contact/{contact.pk}/"
    assert admin_client.get(f"{address}change/").status_code == 200
    assert admin_client.post(f"{address}change/", {"name": "other"}).status_code == 403
    assert admin_client.post(f"{address}delete/", {"post": "yes"}).status_code == 403


def test_staff_get_the_original_and_others_do_not(
    admin_client: Client, user: Any, signed_in: Any, imported: Callable
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
