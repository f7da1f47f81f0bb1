"""A change of something of mine makes a delivery in its own transaction; nobody else gets one."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from config.webhooks import publishing
from config.webhooks.models import Webhook, WebhookDelivery
from contacts.services.importing import import_due
from messaging.services.sending import send_message
from trends.services.import_runner import import_waiting

from ..conftest import Client
from ..factories import UserFactory
from .conftest import make_webhook

pytestmark = pytest.mark.django_db
DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def mine(user: User) -> Webhook:
    return make_webhook(user, "https://hooks.example.org/")


def published(webhook: Webhook) -> list[str]:
    return list(webhook.deliveries.order_by("pk").values_list("type", flat=True))


def test_messages(api: Client, user: User, mine: Webhook) -> None:
    friend = UserFactory()
    friends, strangers = make_webhook(friend, mine.url), make_webhook(UserFactory(), mine.url)
    owner = api.as_user(user)
    sent = owner.post("/api/v1/messages/", {"body": "a secret text", "recipients": [friend.usercode]}).json()
    owner.patch(f"/api/v1/messages/{sent['id']}/", {"body": "another secret text"}, format="json")
    owner.delete(f"/api/v1/messages/{sent['id']}/")
    assert published(mine) == published(friends) == ["message.sent", "message.edited", "message.deleted"]
    assert published(strangers) == []
    assert "secret text" not in "".join(WebhookDelivery.objects.values_list("body", flat=True))


def test_a_blocked_sender_reaches_no_webhook(api: Client, user: User) -> None:
    friend = UserFactory()
    webhook = make_webhook(friend, "https://example.org/")
    api.as_user(friend).post(f"/api/v1/blocks/{user.usercode}/")
    api.as_user(user).post("/api/v1/messages/", {"body": "a", "recipients": [friend.usercode]})
    assert published(webhook) == []


def test_notes(api: Client, user: User, mine: Webhook) -> None:
    friend = UserFactory()
    friends = make_webhook(friend, mine.url)
    owner = api.as_user(user)
    note = owner.post("/api/v1/notes/", {"title": "a"}).json()
    url = f"/api/v1/notes/{note['id']}/"
    owner.post(f"{url}collaborators/", {"usercode": friend.usercode, "role": "editor"})
    api.as_user(friend).patch(url, {"title": "b"})
    owner.post(f"{url}pin/")
    owner.delete(f"{url}collaborators/{friend.usercode}/")
    owner.post(f"{url}trash/")
    owner.delete(url)
    assert published(mine) == [
        "note.created", "note.changed", "note.changed", "note.changed", "note.trashed", "note.deleted",
    ]  # fmt: skip
    assert published(friends) == ["note.shared", "note.changed", "note.revoked"]
    bodies = [content(each) for each in WebhookDelivery.objects.all()]
    assert {each["data"]["id"] for each in bodies} == {note["id"]}
    assert all(each.keys() == {"type", "timestamp", "data"} for each in bodies)


def content(delivery: WebhookDelivery) -> dict[str, Any]:
    return json.loads(delivery.body)


def test_uploads_and_trends(api: Client, staff: User, mine: Webhook) -> None:
    theirs = make_webhook(staff, mine.url)
    client = api.as_user(staff)
    with (DATA / "contacts_sample.xlsx").open("rb") as sheet:
        upload = client.post("/api/v1/contacts/uploads/", {"file": sheet}, format="multipart").json()
    import_due()
    assert published(theirs) == ["upload.finished"]
    assert content(theirs.deliveries.get())["data"]["id"] == upload["id"]
    file = io.BytesIO((DATA / "trends_sample.csv").read_bytes())
    file.name = "trends.csv"
    assert client.post("/api/v1/trends/imports/", {"file": file}, format="multipart").status_code == 202
    import_waiting()
    assert published(theirs) == ["upload.finished", "trends.imported"]
    assert published(mine) == ["trends.imported"], "trends are public"


def test_kinds_and_switched_off_webhooks(api: Client, user: User, mine: Webhook) -> None:
    only_trends = make_webhook(user, mine.url, kinds=["trends"])
    off = make_webhook(user, mine.url, active=False)
    api.as_user(user).post("/api/v1/notes/", {"title": "a"})
    assert (published(mine), published(only_trends), published(off)) == (["note.created"], [], [])


def test_a_change_that_is_rolled_back_makes_no_delivery(user: User, mine: Webhook) -> None:
    friend = UserFactory()
    with transaction.atomic():
        send_message(sender=user, body="a", usercodes=[friend.usercode])
        assert published(mine) == ["message.sent"]
        transaction.set_rollback(True)
    assert published(mine) == []


def test_without_a_webhook_a_change_costs_one_statement_and_no_row(user: User) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        publishing.publish([user.pk], "note", "note.changed", {"id": 1})
    assert len(queries) == 1
    assert not WebhookDelivery.objects.exists()


def test_a_body_is_limited() -> None:
    with pytest.raises(ValueError, match="20000 bytes"):
        publishing.body("note.changed", {"id": "a" * 20_000})
