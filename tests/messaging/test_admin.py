import pytest
from django.test import Client as PageClient
from django.urls import reverse

from messaging.models import Block, BroadcastBatch, Message, MessageRecipient


@pytest.fixture
def office(staff):
    client = PageClient()
    client.force_login(staff, backend="accounts.backends.EmailOrUsernameBackend")
    return client


def test_staff_see_who_wrote_when_and_how_much_but_not_what(office, ada, bob):
    bob.beat()
    sent = ada.send("a secret between us", bob)
    ada.send("a secret of everybody")
    ada.client.post(f"/api/v1/blocks/{bob.code}/")
    for model in (Message, MessageRecipient, BroadcastBatch, Block):
        name = model._meta.model_name
        page = office.get(reverse(f"admin:messaging_{name}_changelist"))
        assert page.status_code == 200
        assert b"secret" not in page.content
        row = model.objects.first()
        page = office.get(reverse(f"admin:messaging_{name}_change", args=[row.pk]))
        assert page.status_code == 200
        assert b"secret" not in page.content
    page = office.get(reverse("admin:messaging_message_changelist"), {"q": "ada"})
    assert f"{len(sent['body'])} characters" in page.content.decode()


def test_what_one_wrote_and_got_is_in_the_export(ada, bob, eve):
    ada.send("to bob", bob)
    bob.send("to ada", ada)
    eve.send("to bob alone", bob)
    messages = ada.client.get("/api/v1/auth/export/").json()["messages"]
    assert [(each["body"], each["recipients"]) for each in messages["sent"]] == [("to bob", ["bob"])]
    assert [(each["body"], each["sender_username"]) for each in messages["received"]] == [("to ada", "bob")]
    assert "alone" not in str(messages)
