"""Webhooks on the account page: owners manage theirs, and nobody sees or changes those of others."""

import html

import pytest
from django.test import Client as DjangoClient

from accounts.backends import BACKEND
from accounts.models import User
from config.webhooks import signing
from config.webhooks.models import Webhook, WebhookDelivery

from ..accounts.helpers import cookie_client_for
from ..factories import UserFactory
from .conftest import make_deliveries, make_webhook

pytestmark = pytest.mark.django_db
ACCOUNT, NEW = "/account/", "/account/webhooks/"
FORM = {"url": "https://hooks.example.org/mine", "kinds": ["note"], "description": "Wiki"}


def forms_of(webhook: Webhook) -> list[str]:
    """Return the addresses of all forms about ``webhook``."""
    return [
        *(f"{NEW}{webhook.pk}/{name}/" for name in ("test", "secret", "switch", "delete")),
        *(f"{NEW}{webhook.pk}/{delivery.pk}/" for delivery in webhook.deliveries.all()),
    ]


def state() -> list[object]:
    return [*Webhook.objects.order_by("pk").values(), *WebhookDelivery.objects.order_by("pk").values()]


def test_a_secret_is_shown_once(user: User) -> None:
    client = cookie_client_for(user)
    created = client.post(NEW, FORM).content.decode()
    first = signing.secret(Webhook.objects.get().salt)
    assert first in html.unescape(created)
    assert "whsec_" not in client.get(ACCOUNT).content.decode()
    replaced = client.post(f"{NEW}{Webhook.objects.get().pk}/secret/").content.decode()
    assert signing.secret(Webhook.objects.get().salt) in html.unescape(replaced)
    assert first not in html.unescape(replaced)


def test_a_stranger_sees_and_changes_nothing(user: User) -> None:
    webhook = make_webhook(user, "https://hooks.example.org/of-the-owner")
    make_deliveries(webhook, 1)
    before = state()
    stranger = cookie_client_for(UserFactory(is_staff=True, is_superuser=True))
    assert b"of-the-owner" not in stranger.get(ACCOUNT).content
    for path in forms_of(webhook):
        assert stranger.post(path, {"on": "1"}).status_code == 404, path
    assert state() == before


def test_a_delivery_of_others_is_not_resent_through_ones_own_webhook(user: User) -> None:
    theirs, mine = make_webhook(UserFactory(), "https://example.org/"), make_webhook(user, "https://example.org/")
    make_deliveries(theirs, 1)
    before = state()
    path = f"{NEW}{mine.pk}/{theirs.deliveries.get().pk}/"
    assert cookie_client_for(user).post(path).status_code == 404
    assert state() == before


def test_signed_out_everything_leads_to_the_sign_in(user: User, client: DjangoClient) -> None:
    webhook = make_webhook(user, "https://hooks.example.org/")
    make_deliveries(webhook, 1)
    before = state()
    for path in (NEW, *forms_of(webhook)):
        assert client.post(path, FORM)["Location"].startswith("/login/")
    assert state() == before


def test_a_form_of_another_site_is_refused(user: User) -> None:
    client = DjangoClient(enforce_csrf_checks=True)
    client.force_login(user, backend=BACKEND)
    assert client.post(NEW, FORM).status_code == 403
    assert not Webhook.objects.exists()
