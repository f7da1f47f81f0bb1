"""The real process that delivers: it is woken by the commit, and a killed one loses nothing."""

import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import User
from config.webhooks import services
from config.webhooks.models import WebhookDelivery

from ..conftest import Client
from ..waiting import wait_until
from .conftest import Receiver, make_due, make_webhook, verify

ALLOW = {"WEBHOOKS_ALLOW_HTTP": "true", "WEBHOOKS_ALLOWED_NETWORKS": "127.0.0.0/8"}


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_while_it_sends_loses_nothing(
    api: Client, user: User, start_process: Callable[..., Any], start_receiver: Callable[..., Receiver]
) -> None:
    let_go = threading.Event()
    receiver = start_receiver(lambda _: 204 if let_go.wait(60) else 500)
    webhook, secret = services.create_webhook(owner=user, url=receiver.url, kinds=["note"])
    first = start_process("-m", "config.ops.processes", "webhooks", **ALLOW)
    client = api.as_user(user)
    note = client.post("/api/v1/notes/", {"title": "a"}).json()
    client.patch(f"/api/v1/notes/{note['id']}/", {"title": "b"})  # enqueues
    wait_until(lambda: len(receiver.requests) == 2, timeout=90, what="the deliveries reach the receiver")
    first.send_signal(signal.SIGKILL)
    first.wait(10)
    assert {each.status for each in webhook.deliveries.all()} == {"waiting"}
    let_go.set()
    make_due()  # instead of waiting until the leases have expired
    start_process("-m", "config.ops.processes", "webhooks", **ALLOW)
    services.send_test(webhook=webhook)  # enqueues, as beat would
    done = webhook.deliveries.exclude(done_at=None)
    wait_until(lambda: done.all().count() == 3, timeout=90, what="everything is delivered")
    assert len(receiver.requests) == 5, "at least once: what the killed worker sent was sent again"
    assert len(receiver.ids()) == 3
    for request in receiver.requests:
        verify(request, secret)


@pytest.mark.django_db(transaction=True)
def test_the_process_is_no_sign_of_the_other_worker(
    user: User, start_process: Callable[..., Any], receiver: Receiver, api: Client
) -> None:
    webhook = make_webhook(user, receiver.url)
    start_process("-m", "config.ops.processes", "webhooks", **ALLOW)
    services.send_test(webhook=webhook)
    wait_until(lambda: WebhookDelivery.objects.exclude(done_at=None).exists(), timeout=90, what="a delivery")
    assert api.get("/readyz/").json()["checks"]["worker"] == "down"
