import pytest
from django.test import Client as PageClient
from django.urls import reverse

from accounts.models import Block, User
from messaging.models import BroadcastBatch, Message, MessageRecipient

from .people import Person


@pytest.fixture
def staff_client(staff: User) -> PageClient:
    client = PageClient()
    client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    return client


def test_staff_see_senders_times_and_sizes_but_no_text(staff_client: PageClient, ada: Person, bob: Person) -> None:
    bob.heartbeat()
    sent = ada.send("a secret between us", bob)
    ada.send("a secret broadcast")
    ada.client.post(f"/api/v1/blocks/{bob.code}/")
    for model in (Message, MessageRecipient, BroadcastBatch, Block):
        name = f"{model._meta.app_label}_{model._meta.model_name}"
        page = staff_client.get(reverse(f"admin:{name}_changelist"))
        assert page.status_code == 200
        assert b"secret" not in page.content
        row = model.objects.first()
        page = staff_client.get(reverse(f"admin:{name}_change", args=[row.pk]))
        assert page.status_code == 200
        assert b"secret" not in page.content
    page = staff_client.get(reverse("admin:messaging_message_changelist"), {"q": "ada"})
    assert f"{len(sent['body'])} characters" in page.content.decode()


def test_the_data_export_contains_sent_and_received_messages(ada: Person, bob: Person, eve: Person) -> None:
    ada.send("to bob", bob)
    bob.send("to ada", ada)
    eve.send("to bob alone", bob)
    messages = ada.client.get("/api/v1/auth/export/").json()["messages"]
    assert [(each["body"], each["recipients"]) for each in messages["sent"]] == [("to bob", ["bob"])]
    assert [(each["body"], each["sender_username"]) for each in messages["received"]] == [("to ada", "bob")]
    assert "alone" not in str(messages)
