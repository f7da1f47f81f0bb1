"""Webhooks in the admin: staff see them without secrets, and with a permission switch them off and send again."""

import pytest
from django.contrib.auth.models import Permission
from django.db.models.functions import Now
from django.test import Client as DjangoClient

from accounts.models import User
from config.webhooks import signing
from config.webhooks.models import Webhook, WebhookDelivery

from ..accounts.helpers import cookie_client_for
from ..factories import UserFactory
from .conftest import make_deliveries, make_webhook

pytestmark = pytest.mark.django_db
WEBHOOKS, DELIVERIES = "/admin/config/webhook/", "/admin/config/webhookdelivery/"


def desk_with(*permissions: str) -> DjangoClient:
    """Return a browser in which staff with ``permissions`` are signed in."""
    staff = UserFactory(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return cookie_client_for(staff)


@pytest.fixture
def webhook(user: User) -> Webhook:
    webhook = make_webhook(user, "https://hooks.example.org/of-the-owner")
    make_deliveries(webhook, 1)
    WebhookDelivery.objects.update(failed_at=Now())
    return webhook


def act(desk: DjangoClient, path: str, action: str, row: Webhook | WebhookDelivery) -> None:
    desk.post(path, {"action": action, "_selected_action": [row.pk]})


def test_staff_with_the_permission_to_view_change_nothing_and_see_no_secret(webhook: Webhook) -> None:
    desk = desk_with("view_webhook", "view_webhookdelivery")
    delivery = webhook.deliveries.get()
    for path in (WEBHOOKS, f"{WEBHOOKS}{webhook.pk}/change/", DELIVERIES, f"{DELIVERIES}{delivery.pk}/change/"):
        page = desk.get(path)
        assert page.status_code == 200
        text = page.content.decode()
        assert webhook.salt not in text
        assert signing.secret(webhook.salt).removeprefix("whsec_") not in text
    act(desk, WEBHOOKS, "switch_off", webhook)
    act(desk, DELIVERIES, "send_again", delivery)
    assert Webhook.objects.get().active
    assert WebhookDelivery.objects.get().status == "failed"


def test_staff_with_the_permission_to_change_switch_off_and_send_again(webhook: Webhook) -> None:
    desk = desk_with("view_webhook", "change_webhook", "view_webhookdelivery", "change_webhookdelivery")
    act(desk, DELIVERIES, "send_again", webhook.deliveries.get())
    assert WebhookDelivery.objects.get().status == "waiting"
    act(desk, WEBHOOKS, "switch_off", webhook)
    assert not Webhook.objects.get().active
    assert WebhookDelivery.objects.get().status == "failed"


@pytest.mark.parametrize("permissions", [(), ("view_note",), ("view_webhookdelivery", "change_webhookdelivery")])
def test_without_a_permission_the_list_is_closed(webhook: Webhook, permissions: tuple[str, ...]) -> None:
    desk = desk_with(*permissions)
    assert desk.get(WEBHOOKS).status_code == 403
    act(desk, WEBHOOKS, "switch_off", webhook)
    assert Webhook.objects.get().active


def test_not_even_superusers_add_change_or_delete_a_webhook_of_others(webhook: Webhook, staff: User) -> None:
    desk = cookie_client_for(staff)
    changed = {"url": "https://attacker.example/", "kinds": "message", "active": "on"}
    assert desk.get(f"{WEBHOOKS}add/").status_code == 403
    assert desk.post(f"{WEBHOOKS}{webhook.pk}/change/", changed).status_code == 403
    assert desk.post(f"{WEBHOOKS}{webhook.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Webhook.objects.get().url == "https://hooks.example.org/of-the-owner"


def test_people_who_are_not_staff_are_sent_to_the_sign_in(webhook: Webhook, user: User) -> None:
    for path in (WEBHOOKS, DELIVERIES):
        assert cookie_client_for(user).get(path).status_code == 302
